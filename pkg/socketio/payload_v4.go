package socketio

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

// Payloads of HTTP long-polling in Engine.IO protocol 4, section "Packet encoding, HTTP long-polling": packets joined by
// the record separator, binary messages in base64 behind a 'b'.

// separatorV4 is the record separator between packets.
const separatorV4 = 0x1e

// packetIn is one Engine.IO packet out of a payload or a frame.
type packetIn struct {
	// text is the packet, its type first ("4…"), when binary is false.
	text []byte
	// data is the content of a binary message without any type byte. It is a copy that the receiver may keep.
	data   []byte
	binary bool
}

// decodeV4 hands the packets of body to yield, in order, until one fails. Texts point into body.
func decodeV4(body []byte, yield func(packetIn) error) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("%w: payload is not UTF-8", errMalformed)
	}
	for more := true; more; {
		var one []byte
		one, body, more = bytes.Cut(body, []byte{separatorV4})
		p, err := textOrBase64(one, "b")
		if err != nil {
			return err
		}
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// textOrBase64 reads one packet in text form: base64 behind prefix is a binary message, all else is a text packet. The
// prefix is "b" in protocol 4 and "b4" in protocol 3, which keeps the packet type (message) in front of the data.
func textOrBase64(one []byte, prefix string) (packetIn, error) {
	if len(one) == 0 {
		return packetIn{}, fmt.Errorf("%w: empty packet", errMalformed)
	}
	if one[0] != 'b' {
		return packetIn{text: one}, nil
	}
	coded, ok := bytes.CutPrefix(one, []byte(prefix))
	if !ok {
		return packetIn{}, fmt.Errorf("%w: binary packet that is no message", errMalformed)
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(coded)))
	n, err := base64.StdEncoding.Strict().Decode(data, coded)
	if err != nil {
		return packetIn{}, fmt.Errorf("%w: base64", errMalformed)
	}
	return packetIn{data: data[:n], binary: true}, nil
}

// encodeV4 writes packets as one payload.
func encodeV4(packets []*Packet) []byte {
	size := 0
	for _, p := range packets {
		size += len(p.text()) + 1
		for _, a := range p.attachments {
			size += base64.StdEncoding.EncodedLen(len(a)) + 2
		}
	}
	out := make([]byte, 0, size)
	for i, p := range packets {
		if i > 0 {
			out = append(out, separatorV4)
		}
		out = append(out, p.text()...)
		for _, a := range p.attachments {
			out = append(out, separatorV4, 'b')
			out = base64.StdEncoding.AppendEncode(out, a)
		}
	}
	return out
}
