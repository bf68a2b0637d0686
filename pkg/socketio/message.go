package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// Socket.IO packet types, socket.io-protocol v5 "Exchange protocol" and v4 "Packet types". Type 4 is called ERROR in v4.
const (
	typeConnect      = '0'
	typeDisconnect   = '1'
	typeEvent        = '2'
	typeAck          = '3'
	typeConnectError = '4'
	typeBinaryEvent  = '5'
	typeBinaryAck    = '6'
)

// maxCountDigits bounds the digits of an attachment count.
const maxCountDigits = 4

// message is one Socket.IO packet as it came in, its parts pointing into the packet's bytes.
type message struct {
	kind byte
	// attachments is the count of a binary packet, 0 for the other types.
	attachments int
	// namespace is nil for "/".
	namespace []byte
	ack       AckID
	payload   []byte
}

// parseMessage splits "<type>[<n>-][/namespace,][ack id][JSON]" (socket.io-protocol v4 and v5, "Packet encoding, Format").
// It checks all that concerns framing, and of the JSON only what checkEvent and its kin say.
func parseMessage(b []byte) (message, error) {
	if len(b) == 0 {
		return message{}, fmt.Errorf("%w: message without type", errMalformed)
	}
	m := message{kind: b[0]}
	rest := b[1:]
	var err error
	if m.kind == typeBinaryEvent || m.kind == typeBinaryAck {
		if m.attachments, rest, err = cutCount(rest); err != nil {
			return message{}, err
		}
	}
	m.namespace, rest = cutNamespace(rest)
	if m.ack, rest, err = cutAckID(rest); err != nil {
		return message{}, err
	}
	m.payload = rest
	if err := m.check(); err != nil {
		return message{}, err
	}
	return m, nil
}

// check is what each type demands of its parts.
func (m *message) check() error {
	switch m.kind {
	case typeEvent, typeBinaryEvent:
		return checkEvent(m.payload)
	case typeAck, typeBinaryAck:
		if !m.ack.Wanted() || !bracketed(m.payload) {
			return fmt.Errorf("%w: acknowledgement", errMalformed)
		}
	case typeConnect:
		if m.ack.Wanted() || (len(m.payload) > 0 && (m.payload[0] != '{' || !json.Valid(m.payload))) {
			return fmt.Errorf("%w: connect", errMalformed)
		}
	case typeDisconnect:
		if m.ack.Wanted() || len(m.payload) > 0 {
			return fmt.Errorf("%w: disconnect", errMalformed)
		}
	default: // also CONNECT_ERROR, which only servers send
		return fmt.Errorf("%w: message type", errMalformed)
	}
	return nil
}

// cutCount reads "<n>-".
func cutCount(b []byte) (n int, rest []byte, err error) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9' && i < maxCountDigits:
			n = n*10 + int(c-'0')
		case c == '-' && i > 0:
			return n, b[i+1:], nil
		default:
			return 0, nil, fmt.Errorf("%w: attachment count", errMalformed)
		}
	}
	return 0, nil, fmt.Errorf("%w: attachment count without end", errMalformed)
}

// cutNamespace reads "/name," or, with nothing behind it, "/name". The main namespace is nil, written out or not.
func cutNamespace(b []byte) (namespace, rest []byte) {
	if len(b) == 0 || b[0] != '/' {
		return nil, b
	}
	namespace, rest, _ = bytes.Cut(b, []byte{','})
	if len(namespace) == 1 {
		namespace = nil
	}
	return namespace, rest
}

// cutAckID reads the digits in front of the payload, if there are any.
func cutAckID(b []byte) (AckID, []byte, error) {
	var n uint64
	for i, c := range b {
		if c < '0' || c > '9' {
			if i == 0 {
				return 0, b, nil
			}
			return AckID(n + 1), b[i:], nil
		}
		d := uint64(c - '0')
		if n > (math.MaxUint64-1-d)/10 {
			return 0, nil, fmt.Errorf("%w: acknowledgement id is too large", errMalformed)
		}
		n = n*10 + d
	}
	if len(b) == 0 {
		return 0, b, nil
	}
	return AckID(n + 1), nil, nil
}

// checkEvent looks at an event's payload as far as this package answers for it: an array, its first element a string that
// is no reserved name (socket.io-protocol v5, "Sending and receiving data": a non-empty array). Whether all of it is JSON
// is for the handler to find out.
func checkEvent(payload []byte) error {
	if !bracketed(payload) {
		return fmt.Errorf("%w: event payload is no array", errMalformed)
	}
	rest := bytes.TrimLeft(payload[1:], " \t\r\n")
	if len(rest) == 0 || rest[0] != '"' {
		return fmt.Errorf("%w: event without name", errMalformed)
	}
	rest = rest[1:]
	for i, c := range rest {
		switch c {
		case '\\':
			return checkEscapedName(rest)
		case '"':
			if reserved(string(rest[:i])) {
				return fmt.Errorf("%w: reserved event name", errMalformed)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: event name without end", errMalformed)
}

// checkEscapedName is checkEvent for names that are written with escapes; rest begins behind the opening quote.
func checkEscapedName(rest []byte) error {
	end := 0
	for end < len(rest) && rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(rest) {
		return fmt.Errorf("%w: event name without end", errMalformed)
	}
	quoted := append(append([]byte{'"'}, rest[:end]...), '"')
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil || reserved(name) {
		return fmt.Errorf("%w: event name", errMalformed)
	}
	return nil
}

// bracketed reports whether b begins and ends as an array does.
func bracketed(b []byte) bool {
	return len(b) >= 2 && b[0] == '[' && b[len(b)-1] == ']'
}

// reserved names belong to the libraries of both sides, which refuse them as event names.
func reserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}
