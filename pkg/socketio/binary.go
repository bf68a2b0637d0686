package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// assembly is a binary packet whose attachments are still coming (socket.io-protocol v5, "Packet encoding": the
// attachments follow the packet, in order). Engine.IO packets such as heartbeats may come between, messages may not.
type assembly struct {
	kind    byte
	ack     AckID
	payload []byte
	parts   [][]byte
	size    int
}

// newAssembly begins to collect, or fails when the packet announces more than it may.
func newAssembly(m *message, maxAttachments int) (*assembly, error) {
	if m.attachments > maxAttachments {
		return nil, fmt.Errorf("%w: %d attachments", errMalformed, m.attachments)
	}
	if m.kind == typeBinaryEvent {
		if err := checkPlaceholders(m.payload, m.attachments); err != nil {
			return nil, err
		}
	}
	return &assembly{
		kind:    m.kind,
		ack:     m.ack,
		payload: bytes.Clone(m.payload),
		parts:   make([][]byte, 0, m.attachments),
		size:    len(m.payload),
	}, nil
}

// add takes the next attachment, which the assembly keeps, and reports whether it was the last. The event as a whole,
// attachments included, is held to the limit of one message: else eleven messages' worth of memory would be one event.
func (a *assembly) add(part []byte, limit int64) (done bool, err error) {
	a.size += len(part)
	if int64(a.size) > limit {
		return false, errTooLarge
	}
	a.parts = append(a.parts, part)
	return len(a.parts) == cap(a.parts), nil
}

// checkPlaceholders parses a binary event's payload and makes sure that its placeholders and its attachments belong
// together: every {"_placeholder":true,"num":i} names one of the count attachments, and each attachment is named. Clients
// drop their connection when they meet a placeholder without attachment, so one client could end another's connection.
func checkPlaceholders(payload []byte, count int) error {
	if !json.Valid(payload) {
		return fmt.Errorf("%w: binary event is not JSON", errMalformed)
	}
	scan := placeholderScan{named: make([]bool, count)}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil { // only the end, since the payload is valid
			break
		}
		if !scan.token(token) {
			return fmt.Errorf("%w: placeholder without attachment", errMalformed)
		}
	}
	for _, named := range scan.named {
		if !named {
			return fmt.Errorf("%w: attachment without placeholder", errMalformed)
		}
	}
	return nil
}

// placeholderScan follows the tokens of a JSON text and notes the placeholders.
type placeholderScan struct {
	named  []bool
	levels []scanLevel
}

// scanLevel is one open object or array.
type scanLevel struct {
	object bool
	// key is the member whose value comes next, "" when a key comes next.
	key         string
	keyRead     bool
	placeholder bool
	num         int
}

// token takes the next token and reports whether the text may still be good.
func (s *placeholderScan) token(t json.Token) bool {
	top := s.top()
	switch t {
	case json.Delim('{'), json.Delim('['):
		ok := top.value(t)
		s.levels = append(s.levels, scanLevel{object: t == json.Delim('{'), num: -1})
		return ok
	case json.Delim('}'), json.Delim(']'):
		ok := s.close(top)
		s.levels = s.levels[:len(s.levels)-1]
		return ok
	}
	if top != nil && top.object && !top.keyRead {
		top.key, top.keyRead = t.(string), true
		return true
	}
	return top.value(t)
}

func (s *placeholderScan) top() *scanLevel {
	if len(s.levels) == 0 {
		return nil
	}
	return &s.levels[len(s.levels)-1]
}

// value takes a member's value, or its opening bracket. A "_placeholder" that is not true is refused: no client sends
// it, and clients differ in what they take for a placeholder.
func (l *scanLevel) value(t json.Token) bool {
	if l == nil || !l.object {
		return true
	}
	l.keyRead = false
	switch l.key {
	case "_placeholder":
		l.placeholder = t == true
		return l.placeholder
	case "num":
		l.num = -1
		if n, ok := t.(json.Number); ok {
			if i, err := strconv.Atoi(n.String()); err == nil {
				l.num = i
			}
		}
	}
	return true
}

// close ends an object or array.
func (s *placeholderScan) close(l *scanLevel) bool {
	if !l.placeholder {
		return true
	}
	if l.num < 0 || l.num >= len(s.named) {
		return false
	}
	s.named[l.num] = true
	return true
}
