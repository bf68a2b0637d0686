package socketio

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// polling is the transport of a session that polls (engine.io-protocol v4 "HTTP long-polling", v3 "Transports, Polling").
// The session's mu guards it.
type polling struct {
	queue []*Packet
	bytes int
	// wake has one slot: a token means that the waiting GET should look again.
	wake chan struct{}
	// get and post: such a request is being served. Each is false again before its answer begins to leave, because a
	// client that has the answer may send the next request before this one has returned.
	get, post bool
	over      bool // the session has ended, a GET is refused
	// last answers a GET when the session is over and nothing is queued. It never shares an answer with what was queued:
	// client 4 handles a close packet before the events in front of it, and keeps those for its next connection.
	last *Packet
	up   *upgrade // a WebSocket that may take over
}

// push queues a packet.
func (p *polling) push(packet *Packet, c *Config) error {
	size := packet.size()
	if len(p.queue) >= c.QueueFrames || p.bytes+size > c.QueueBytes {
		return ErrQueueFull
	}
	p.queue = append(p.queue, packet)
	p.bytes += size
	p.wakeGET()
	return nil
}

// drop forgets what is queued; last is what a waiting GET is told, nil to refuse it.
func (p *polling) drop(last *Packet) {
	p.queue, p.bytes, p.last, p.over = nil, 0, last, last == nil
	p.wakeGET()
}

func (p *polling) wakeGET() {
	if !p.get {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// poll is a GET that is being served.
type poll struct {
	of *polling
	// late: it came when a WebSocket was about to take over. paused: it has waited for noopPause since.
	late, paused bool
}

// servePoll answers a GET with all that is queued, and waits for something if nothing is. The heartbeat bounds the wait:
// under EIO=4 its pings are queued here, under EIO=3 a client that does not ping is dropped.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request, b64 bool) {
	if !s.srv.enter(s) {
		errUnknownSID.write(w)
		return
	}
	defer s.srv.running.Done()
	g, refused := s.beginGET()
	if refused != nil {
		refused.write(w)
		return
	}
	packets, refused, err := s.await(r.Context(), g)
	switch {
	case refused != nil:
		refused.write(w)
		return
	case err == nil:
		err = s.answerPoll(w, packets, b64)
	}
	if err != nil { // the client went away, while it was waiting or while it was answered
		s.end(ReasonTransportError, farewell{how: gone})
	}
}

// beginGET makes this GET the session's only one. A second one ends the session ("Receiving data").
func (s *Session) beginGET() (*poll, *refusal) {
	s.mu.Lock()
	p := s.poll
	if p == nil {
		s.mu.Unlock()
		return nil, errBadRequest
	}
	if p.get {
		s.mu.Unlock()
		s.end(ReasonTransportError, farewell{how: abrupt})
		return nil, errBadRequest
	}
	p.get = true
	if p.wake == nil {
		p.wake = make(chan struct{}, 1)
	}
	g := &poll{of: p, late: p.up != nil}
	s.mu.Unlock()
	return g, nil
}

// await returns the packets for the GET, after which the session has no GET any more.
func (s *Session) await(ctx context.Context, g *poll) ([]*Packet, *refusal, error) {
	var pause <-chan time.Time
	if g.late {
		timer := time.NewTimer(noopPause)
		defer timer.Stop()
		pause = timer.C
	}
	for {
		if packets, refused := s.take(g); packets != nil || refused != nil {
			return packets, refused, nil
		}
		select {
		case <-g.of.wake:
		case <-pause:
			g.paused = true
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// take returns what a GET is to be answered with now, or nil.
func (s *Session) take(g *poll) ([]*Packet, *refusal) {
	s.mu.Lock()
	packets, refused := g.take(s.poll != g.of)
	over := len(packets) > 0 && packets[0] == g.of.last && s.state.Load() == stateClosing
	if over {
		s.state.Store(stateClosed)
		s.srv.clock.Stop(&s.limit)
	}
	s.mu.Unlock()
	if over {
		s.srv.remove(s)
	}
	return packets, refused
}

// take is what take of the session needs mu for.
func (g *poll) take(takenOver bool) (packets []*Packet, refused *refusal) {
	p := g.of
	switch {
	case len(p.queue) > 0:
		packets, p.queue, p.bytes = p.queue, nil, 0
	case p.over:
		return nil, errUnknownSID
	case takenOver && g.late: // a client that has sent packet 5 is past polling
		return nil, errBadRequest
	case p.last != nil:
		packets = []*Packet{p.last}
	case p.up != nil && p.up.probed && g.late == g.paused:
		packets = []*Packet{noopPacket}
	default:
		return nil, nil
	}
	p.get = false
	return packets, nil
}

// answerPoll writes the answer to a GET.
func (s *Session) answerPoll(w http.ResponseWriter, packets []*Packet, b64 bool) error {
	var body []byte
	binary := false
	if s.eio == eio4 {
		body = encodeV4(packets)
	} else {
		body, binary = encodeV3(packets, b64)
	}
	contentType := "text/plain; charset=UTF-8"
	if binary {
		contentType = "application/octet-stream"
	}
	return s.respond(w, contentType, body)
}

// respond writes a whole answer, within WriteTimeout.
func (s *Session) respond(w http.ResponseWriter, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Now().Add(s.srv.cfg.WriteTimeout)); err == nil {
		// The connection may serve other handlers later, for which this deadline is not meant.
		defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	}
	if _, err := w.Write(body); err != nil { // #nosec G705 -- packets as text/plain or octets, and "ok": no markup
		return err
	}
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
