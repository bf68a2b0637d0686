package socketio

import (
	"errors"
	"log/slog"
	"time"

	"signalling/pkg/wsock"
)

// manner is how a session's transport is treated at its end.
type manner uint8

const (
	graceful manner = iota // what is queued is delivered
	fault                  // graceful on a WebSocket; on polling the client's next request is refused
	byClient               // the client said packet 1
	abrupt                 // what is queued is dropped, the client is told that it is over
	gone                   // the client is not there any more; should a GET still wait, it is refused
	ended                  // the WebSocket has ended, and its reader does what is left to be done
)

// farewell is how a session ends: code and text are those of a WebSocket close frame, code 0 stands for the reason's own.
// err is for the log.
type farewell struct {
	how  manner
	code int
	text string
	err  error
}

// end ends the session, once; an abrupt end may still cut a graceful one short. Handler.Disconnect is called by another
// goroutine, because the caller may be the handler itself; the reader of a WebSocket that has ended is not.
func (s *Session) end(reason Reason, f farewell) {
	s.mu.Lock()
	then := s.endLocked(reason, f)
	s.mu.Unlock()
	then()
}

// endLocked is end for callers that hold mu. What it returns is to be called without mu.
func (s *Session) endLocked(reason Reason, f farewell) func() {
	if f.code == 0 {
		f.code, f.text = reason.closeCode(), reason.String()
	}
	if s.ended() {
		return s.cutShort(f)
	}
	connected := s.state.Load() == stateConnected
	s.reason = reason
	s.state.Store(stateClosed)
	s.out.Store(nil)
	s.srv.clock.Stop(&s.beat)
	s.srv.clock.Stop(&s.limit)
	var probing *wsock.Conn
	if s.poll != nil {
		probing = s.endPolling(f)
	}
	if connected {
		s.srv.running.Add(1) // cannot be the first: the session is counted until after this
	}
	conn, over := s.conn, s.poll != nil && s.state.Load() == stateClosed
	return func() {
		s.log(reason, f.err)
		switch {
		case connected && f.how == ended:
			s.disconnected(reason)
		case connected:
			go s.disconnected(reason)
		}
		closeConn(probing, farewell{how: abrupt, code: f.code, text: f.text})
		closeConn(conn, f)
		if over { // a session on a WebSocket is taken out by the goroutine that reads
			s.srv.remove(s)
		}
	}
}

// disconnected tells the handler, after what the handler is doing for this session.
func (s *Session) disconnected(reason Reason) {
	defer s.srv.running.Done()
	s.recv.Lock()
	defer s.recv.Unlock()
	s.assembly = nil
	s.srv.handler.Disconnect(s, reason)
}

// endPolling ends the polling transport and returns the WebSocket that was to take over, if any. The caller holds mu.
func (s *Session) endPolling(f farewell) (probing *wsock.Conn) {
	p := s.poll
	if p.up != nil {
		stop(p.up.timer)
		probing, p.up = p.up.conn, nil
	}
	switch f.how {
	case graceful:
		s.linger(s.srv.cfg.CloseTimeout)
		p.last = closePacket
		p.wakeGET()
	case byClient:
		p.drop(noopPacket)
		if !p.get {
			s.linger(min(s.srv.cfg.CloseTimeout, overtakenGET))
		}
	case gone, ended:
		p.drop(nil)
	default:
		p.drop(closePacket)
	}
	return probing
}

// overtakenGET is how long a session that the client has closed waits for a GET that was sent before the closing POST, on
// another connection.
const overtakenGET = time.Second

// linger keeps an ended session for the client's next GET. The caller holds mu.
func (s *Session) linger(d time.Duration) {
	s.state.Store(stateClosing)
	s.limitAfter(d)
}

// cutShort ends what a graceful end has left running. The caller holds mu.
func (s *Session) cutShort(f farewell) func() {
	conn := s.conn
	switch {
	case f.how != abrupt:
	case conn != nil:
		return conn.Drop // the reader notices
	case s.state.Load() == stateClosing:
		return s.undeliverable()
	}
	return func() {}
}

// undeliverable ends a closing session whose client does not fetch the last packets. The caller holds mu.
func (s *Session) undeliverable() func() {
	s.state.Store(stateClosed)
	s.srv.clock.Stop(&s.limit)
	s.poll.drop(nil)
	return func() { s.srv.remove(s) }
}

// closeConn ends a WebSocket, if there is one.
func closeConn(c *wsock.Conn, f farewell) {
	switch {
	case c == nil || f.how == ended:
	case f.how <= byClient:
		c.Close(f.code, f.text)
	default:
		c.Abort(f.code, f.text)
	}
}

// limitReached is called when the wait that limit bounds is over.
func (s *Session) limitReached() {
	then := func() {}
	s.mu.Lock()
	switch s.state.Load() {
	case stateOpening:
		then = s.endLocked(ReasonTransportClose, farewell{how: fault, code: closePolicy, text: "no connect packet"})
	case stateLeft:
		then = s.endLocked(ReasonClientDisconnect, farewell{how: fault})
	case stateClosing:
		then = s.undeliverable()
	}
	s.mu.Unlock()
	then()
}

// errClientClose is the packet 1: not an error of the client, but the end.
var errClientClose = errors.New("socketio: closed by the client")

// fail ends the session for what the handling of a packet has returned.
func (s *Session) fail(err error) {
	switch {
	case errors.Is(err, errClientClose):
		s.end(ReasonTransportClose, farewell{how: byClient})
	case errors.Is(err, errTooLarge):
		s.end(ReasonTooLarge, farewell{how: fault, err: err})
	default:
		s.end(ReasonParseError, farewell{how: fault, err: err})
	}
}

// log notes why a client that did something wrong was closed.
func (s *Session) log(reason Reason, err error) {
	switch reason {
	case ReasonParseError, ReasonTooLarge, ReasonPingTimeout, ReasonQueueFull:
		s.srv.cfg.Logger.Debug("socket.io session ended", slog.String("reason", reason.String()),
			slog.Int("eio", s.EIO()), slog.Any("error", err))
	}
}

func stop(t *time.Timer) {
	if t != nil {
		t.Stop()
	}
}
