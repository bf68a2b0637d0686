package socketio

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Payloads of polling in Engine.IO protocol 3, section "Encoding, Payload". The text form counts the characters of each
// packet as JavaScript does, in UTF-16 units; the binary form counts bytes.

// maxLengthDigits bounds a length's digits: no body is near 10^9 bytes.
const maxLengthDigits = 9

// Markers of the binary form.
const (
	markTextV3   = 0x00
	markBinaryV3 = 0x01
	endLengthV3  = 0xff
)

// messageByteV3 is the packet type "message" as the first byte of a binary packet of protocol 3 ("Encoding, Packet").
const messageByteV3 = 0x04

// decodeTextV3 hands the packets of "<length>:<packet>…" to yield, in order, until one fails. Texts point into body.
func decodeTextV3(body []byte, yield func(packetIn) error) error {
	if len(body) == 0 || !utf8.Valid(body) {
		return fmt.Errorf("%w: payload is empty or not UTF-8", errMalformed)
	}
	for len(body) > 0 {
		units, head, err := lengthV3(body)
		if err != nil {
			return err
		}
		body = body[head:]
		size, ok := bytesOfUTF16(body, units)
		if !ok {
			return fmt.Errorf("%w: payload is shorter than its length says", errMalformed)
		}
		if size > 0 { // "0:" is how the JavaScript encoder writes a payload without packets
			p, err := textOrBase64(body[:size], "b4")
			if err != nil {
				return err
			}
			if err := yield(p); err != nil {
				return err
			}
		}
		body = body[size:]
	}
	return nil
}

// lengthV3 reads "<digits>:" and returns the number and the bytes read.
func lengthV3(b []byte) (n, read int, err error) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9' && i < maxLengthDigits:
			n = n*10 + int(c-'0')
		case c == ':' && i > 0:
			return n, i + 1, nil
		default:
			return 0, 0, fmt.Errorf("%w: packet length", errMalformed)
		}
	}
	return 0, 0, fmt.Errorf("%w: packet length without end", errMalformed)
}

// decodeBinaryV3 hands the packets of the binary form to yield, in order, until one fails. Texts point into body.
func decodeBinaryV3(body []byte, yield func(packetIn) error) error {
	if len(body) == 0 {
		return fmt.Errorf("%w: empty payload", errMalformed)
	}
	for len(body) > 0 {
		mark := body[0]
		size, head, err := binaryLengthV3(body[1:])
		if err != nil {
			return err
		}
		body = body[1+head:]
		if size == 0 || size > len(body) {
			return fmt.Errorf("%w: payload is shorter than its length says", errMalformed)
		}
		p, err := binaryPacketV3(mark, body[:size])
		if err != nil {
			return err
		}
		if err := yield(p); err != nil {
			return err
		}
		body = body[size:]
	}
	return nil
}

// binaryLengthV3 reads digits, each a byte 0 to 9, up to the byte 255.
func binaryLengthV3(b []byte) (n, read int, err error) {
	for i, c := range b {
		switch {
		case c <= 9 && i < maxLengthDigits:
			n = n*10 + int(c)
		case c == endLengthV3 && i > 0:
			return n, i + 1, nil
		default:
			return 0, 0, fmt.Errorf("%w: packet length", errMalformed)
		}
	}
	return 0, 0, fmt.Errorf("%w: packet length without end", errMalformed)
}

// binaryPacketV3 reads one packet of the binary form.
func binaryPacketV3(mark byte, content []byte) (packetIn, error) {
	switch mark {
	case markTextV3:
		if !utf8.Valid(content) {
			return packetIn{}, fmt.Errorf("%w: text is not UTF-8", errMalformed)
		}
		return textOrBase64(content, "b4")
	case markBinaryV3:
		return binaryMessageV3(content)
	default:
		return packetIn{}, fmt.Errorf("%w: packet is neither text nor binary", errMalformed)
	}
}

// binaryMessageV3 takes the type byte off a binary packet and copies the rest.
func binaryMessageV3(content []byte) (packetIn, error) {
	if len(content) == 0 || content[0] != messageByteV3 {
		return packetIn{}, fmt.Errorf("%w: binary packet that is no message", errMalformed)
	}
	return packetIn{data: append([]byte{}, content[1:]...), binary: true}, nil
}

// encodeV3 writes packets as one payload. With b64 true, or when nothing is binary, it is the text form; otherwise the
// whole payload takes the binary form, which the second result says.
func encodeV3(packets []*Packet, b64 bool) (payload []byte, binary bool) {
	if !b64 && anyBinary(packets) {
		return encodeBinaryV3(packets), true
	}
	return encodeTextV3(packets), false
}

func anyBinary(packets []*Packet) bool {
	for _, p := range packets {
		if len(p.attachments) > 0 {
			return true
		}
	}
	return false
}

func encodeTextV3(packets []*Packet) []byte {
	out := make([]byte, 0, sizeOf(packets, base64.StdEncoding.EncodedLen))
	for _, p := range packets {
		text := p.text()
		out = strconv.AppendInt(out, int64(utf16Len(text)), 10)
		out = append(out, ':')
		out = append(out, text...)
		for _, a := range p.attachments {
			out = strconv.AppendInt(out, int64(base64.StdEncoding.EncodedLen(len(a))+len("b4")), 10)
			out = append(out, ":b4"...)
			out = base64.StdEncoding.AppendEncode(out, a)
		}
	}
	return out
}

func encodeBinaryV3(packets []*Packet) []byte {
	out := make([]byte, 0, sizeOf(packets, func(n int) int { return n }))
	for _, p := range packets {
		text := p.text()
		out = appendHeadV3(out, markTextV3, len(text))
		out = append(out, text...)
		for _, a := range p.attachments {
			out = appendHeadV3(out, markBinaryV3, len(a)+1)
			out = append(out, messageByteV3)
			out = append(out, a...)
		}
	}
	return out
}

// appendHeadV3 writes a packet's mark and length in the binary form.
func appendHeadV3(out []byte, mark byte, length int) []byte {
	out = append(out, mark)
	from := len(out)
	out = strconv.AppendInt(out, int64(length), 10)
	for i := from; i < len(out); i++ {
		out[i] -= '0'
	}
	return append(out, endLengthV3)
}

// sizeOf is an upper bound of a payload's size when an attachment of n bytes takes coded(n).
func sizeOf(packets []*Packet, coded func(int) int) int {
	const head = maxLengthDigits + 3
	size := 0
	for _, p := range packets {
		size += len(p.text()) + head
		for _, a := range p.attachments {
			size += coded(len(a)) + head
		}
	}
	return size
}

// utf16Len is the length of valid UTF-8 in UTF-16 units: one for each character, two outside the basic plane.
func utf16Len(b []byte) int {
	n := 0
	for _, c := range b {
		if c&0xc0 != 0x80 { // not a continuation byte
			n++
		}
		if c >= 0xf0 { // first of four bytes: a surrogate pair
			n++
		}
	}
	return n
}

// bytesOfUTF16 is how many bytes of valid UTF-8 hold the given number of UTF-16 units. It fails when b is shorter, or when
// the last unit would be half of a surrogate pair.
func bytesOfUTF16(b []byte, units int) (int, bool) {
	i := 0
	for units > 0 && i < len(b) {
		switch c := b[i]; {
		case c < 0x80:
			i++
		case c < 0xe0:
			i += 2
		case c < 0xf0:
			i += 3
		default:
			i += 4
			units--
		}
		units--
	}
	return i, units == 0
}
