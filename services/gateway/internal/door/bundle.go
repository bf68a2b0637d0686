package door

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"signalling/api/client"
)

// A signal of a Socket.IO client may hold binary data: the JSON text has placeholders, and the attachments follow it
// (socket.io-protocol v5, "Sending and receiving binary"). Between the doors both travel as one opaque value, a bundle:
//
//	0x00, length of the text (uvarint), text, then for each attachment its length (uvarint) and its bytes
//
// No JSON text begins with 0x00, so a bundle cannot be mistaken for one.
const bundleMark = 0

// withAttachments makes the command's data a bundle. Only a signal's data can hold attachments.
func withAttachments(cmd *client.Command, payload []byte, attachments [][]byte) error {
	var args []json.RawMessage
	if err := json.Unmarshal(payload, &args); err != nil || cmd.Op != client.SignalSend || len(args) > 4 {
		return &client.Error{Code: client.BadRequest, Message: "binary data is taken in the data of signal-send only"}
	}
	size := len(cmd.Data) + binary.MaxVarintLen32*(len(attachments)+1) + 1
	for _, a := range attachments {
		size += len(a)
	}
	b := append(make([]byte, 0, size), bundleMark)
	b = append(binary.AppendUvarint(b, uint64(len(cmd.Data))), cmd.Data...)
	for _, a := range attachments {
		b = append(binary.AppendUvarint(b, uint64(len(a))), a...)
	}
	cmd.Data = b
	return nil
}

// unbundle takes a bundle apart; ok is false for plain JSON. The results are copies.
func unbundle(data []byte) (text []byte, attachments [][]byte, ok bool) {
	if len(data) == 0 || data[0] != bundleMark {
		return nil, nil, false
	}
	rest := bytes.Clone(data[1:])
	for first := true; len(rest) > 0; first = false {
		n, width := binary.Uvarint(rest)
		if width <= 0 || n > uint64(len(rest)-width) { // #nosec G115 -- width bytes were read
			return []byte("null"), nil, true // no door makes such a bundle
		}
		part := rest[width : width+int(n)] // #nosec G115 -- at most len(rest)
		if first {
			text = part
		} else {
			attachments = append(attachments, part)
		}
		rest = rest[width+len(part):]
	}
	return text, attachments, true
}

// inline returns a signal's data for a client that takes JSON only: each placeholder gets its attachment's bytes as a
// member "base64" (RFC 4648 section 4).
func inline(data []byte) []byte {
	text, attachments, ok := unbundle(data)
	if !ok {
		return data
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return []byte("null")
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(fill(value, attachments)); err != nil {
		return []byte("null")
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

func fill(value any, attachments [][]byte) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = fill(v[i], attachments)
		}
	case map[string]any:
		if n, ok := placeholder(v); ok && n < len(attachments) {
			v["base64"] = base64.StdEncoding.EncodeToString(attachments[n])
			return v
		}
		for k := range v {
			v[k] = fill(v[k], attachments)
		}
	}
	return value
}

func placeholder(v map[string]any) (int, bool) {
	if v["_placeholder"] != true {
		return 0, false
	}
	num, _ := v["num"].(json.Number)
	n, err := strconv.Atoi(num.String())
	return n, err == nil && n >= 0
}
