package bus

import (
	"encoding/binary"
	"errors"
)

func (m *Take) fields(c *codec) {
	c.required("gw", &m.Gateway)
	c.uint("seq", &m.Seq)
	c.required("client", &m.Client)
	c.uint("inc", &m.Inc)
	c.uint("received", &m.Received)
	c.str("door", &m.Door)
	c.str("display", &m.Display)
	c.uint("began", &m.Began)
}

func (m *Taken) fields(c *codec) {
	c.uint("seq", &m.Seq)
	c.str("refused", &m.Refused)
	c.str("to", &m.To)
	c.uint("inc", &m.Inc)
	c.uint("commands", &m.Commands)
	c.uint("sent", &m.Sent)
	c.flag("missed", &m.Missed)
	c.str("display", &m.Display)
	list(c, "rooms", &m.Rooms, appendMessage[*TakenRoom], decodeMessage[*TakenRoom])
}

func (m *TakenRoom) fields(c *codec) {
	c.required("room", &m.Room)
	c.str("from", &m.From)
	c.flag("dead", &m.Dead)
	c.flag("known", &m.Known)
	c.stamp("bornEpoch", "bornVer", &m.Born)
	c.strs("clients", &m.Clients)
	c.str("owner", &m.Owner)
	nested(c, "policy", &m.Policy)
}

// Append appends the encoding of m to dst.
func (m *Take) Append(dst []byte) []byte { return appendMessage(dst, m) }

// Decode reads a Take.
func (m *Take) Decode(text []byte) error { return decodeMessage(text, m) }

// Append appends the encoding of m to dst: the length of the JSON in four bytes (big endian), the JSON, then for each frame
// the number of its parts and for each of these its length (uvarint, as all numbers here) and its bytes.
func (m *Taken) Append(dst []byte) []byte {
	at := len(dst)
	dst = appendMessage(append(dst, 0, 0, 0, 0), m)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4)) // #nosec G115 -- a message of the bus is smaller
	for _, f := range m.Frames {
		dst = binary.AppendUvarint(dst, uint64(len(f)))
		for _, part := range f {
			dst = append(binary.AppendUvarint(dst, uint64(len(part))), part...)
		}
	}
	return dst
}

var errTaken = errors.New("bus: a handover that cannot be read")

// Decode reads a Taken. Its frames alias message.
func (m *Taken) Decode(message []byte) error {
	if len(message) < 4 {
		return errTaken
	}
	n := binary.BigEndian.Uint32(message)
	rest := message[4:]
	if uint64(n) > uint64(len(rest)) {
		return errTaken
	}
	if err := decodeMessage(rest[:n], m); err != nil {
		return err
	}
	for rest = rest[n:]; len(rest) > 0; {
		parts, width := binary.Uvarint(rest)
		if width <= 0 || parts > uint64(len(rest)) {
			return errTaken
		}
		rest = rest[width:]
		f := make(Frame, 0, parts)
		for range parts {
			size, width := binary.Uvarint(rest)
			if width <= 0 || size > uint64(len(rest)-width) { // #nosec G115 -- width is at most its length
				return errTaken
			}
			end := width + int(size) // #nosec G115 -- at most len(rest)
			f = append(f, rest[width:end])
			rest = rest[end:]
		}
		m.Frames = append(m.Frames, f)
	}
	return nil
}
