package wsock

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"
	"unicode/utf8"
)

// Bits of a frame's first two bytes (RFC 6455 section 5.2).
const (
	finBit      = 0x80
	reserved    = 0x70
	opBits      = 0x0f
	maskBit     = 0x80
	opContinue  = 0
	maxControl  = 125 // bytes of a control frame's payload
	readChunk   = 4 << 10
	readKeep    = 64 << 10 // larger buffers are left to the collector
	lengthBits  = 0x7f
	length16    = 126
	length64    = 127
	maskLength  = 4
	plainHeader = 2
)

// parser takes apart what a client sends. It can stop anywhere, and goes on when there is more.
type parser struct {
	// message holds the payload so far of a message that did not come in one piece; from a pool.
	message *[]byte
	op      byte   // of the message that is under way, 0 if none is
	fin     bool   // its frame under way is the last one
	key     uint32 // of that frame, turned to where its payload goes on
	left    int64  // of that frame's payload
}

// readBuffers are for messages that do not come in one piece.
var readBuffers = sync.Pool{New: func() any { b := make([]byte, 0, readChunk); return &b }}

// protocolError is what the peer did against the protocol; it is closed with code 1002 for it.
type protocolError string

func (e protocolError) Error() string { return "wsock: " + string(e) }

// header is that of a frame.
type header struct {
	op     byte
	fin    bool
	key    uint32
	length int64
}

// parseHeader reads a client's header, of n bytes; n is 0 as long as it is not whole.
func parseHeader(b []byte) (h header, n int, err error) {
	if len(b) < plainHeader {
		return h, 0, nil
	}
	h.op, h.fin = b[0]&opBits, b[0]&finBit != 0
	length := b[1] & lengthBits
	switch {
	case b[0]&reserved != 0:
		return h, 0, protocolError("reserved bit")
	case h.op > OpBinary && h.op < opClose || h.op > opPong:
		return h, 0, protocolError("unknown opcode")
	case b[1]&maskBit == 0:
		return h, 0, protocolError("not masked")
	case h.op >= opClose && (!h.fin || length > maxControl):
		return h, 0, protocolError("control frame in pieces or too long")
	}
	n = plainHeader + maskLength
	switch length {
	case length16:
		n += 2
	case length64:
		n += 8
	}
	if len(b) < n {
		return h, 0, nil
	}
	switch length {
	case length16:
		h.length = int64(binary.BigEndian.Uint16(b[2:]))
	case length64:
		long := binary.BigEndian.Uint64(b[2:])
		if long > math.MaxInt64 {
			return h, 0, protocolError("length with its highest bit")
		}
		h.length = int64(long) // #nosec G115 -- checked above
	default:
		h.length = int64(length)
	}
	h.key = binary.LittleEndian.Uint32(b[n-maskLength:])
	return h, n, nil
}

// unmask takes the mask off a piece of a payload, and returns the key for the next piece (section 5.3).
func unmask(b []byte, key uint32) uint32 {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key) // #nosec G115 -- its lowest byte
		key = bits.RotateLeft32(key, -8)
	}
	return key
}

// next returns the next message that has arrived whole; ok is false if none has. msg is valid until the next call. Control
// frames on the way are dealt with.
func (c *Conn) next() (op int, msg []byte, ok bool, err error) {
	c.parser.release()
	for {
		if c.parser.left > 0 {
			if !c.parser.piece(&c.in) {
				return 0, nil, false, nil
			}
			c.hear()
		} else {
			h, n, err := parseHeader(c.in.data)
			switch {
			case err != nil:
				return 0, nil, false, err
			case n == 0:
				return 0, nil, false, nil
			case h.op >= opClose:
				if more, err := c.control(&h, n); !more || err != nil {
					return 0, nil, false, err
				}
				continue
			}
			if err := c.parser.admit(&h, c.o.ReadLimit); err != nil {
				return 0, nil, false, err
			}
			if size := int64(n) + h.length; h.fin && c.parser.op == 0 && size <= int64(c.in.capacity()) {
				if int64(len(c.in.data)) < size {
					return 0, nil, false, nil
				}
				c.hear()
				msg = c.in.data[n:size:size]
				unmask(msg, h.key)
				c.in.take(int(size))
				return text(int(h.op), msg)
			}
			c.in.take(n)
			c.parser.begin(&h)
		}
		if op, msg, ok := c.parser.whole(); ok {
			return text(op, msg)
		}
	}
}

// text checks a message.
func text(op int, msg []byte) (int, []byte, bool, error) {
	if op == OpText && !utf8.Valid(msg) {
		return 0, nil, false, errBadText
	}
	return op, msg, true, nil
}

// control deals with a control frame, once it has arrived whole: more is false before.
func (c *Conn) control(h *header, n int) (more bool, err error) {
	size := n + int(h.length)
	if len(c.in.data) < size {
		return false, nil
	}
	payload := c.in.data[n:size]
	unmask(payload, h.key)
	c.in.take(size)
	c.hear()
	switch int(h.op) {
	case opPing:
		if c.sink == nil || c.sink.Ping() {
			_ = c.sendControl(opPong, payload) // a peer whose queue is full gets no pong either
		}
	case opPong:
		if c.sink != nil {
			c.sink.Pong(payload)
		}
	case opClose:
		closed, err := parseClose(payload)
		if err != nil {
			return false, err
		}
		c.peerClose(closed.Code)
		return false, closed
	}
	return true, nil
}

const oneByte = "close code of one byte"

// parseClose reads the payload of a close frame (section 5.5.1).
func parseClose(payload []byte) (*CloseError, error) {
	if len(payload) == 0 {
		return &CloseError{Code: closeNoStatus, ByPeer: true}, nil
	}
	if len(payload) == 1 {
		return nil, protocolError(oneByte)
	}
	code, reason := int(binary.BigEndian.Uint16(payload)), payload[2:]
	if !mayBeSent(code) || !utf8.Valid(reason) {
		return nil, protocolError("close frame")
	}
	return &CloseError{Code: code, Reason: string(reason), ByPeer: true}, nil
}

// mayBeSent says whether a code may stand in a close frame (section 7.4, and the IANA registry).
func mayBeSent(code int) bool {
	switch code {
	case 1004, closeNoStatus, closeAbnormal, 1015:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}

// admit checks whether a data frame may come now (section 5.4), and its length.
func (p *parser) admit(h *header, limit int64) error {
	var had int64
	if p.message != nil {
		had = int64(len(*p.message))
	}
	switch {
	case h.op == opContinue && p.op == 0:
		return protocolError("continuation of nothing")
	case h.op != opContinue && p.op != 0:
		return protocolError("message within a message")
	case h.length > limit-had:
		return errTooBig
	}
	return nil
}

// begin begins a frame of a message that does not come in one piece.
func (p *parser) begin(h *header) {
	if p.op == 0 {
		p.op = h.op
		p.message = readBuffers.Get().(*[]byte)
	}
	p.fin, p.key, p.left = h.fin, h.key, h.length
}

// piece takes what has arrived of the frame under way, false if nothing has.
func (p *parser) piece(in *input) bool {
	n := int(min(p.left, int64(len(in.data))))
	if n == 0 {
		return false
	}
	piece := in.data[:n]
	p.key = unmask(piece, p.key)
	*p.message = append(*p.message, piece...)
	p.left -= int64(n)
	in.take(n)
	return true
}

// whole returns the message once its last frame is complete.
func (p *parser) whole() (op int, msg []byte, ok bool) {
	if p.op == 0 || p.left > 0 || !p.fin {
		return 0, nil, false
	}
	op, p.op, p.fin = int(p.op), 0, false
	return op, *p.message, true
}

// release gives back the buffer of a message that was delivered.
func (p *parser) release() {
	if p.message == nil || p.op != 0 {
		return
	}
	if b := p.message; cap(*b) <= readKeep {
		*b = (*b)[:0]
		readBuffers.Put(b)
	}
	p.message = nil
}
