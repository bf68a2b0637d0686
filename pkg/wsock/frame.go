package wsock

import (
	"encoding/binary"

	"github.com/gorilla/websocket"
)

// Operation codes of frames (RFC 6455 section 5.2).
const (
	OpText   = websocket.TextMessage
	OpBinary = websocket.BinaryMessage
	opClose  = websocket.CloseMessage
	opPing   = websocket.PingMessage
	opPong   = websocket.PongMessage
)

// Of a frame's first byte (section 5.2): its operation code, and that it is the last one of its message.
const (
	opBits = 0x0f
	finBit = 0x80
)

// FrameHeadroom is how many bytes Seal wants free in front of a payload: the longest header of a server's frame.
const FrameHeadroom = 10

// Frame is one whole message as a server sends it: a single unmasked frame, header included (RFC 6455 section 5.2). It is
// not changed once it is made, and may be sent to any number of connections at once. Several frames one behind the other
// may be sent as one Frame too: nothing comes between them.
type Frame []byte

var headroom [FrameHeadroom]byte

// Begin returns a buffer for a payload of about n bytes: append the payload to it, then Seal it.
func Begin(n int) []byte { return append(make([]byte, 0, FrameHeadroom+n), headroom[:]...) }

// Seal turns a buffer of FrameHeadroom unused bytes followed by a payload into a Frame, in place.
func Seal(op int, buf []byte) Frame {
	n := len(buf) - FrameHeadroom
	first := byte(op) | finBit // #nosec G115 -- FIN, and an operation code, which has four bits
	switch {
	case n < 126:
		buf = buf[FrameHeadroom-2:]
		buf[1] = byte(n) // #nosec G115 -- less than 126
	case n < 1<<16:
		buf = buf[FrameHeadroom-4:]
		buf[1] = 126
		binary.BigEndian.PutUint16(buf[2:], uint16(n)) // #nosec G115 -- checked above
	default:
		buf = buf[FrameHeadroom-10:]
		buf[1] = 127
		binary.BigEndian.PutUint64(buf[2:], uint64(n)) // #nosec G115 -- a length
	}
	buf[0] = first
	return buf
}

// TextFrame returns a text frame with a copy of the payload.
func TextFrame(payload []byte) Frame { return Seal(OpText, append(Begin(len(payload)), payload...)) }

// BinaryFrame returns a binary frame with a copy of the payload.
func BinaryFrame(payload []byte) Frame {
	return Seal(OpBinary, append(Begin(len(payload)), payload...))
}

// Payload returns the frame without its header.
func (f Frame) Payload() []byte {
	switch f[1] {
	case 127:
		return f[10:]
	case 126:
		return f[4:]
	}
	return f[2:]
}
