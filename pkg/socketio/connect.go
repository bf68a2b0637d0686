package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// receiveConnect handles CONNECT. There is one namespace: "/".
func (s *Session) receiveConnect(m *message) error {
	if m.namespace != nil {
		return s.refuseNamespace(m.namespace)
	}
	// Under protocol 4 the client is in "/" by itself; under both it joins once.
	if s.eio == eio3 || s.state.Load() != stateOpening {
		return fmt.Errorf("%w: second connect", errMalformed)
	}
	s.join(m.payload)
	return nil
}

// refuseNamespace answers a CONNECT to a namespace that does not exist, with an object in protocol 5 and a text in
// protocol 4 (socket.io-protocol v5 "Difference between v5 and v4"). Protocol 4 may have a query in the namespace ("0 -
// CONNECT"), which is no part of its name.
func (s *Session) refuseNamespace(name []byte) error {
	if s.eio == eio3 {
		name, _, _ = bytes.Cut(name, []byte{'?'})
		if len(name) == 1 {
			return fmt.Errorf("%w: second connect", errMalformed)
		}
	}
	s.control(s.errorPacket(string(name)+",", &ConnectError{Message: "Invalid namespace"}))
	return nil
}

// errorPacket is CONNECT_ERROR, or ERROR as protocol 4 calls it; prefix is the namespace with its comma, if it is not "/".
func (s *Session) errorPacket(prefix string, e *ConnectError) *Packet {
	message := appendJSON(nil, e.Message)
	switch {
	case s.eio == eio3 && e.Data != nil:
		message = e.Data
	case s.eio == eio3:
	case e.Data != nil:
		message = fmt.Appendf(nil, `{"message":%s,"data":%s}`, message, e.Data)
	default:
		message = fmt.Appendf(nil, `{"message":%s}`, message)
	}
	return newText("44" + prefix + string(message))
}

// join asks the handler and lets the client into the namespace, or tells it why not; it may then try again, within the
// time that it has to connect. The caller holds recv.
func (s *Session) join(auth json.RawMessage) {
	s.mu.Lock()
	if s.state.Load() != stateOpening {
		s.mu.Unlock()
		return
	}
	s.opening.joining = true
	request := s.opening.request
	s.mu.Unlock()
	if len(auth) == 0 {
		auth = nil
	}
	if err := s.srv.handler.Connect(s, auth, request); err != nil {
		s.refuse(err)
		return
	}
	s.joined()
}

// refuse answers for an error of the handler.
func (s *Session) refuse(err error) {
	var public *ConnectError
	if !errors.As(err, &public) {
		s.srv.cfg.Logger.Error("socket.io client refused after an error", slog.Any("error", err))
		public = &ConnectError{Message: "Internal error"}
	}
	s.mu.Lock()
	s.opening.joining, s.opening.early, s.opening.bytes = false, nil, 0
	s.mu.Unlock()
	s.control(s.errorPacket("", public))
}

// joined tells the client that it is connected, then what the handler has sent it meanwhile.
func (s *Session) joined() {
	s.mu.Lock()
	if s.ended() { // while the handler was thinking
		reason := s.reason
		s.mu.Unlock()
		s.srv.handler.Disconnect(s, reason)
		return
	}
	err := s.connected()
	conn := s.conn
	s.mu.Unlock()
	flush(conn)
	if errors.Is(err, ErrQueueFull) {
		s.end(ReasonQueueFull, farewell{how: abrupt})
	}
}

// connected changes the state, and queues CONNECT and what was held back. The caller holds mu.
func (s *Session) connected() error {
	if err := s.queue(s.connectPacket()); err != nil {
		return err
	}
	early := s.opening.early
	s.opening = nil
	s.srv.clock.Stop(&s.limit)
	s.told = s.srv.beats != nil && s.srv.beats.Wants(s)
	s.state.Store(stateConnected)
	s.out.Store(s.conn)
	for _, p := range early {
		if err := s.queue(p); err != nil {
			return err
		}
	}
	return nil
}

// connectPacket is the server's CONNECT, with the id in protocol 5.
func (s *Session) connectPacket() *Packet {
	if s.eio == eio3 {
		return connectPacketV4
	}
	b := appendJSON([]byte(`40{"sid":`), s.id)
	if s.pid != "" {
		b = appendJSON(append(b, `,"pid":`...), s.pid)
	}
	return newText(string(append(b, '}')))
}

// connectPacketV4 is the server's CONNECT in Socket.IO protocol 4.
var connectPacketV4 = newText("40")

// receiveDisconnect handles DISCONNECT. The transport stays open, as the protocol allows (socket.io-protocol v5,
// "Disconnection from a namespace"); closing it is up to the client, within a limit. A client that leaves a namespace
// which it was refused does no harm.
func (s *Session) receiveDisconnect(m *message) error {
	if m.namespace != nil {
		return nil
	}
	s.mu.Lock()
	connected := s.state.Load() == stateConnected
	if connected {
		s.state.Store(stateLeft)
		s.out.Store(nil)
		s.limitAfter(s.srv.cfg.ConnectTimeout)
	}
	ended := s.ended()
	s.mu.Unlock()
	switch {
	case connected:
		s.srv.handler.Disconnect(s, ReasonClientDisconnect)
	case !ended:
		return fmt.Errorf("%w: disconnect without connection", errMalformed)
	}
	return nil
}
