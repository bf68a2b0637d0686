package socketio

import (
	"fmt"
)

// Engine.IO packet types (engine.io-protocol v4 "Protocol", v3 "Encoding, Packet").
const (
	packetClose   = '1'
	packetPing    = '2'
	packetPong    = '3'
	packetMessage = '4'
	packetNoop    = '6'
)

// receive handles one packet of the client, from whichever transport. The caller holds recv, and ends the session when an
// error is returned.
func (s *Session) receive(p packetIn) error {
	if s.ended() {
		return nil // what is still under way does not matter any more
	}
	if p.binary {
		return s.receiveAttachment(p.data)
	}
	switch p.text[0] {
	case packetMessage:
		return s.receiveMessage(p.text[1:])
	case packetPing, packetPong, packetNoop:
		return s.receiveControl(p.text)
	case packetClose:
		return errClientClose
	default: // an open packet, or an upgrade packet where none is due
		return fmt.Errorf("%w: packet type", errMalformed)
	}
}

// receiveControl handles packets of the heartbeat, and those that mean nothing.
func (s *Session) receiveControl(text []byte) error {
	switch {
	case text[0] == packetPong:
		return s.receivePong()
	case s.mayPing() && text[0] == packetPing:
		return s.receivePing(text)
	}
	return nil
}

// receiveMessage handles a Socket.IO packet.
func (s *Session) receiveMessage(b []byte) error {
	m, err := parseMessage(b)
	if err != nil {
		return err
	}
	if s.assembly != nil {
		return fmt.Errorf("%w: message in the place of an attachment", errMalformed)
	}
	switch m.kind {
	case typeConnect:
		return s.receiveConnect(&m)
	case typeDisconnect:
		return s.receiveDisconnect(&m)
	}
	// socket.io-protocol v5, "Connection to a namespace": the server must close when CONNECT does not come first.
	if m.namespace != nil || s.state.Load() != stateConnected {
		return fmt.Errorf("%w: message outside of a namespace", errMalformed)
	}
	switch m.kind {
	case typeEvent:
		return s.deliver(m.ack, m.payload, nil)
	case typeAck:
		s.mayPing() // the server asks for no acknowledgements
		return nil
	}
	return s.receiveBinary(&m)
}

// receiveBinary begins a packet with attachments.
func (s *Session) receiveBinary(m *message) error {
	a, err := newAssembly(m, s.srv.cfg.MaxAttachments)
	if err != nil {
		return err
	}
	if m.attachments == 0 {
		return s.deliverAssembly(a)
	}
	s.assembly = a
	return nil
}

// receiveAttachment takes a binary message, which is good for nothing but an attachment.
func (s *Session) receiveAttachment(data []byte) error {
	a := s.assembly
	if a == nil {
		return fmt.Errorf("%w: attachment of nothing", errMalformed)
	}
	done, err := a.add(data, s.srv.cfg.ReadLimit)
	if err != nil || !done {
		return err
	}
	s.assembly = nil
	return s.deliverAssembly(a)
}

// deliverAssembly delivers a packet that has all of its attachments.
func (s *Session) deliverAssembly(a *assembly) error {
	if a.kind == typeBinaryAck || s.state.Load() != stateConnected {
		return nil // as an acknowledgement without attachments; or the client has left the namespace meanwhile
	}
	return s.deliver(a.ack, a.payload, a.parts)
}

// deliver hands an event to the handler.
func (s *Session) deliver(ack AckID, payload []byte, attachments [][]byte) error {
	if err := s.srv.handler.Event(s, ack, payload, attachments); err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	return nil
}
