package socketio

import (
	"bytes"
	"errors"
	"fmt"

	"signalling/pkg/wsock"
)

// receiver is a session as the Sink of its WebSocket (engine.io-protocol v4 "Packet encoding, WebSocket", v3 "Transports,
// WebSocket": one packet, one frame).
type receiver Session

// Message implements wsock.Sink.
func (r *receiver) Message(op int, frame []byte) {
	s := (*Session)(r)
	if err := s.receiveFrame(op, frame); err != nil {
		s.fail(err) // the reading goes on until the close is done
	}
}

// Beat implements wsock.Beater for the answer to a ping, unless the handler wants to be told. What that is busy with goes
// first.
func (r *receiver) Beat(text []byte) bool {
	s := (*Session)(r)
	if len(text) != 1 || text[0] != packetPong || s.beatsWanted() {
		return false
	}
	if !s.recv.TryLock() {
		return false
	}
	err := s.receive(packetIn{text: text})
	s.recv.Unlock()
	if err != nil {
		s.fail(err)
	}
	return true
}

// Ping implements wsock.Sink.
func (r *receiver) Ping() bool { return (*Session)(r).framePing() }

// Pong implements wsock.Sink. The heartbeat is Engine.IO's own.
func (*receiver) Pong([]byte) {}

// Idle implements wsock.Sink. It tells the handler that nothing more is at hand.
func (r *receiver) Idle() {
	s := (*Session)(r)
	if s.srv.idler == nil {
		return
	}
	s.recv.Lock()
	defer s.recv.Unlock()
	s.tellIdle()
}

// End implements wsock.Sink. It takes the session out.
func (r *receiver) End(err error) {
	s := (*Session)(r)
	defer s.srv.remove(s)
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	s.end(reasonOfRead(err), farewell{how: ended})
	conn.Finish()
}

// framePing decides about a ping of WebSocket.
func (s *Session) framePing() bool {
	if s.srv.pinger == nil {
		return true
	}
	s.recv.Lock()
	defer s.recv.Unlock()
	return s.mayPing()
}

// mayPing asks a handler that wants to be asked. The caller holds recv.
func (s *Session) mayPing() bool {
	return s.srv.pinger == nil || s.state.Load() != stateConnected || s.srv.pinger.Ping(s)
}

// tellIdle calls Idle of a handler that wants it. The caller holds recv, so that no Disconnect comes first.
func (s *Session) tellIdle() {
	if s.srv.idler != nil && s.state.Load() == stateConnected {
		s.srv.idler.Idle(s)
	}
}

// receiveFrame handles one frame.
func (s *Session) receiveFrame(op int, frame []byte) error {
	p, err := s.packetOfFrame(op, frame)
	if err != nil {
		return err
	}
	s.recv.Lock()
	defer s.recv.Unlock()
	return s.receive(p)
}

// packetOfFrame reads a frame. A client that is set to base64 (forceBase64) sends binary messages in text frames, in the
// same form as in payloads.
func (s *Session) packetOfFrame(op int, frame []byte) (packetIn, error) {
	switch {
	case op == wsock.OpText && len(frame) > 0 && frame[0] != 'b':
		return packetIn{text: frame}, nil
	case op == wsock.OpText && s.eio == eio3:
		return textOrBase64(frame, "b4")
	case op == wsock.OpText:
		return textOrBase64(frame, "b")
	case op == wsock.OpBinary && s.eio == eio3:
		return binaryMessageV3(frame)
	case op == wsock.OpBinary:
		return packetIn{data: bytes.Clone(frame), binary: true}, nil
	}
	return packetIn{}, fmt.Errorf("%w: frame", errMalformed)
}

// reasonOfRead tells from a read error why a WebSocket has ended.
func reasonOfRead(err error) Reason {
	var closed *wsock.CloseError
	if !errors.As(err, &closed) {
		return ReasonTransportError
	}
	switch closed.Code {
	case closeTooLarge:
		return ReasonTooLarge
	case closeProtocol, closeBadText:
		return ReasonParseError
	case closeAbnormal:
		return ReasonTransportError
	}
	return ReasonTransportClose
}
