package socketio

import (
	"errors"
	"net/http"
	"time"

	"signalling/pkg/wsock"
)

// Upgrade from polling to WebSocket (engine.io-protocol v4 "Upgrade", v3 "Transport upgrading"):
//
//	client  opens a WebSocket with the session's sid
//	client  2probe   server  3probe, and packet 6 to the waiting GET and to each that follows
//	client  (stops polling)
//	client  5        server  sends what is queued on the WebSocket, and all that follows
//
// Until the 5 the session polls, and a WebSocket that fails before it changes nothing.

// upgrade is a WebSocket that may become a session's transport. The session's mu guards it.
type upgrade struct {
	conn   *wsock.Conn
	timer  *time.Timer
	probed bool
}

// noopPause is how long a GET waits for its packet 6 when it has come after the WebSocket. The GET that was there before
// is answered at once; a client that polls again has not read the probe's answer yet, and should that be stuck on its way,
// client and server must not spin. The JavaScript server looks every 100 ms.
const noopPause = 10 * time.Millisecond

// serveUpgrade accepts a WebSocket with the session's sid. When it cannot take over, because the session is on a WebSocket
// or on the way to one, it is closed rather than refused ("A client MUST NOT open more than one WebSocket connection per
// session. Should it happen, the server MUST close the WebSocket connection").
func (s *Session) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	if !s.srv.enter(s) {
		errUnknownSID.write(w)
		return
	}
	conn, err := s.srv.takeover.Upgrade(w, r)
	if err != nil { // it has been answered
		s.srv.running.Done()
		return
	}
	go func() {
		defer s.srv.running.Done()
		s.runUpgrade(conn)
	}()
}

// runUpgrade reads a WebSocket that may take over.
func (s *Session) runUpgrade(conn *wsock.Conn) {
	if up := s.beginUpgrade(conn); up != nil {
		if s.probe(up) {
			conn.Serve((*receiver)(s)) // the session is counted until its end
			return
		}
		s.endUpgrade(up)
	}
	conn.Abort(closeProtocol, "no upgrade")
	conn.Finish()
}

// beginUpgrade notes the WebSocket as the one that may take over, or returns nil.
func (s *Session) beginUpgrade(conn *wsock.Conn) *upgrade {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended() || s.poll == nil || s.poll.up != nil {
		return nil
	}
	up := &upgrade{conn: conn}
	up.timer = time.AfterFunc(s.srv.cfg.UpgradeTimeout, func() {
		s.endUpgrade(up)
		conn.Abort(closePolicy, "upgrade timeout")
	})
	s.poll.up = up
	return up
}

// endUpgrade leaves the session to polling, open to another try.
func (s *Session) endUpgrade(up *upgrade) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stop(up.timer)
	if s.poll != nil && s.poll.up == up {
		s.poll.up = nil
	}
}

// probe reads up to the packet 5 and reports whether the WebSocket has taken over.
func (s *Session) probe(up *upgrade) bool {
	for {
		op, frame, err := up.conn.ReadMessage()
		if err != nil || op != wsock.OpText {
			return false
		}
		switch string(frame) {
		case "2probe":
			if !s.probed(up) {
				return false
			}
		case "5":
			return s.takeOver(up)
		default:
			return false
		}
	}
}

// probed answers the probe, and lets the client end its polling.
func (s *Session) probed(up *upgrade) bool {
	// The answer first: a client that reads it before the packet 6 does not poll again.
	if up.conn.Send(probeAnswer.frame) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll == nil || s.poll.up != up {
		return false
	}
	up.probed = true
	s.poll.wakeGET()
	return true
}

// takeOver makes the WebSocket the session's transport. It waits for a POST that is being handled, so that the client's
// packets stay in order; what the server has queued goes first.
func (s *Session) takeOver(up *upgrade) bool {
	s.recv.Lock()
	defer s.recv.Unlock()
	s.mu.Lock()
	p := s.poll
	if s.ended() || p == nil || p.up != up || !up.probed {
		s.mu.Unlock()
		return false
	}
	stop(up.timer)
	s.conn, s.poll = up.conn, nil
	s.srv.polling.Add(-1)
	err := queueAll(up.conn, p.queue, s.EIO())
	p.drop(noopPacket)
	if s.state.Load() == stateConnected {
		s.out.Store(s.conn)
	}
	s.mu.Unlock()
	up.conn.Flush()
	if errors.Is(err, ErrQueueFull) { // cannot be, by the WebSocket's larger bounds; if it is, packets are lost
		s.end(ReasonQueueFull, farewell{how: abrupt})
	}
	return true
}

// queueAll queues packets, to leave in one write.
func queueAll(conn *wsock.Conn, packets []*Packet, eio int) error {
	for _, p := range packets {
		if err := conn.Queue(p.wire(eio)); err != nil {
			return err
		}
	}
	return nil
}
