package socketio

import (
	"fmt"
	"time"

	"signalling/pkg/wsock"
)

// Heartbeats belong to the session, not to a transport: its one timer goes on across an upgrade, in both protocols. The
// sessions share a clock, which pings all those that are due in the same slot of time in one go. No write waits, so that no
// client holds up another.
//
// Engine.IO 4 ("Heartbeat"): the server sends packet 2 every PingInterval, and the client answers with packet 3 within
// PingTimeout. Engine.IO 3 ("2 ping", "Timeouts"): the client sends packet 2 every PingInterval, the server answers at once;
// a client that is silent for the sum of both times is gone.

// startHeartbeat starts the timer. The caller holds mu.
func (s *Session) startHeartbeat() {
	c := &s.srv.cfg
	first := c.PingInterval
	if s.eio == eio3 {
		first += c.PingTimeout
	}
	s.due = time.Since(s.srv.started) + first
	s.beatAfter(first)
}

// beatAfter sets the timer of the heartbeat. The caller holds mu.
func (s *Session) beatAfter(d time.Duration) { s.srv.clock.Set(&s.beat, d, (*heartbeat)(s)) }

// heartbeat is a session whose ping is due.
type heartbeat Session

// Due implements slots.Task.
func (h *heartbeat) Due() { (*Session)(h).heartbeat() }

// limit is a session whose time is up.
type limit Session

// Due implements slots.Task.
func (l *limit) Due() { (*Session)(l).limitReached() }

// limitAfter bounds the time of a state. The caller holds mu.
func (s *Session) limitAfter(d time.Duration) { s.srv.clock.Set(&s.limit, d, (*limit)(s)) }

// heartbeat is called when a ping is due, or overdue.
func (s *Session) heartbeat() {
	s.mu.Lock()
	if s.ended() {
		s.mu.Unlock()
		return
	}
	if s.eio == eio3 || s.pinged {
		s.mu.Unlock()
		s.end(ReasonPingTimeout, farewell{how: gone})
		return
	}
	s.pinged = true
	late := time.Since(s.srv.started) - s.due // the client's time has run since the ping was due
	s.beatAfter(s.srv.cfg.PingTimeout - late)
	s.mu.Unlock()
	if s.beatsWanted() {
		s.srv.beats.Pinged(s)
	}
	s.control(pingPacket)
}

// Ping asks the client for a sign of life out of turn: Heartbeats.Ponged follows, in the order of all pings. It is queued as
// by Queue, and changes nothing about the heartbeat. Under EIO=3, whose servers do not ping, it does nothing.
func (s *Session) Ping() error {
	if s.eio == eio3 {
		return nil
	}
	return s.Queue(pingPacket)
}

// receivePing answers a client's ping, which must have come the right way.
func (s *Session) receivePing(text []byte) error {
	if s.eio == eio4 {
		return fmt.Errorf("%w: heartbeat in the wrong direction", errMalformed)
	}
	s.mu.Lock()
	if !s.ended() {
		s.beatAfter(s.srv.cfg.PingInterval + s.srv.cfg.PingTimeout)
	}
	s.mu.Unlock()
	answer := pongPacket
	if len(text) > 1 { // "a pong packet containing the same data"
		b := append(wsock.Begin(len(text)), text...)
		b[wsock.FrameHeadroom] = packetPong
		answer = &Packet{frame: wsock.Seal(wsock.OpText, b)}
	}
	s.control(answer)
	return nil
}

// beatsWanted says whether the handler is to be told of pings and pongs.
func (s *Session) beatsWanted() bool {
	return s.state.Load() == stateConnected && s.told
}

// receivePong takes the client's answer to a ping. One that the heartbeat does not wait for is counted as a ping is.
func (s *Session) receivePong() error {
	switch {
	case s.eio == eio3:
		return fmt.Errorf("%w: heartbeat in the wrong direction", errMalformed)
	case !s.answered() && !s.mayPing():
	case s.beatsWanted():
		s.srv.beats.Ponged(s)
	}
	return nil
}

// answered sets the timer for the next ping, and reports whether there was one that waited for its answer.
func (s *Session) answered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pinged || s.ended() {
		return false
	}
	s.pinged = false
	s.due = time.Since(s.srv.started) + s.srv.cfg.PingInterval
	s.beatAfter(s.srv.cfg.PingInterval)
	return true
}
