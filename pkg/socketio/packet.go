package socketio

import (
	"strconv"
	"sync/atomic"

	"signalling/pkg/wsock"
)

// EventHeadroom is how many bytes SealEvent wants free in front of an event's JSON: the WebSocket frame header and the
// packet types "42".
const EventHeadroom = wsock.FrameHeadroom + len(eventPrefix)

// eventPrefix is Engine.IO message, Socket.IO EVENT.
const eventPrefix = "42"

// Packet is an outgoing event or acknowledgement in its wire form. It is made once and may be sent to any number of
// sessions of both protocols and transports, from any goroutine: the encodings it needs are made once each.
type Packet struct {
	// frame is the packet without its attachments, as a WebSocket text frame. Its payload is also the text that polling
	// sends.
	frame       wsock.Frame
	attachments [][]byte
	// whole holds the frame together with its attachments' frames, one for each protocol since they frame binary
	// differently; nil without attachments. Made on first use: two goroutines may both make one, which is harmless.
	whole *[2]atomic.Pointer[wsock.Frame]
}

// NewEvent makes an event of a JSON array whose first element is the event's name: ["room-joined","r"]. The array must be
// valid JSON, since it is not checked: control characters in it would break the framing of polling. It is copied.
//
// With attachments the event is a binary event: the array holds {"_placeholder":true,"num":i} in the place of
// attachments[i]. The attachments are not copied and must not change any more.
func NewEvent(jsonArray []byte, attachments ...[]byte) *Packet {
	if len(attachments) > 0 {
		return newBinary(typeBinaryEvent, 0, jsonArray, attachments)
	}
	return SealEvent(append(BeginEvent(len(jsonArray)), jsonArray...))
}

var eventHeadroom [EventHeadroom]byte

// BeginEvent returns a buffer for an event of about n bytes: append the JSON array, then call SealEvent.
func BeginEvent(n int) []byte { return append(make([]byte, 0, EventHeadroom+n), eventHeadroom[:]...) }

// SealEvent is NewEvent without a copy and without attachments: buf is EventHeadroom bytes of any content and then the
// JSON array. It belongs to the packet from here on.
func SealEvent(buf []byte) *Packet {
	copy(buf[wsock.FrameHeadroom:], eventPrefix)
	return &Packet{frame: wsock.Seal(wsock.OpText, buf)}
}

// NewAck makes the answer to the event that came with id: jsonArray holds the arguments of the client's callback, and
// attachments are as in NewEvent. It is meant for the session that asked; id must be Wanted.
func NewAck(id AckID, jsonArray []byte, attachments ...[]byte) *Packet {
	if len(attachments) > 0 {
		return newBinary(typeBinaryAck, id, jsonArray, attachments)
	}
	const maxHead = len("43") + 20
	buf := append(wsock.Begin(maxHead+len(jsonArray)), '4', typeAck)
	buf = id.appendTo(buf)
	return &Packet{frame: wsock.Seal(wsock.OpText, append(buf, jsonArray...))}
}

// newBinary makes a packet with attachments: "<type><count>-[ack id][JSON]".
func newBinary(kind byte, id AckID, jsonArray []byte, attachments [][]byte) *Packet {
	const maxHead = len("45-") + 2*20
	buf := append(wsock.Begin(maxHead+len(jsonArray)), '4', kind)
	buf = strconv.AppendInt(buf, int64(len(attachments)), 10)
	buf = append(buf, '-')
	buf = id.appendTo(buf)
	return &Packet{
		frame:       wsock.Seal(wsock.OpText, append(buf, jsonArray...)),
		attachments: attachments,
		whole:       new([2]atomic.Pointer[wsock.Frame]),
	}
}

// newText makes a packet of a whole Engine.IO packet in text form.
func newText(text string) *Packet {
	return &Packet{frame: wsock.TextFrame([]byte(text))}
}

// Packets without content of their own.
var (
	closePacket = newText("1")
	pingPacket  = newText("2")
	pongPacket  = newText("3")
	probeAnswer = newText("3probe")
	noopPacket  = newText("6")
)

// text is the packet as polling sends it, without attachments.
func (p *Packet) text() []byte { return p.frame.Payload() }

// size is what the packet counts for in a polling session's queue, in bytes.
func (p *Packet) size() int {
	n := len(p.frame)
	for _, a := range p.attachments {
		n += len(a)
	}
	return n
}

// wire is the packet as a WebSocket sends it. The frames of a packet with attachments are one piece, because nothing may
// come between them: the client counts on the binary frames that follow the text.
func (p *Packet) wire(eio int) wsock.Frame {
	if p.whole == nil {
		return p.frame
	}
	slot := &p.whole[0]
	if eio == eio3 {
		slot = &p.whole[1]
	}
	if f := slot.Load(); f != nil {
		return *f
	}
	f := p.join(eio)
	slot.Store(&f)
	return f
}

// join puts the frames of a packet with attachments into one piece.
func (p *Packet) join(eio int) wsock.Frame {
	out := make([]byte, 0, p.size()+len(p.attachments)*(wsock.FrameHeadroom+1))
	out = append(out, p.frame...)
	for _, a := range p.attachments {
		if eio == eio3 { // engine.io-protocol v3, "Encoding, Packet": the type is the first byte
			a = append([]byte{messageByteV3}, a...)
		}
		out = append(out, wsock.BinaryFrame(a)...)
	}
	return out
}
