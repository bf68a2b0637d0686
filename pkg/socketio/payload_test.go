package socketio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// decoder is one of the three payload decoders.
type decoder func([]byte, func(packetIn) error) error

// collect decodes a payload into one string for each packet: texts as they are, binary messages behind "bin:".
func collect(decode decoder, body string) ([]string, error) {
	var got []string
	err := decode([]byte(body), func(p packetIn) error {
		if p.binary {
			got = append(got, "bin:"+string(p.data))
		} else {
			got = append(got, string(p.text))
		}
		return nil
	})
	return got, err
}

func TestPayloadsAreDecoded(t *testing.T) {
	cases := []struct {
		name   string
		decode decoder
		body   string
		want   []string
	}{
		{"4: one packet", decodeV4, "4hello", []string{"4hello"}},
		{"4: several packets", decodeV4, "4hello\x1e2\x1e4world", []string{"4hello", "2", "4world"}},
		{"4: the specification's binary example", decodeV4, "4hello\x1ebAQIDBA==", []string{"4hello", "bin:\x01\x02\x03\x04"}},
		{"4: an empty attachment", decodeV4, "b", []string{"bin:"}},
		{"4: characters of every UTF-8 length", decodeV4, "4aé日👩\x1e3", []string{"4aé日👩", "3"}},
		{"3: one packet", decodeTextV3, "6:4hello", []string{"4hello"}},
		{"3: the specification's text example", decodeTextV3, "6:4hello2:4€", []string{"4hello", "4€"}},
		{"3: the specification's base64 example", decodeTextV3, "2:4€10:b4AQIDBA==", []string{"4€", "bin:\x01\x02\x03\x04"}},
		{"3: one UTF-16 unit a character of the basic plane", decodeTextV3, "3:4日本1:2", []string{"4日本", "2"}},
		{"3: two UTF-16 units a character beyond", decodeTextV3, "4:4👩x1:2", []string{"4👩x", "2"}},
		{"3: a payload without packets", decodeTextV3, "0:", nil},
		{
			"3: binary form, the specification's example", decodeBinaryV3,
			"\x00\x04\xff4\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04",
			[]string{"4€", "bin:\x01\x02\x03\x04"},
		},
		{"3: binary form, length of two digits", decodeBinaryV3, "\x00\x01\x02\xff4hello world", []string{"4hello world"}},
		{"3: binary form with base64 inside", decodeBinaryV3, "\x00\x06\xffb4AQID", []string{"bin:\x01\x02\x03"}},
		{"3: binary form, an empty attachment", decodeBinaryV3, "\x01\x01\xff\x04", []string{"bin:"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := collect(c.decode, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMalformedPayloadsAreRefused(t *testing.T) {
	cases := []struct {
		name   string
		decode decoder
		body   string
	}{
		{"4: empty", decodeV4, ""},
		{"4: empty packet at the end", decodeV4, "4a\x1e"},
		{"4: empty packet at the start", decodeV4, "\x1e4a"},
		{"4: not UTF-8", decodeV4, "4\xff"},
		{"4: half a character", decodeV4, "4\xe6\x97"},
		{"4: base64 with a foreign character", decodeV4, "bAQ!D"},
		{"4: base64 without padding", decodeV4, "bAQIDBA"},
		{"4: base64 with bits left over", decodeV4, "bAR=="},
		{"3: empty", decodeTextV3, ""},
		{"3: no length", decodeTextV3, ":4a"},
		{"3: no colon", decodeTextV3, "12"},
		{"3: length is no number", decodeTextV3, "x:4a"},
		{"3: negative length", decodeTextV3, "-1:4a"},
		{"3: longer than the body", decodeTextV3, "3:4a"},
		{"3: bytes counted in place of UTF-16 units", decodeTextV3, "4:4日"},
		{"3: half of a surrogate pair", decodeTextV3, "2:4👩"},
		{"3: shorter than the packet", decodeTextV3, "1:4a"},
		{"3: length beyond all bodies", decodeTextV3, "9999999999:4a"},
		{"3: base64 that is no message", decodeTextV3, "7:b2AQIDBA"},
		{"3: not UTF-8", decodeTextV3, "2:4\xff"},
		{"3: binary form, empty", decodeBinaryV3, ""},
		{"3: binary form, unknown mark", decodeBinaryV3, "\x02\x01\xff4"},
		{"3: binary form, no length", decodeBinaryV3, "\x00\xff4"},
		{"3: binary form, length without end", decodeBinaryV3, "\x00\x01"},
		{"3: binary form, length that is no digit", decodeBinaryV3, "\x00\x0a\xff4"},
		{"3: binary form, length zero", decodeBinaryV3, "\x00\x00\xff"},
		{"3: binary form, longer than the body", decodeBinaryV3, "\x00\x02\xff4"},
		{"3: binary form, length beyond all bodies", decodeBinaryV3, "\x00" + strings.Repeat("\x09", 10) + "\xff4"},
		{"3: binary form, text that is not UTF-8", decodeBinaryV3, "\x00\x02\xff4\xff"},
		{"3: binary form, binary packet that is no message", decodeBinaryV3, "\x01\x02\xff\x02a"},
		{"3: binary form in text", decodeTextV3, "\x00\x01\xff4"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := collect(c.decode, c.body)
			if !errors.Is(err, errMalformed) {
				t.Errorf("decoded to %q, %v", got, err)
			}
		})
	}
}

// What a callback refuses ends the decoding at once.
func TestDecodingEndsWithTheFirstError(t *testing.T) {
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		decode decoder
		body   string
	}{
		"4":           {decodeV4, "4a\x1e4b"},
		"3 text":      {decodeTextV3, "2:4a2:4b"},
		"3 as binary": {decodeBinaryV3, "\x00\x02\xff4a\x00\x02\xff4b"},
	} {
		calls := 0
		err := c.decode([]byte(c.body), func(packetIn) error { calls++; return stop })
		if !errors.Is(err, stop) || calls != 1 {
			t.Errorf("%s: %d calls, %v", name, calls, err)
		}
	}
}

func TestPayloadsAreEncoded(t *testing.T) {
	plain := []*Packet{NewEvent([]byte(`["日","👩"]`)), pingPacket}
	mixed := []*Packet{newText("4€"), NewEvent([]byte(`["a",{"_placeholder":true,"num":0}]`), []byte{1, 2, 3, 4}), noopPacket}
	header := `451-["a",{"_placeholder":true,"num":0}]`
	if got, want := string(encodeV4(plain)), `42["日","👩"]`+"\x1e2"; got != want {
		t.Errorf("4: %q, want %q", got, want)
	}
	if got, want := string(encodeV4(mixed)), "4€\x1e"+header+"\x1ebAQIDBA==\x1e6"; got != want {
		t.Errorf("4 with attachment: %q, want %q", got, want)
	}
	for _, b64 := range []bool{false, true} {
		got, binary := encodeV3(plain, b64)
		if want := `12:42["日","👩"]` + "1:2"; string(got) != want || binary {
			t.Errorf("3: %q, binary %v, want %q", got, binary, want)
		}
	}
	got, binary := encodeV3(mixed, true)
	if want := "2:4€39:" + header + "10:b4AQIDBA==1:6"; string(got) != want || binary {
		t.Errorf("3 in base64: %q, binary %v, want %q", got, binary, want)
	}
	got, binary = encodeV3(mixed, false)
	want := "\x00\x04\xff4€\x00\x03\x09\xff" + header + "\x01\x05\xff\x04\x01\x02\x03\x04\x00\x01\xff6"
	if string(got) != want || !binary {
		t.Errorf("3 as binary: %q, binary %v, want %q", got, binary, want)
	}
}

// The buffers of the encoders are made large enough at once.
func TestEncodersAllocateOnce(t *testing.T) {
	packets := []*Packet{NewEvent([]byte(`["a"]`), bytes.Repeat([]byte{1}, 1000)), pongPacket}
	for name, encode := range map[string]func(){
		"4":           func() { encodeV4(packets) },
		"3 text":      func() { encodeTextV3(packets) },
		"3 as binary": func() { encodeBinaryV3(packets) },
	} {
		if n := testing.AllocsPerRun(100, encode); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestLengthsInUTF16Units(t *testing.T) {
	for _, text := range []string{"", "a", "é", "日", "👩", "a👩é日b", "\U0010ffff", "\u007f\u0080\u07ff\u0800\uffff\U00010000"} {
		units := len(utf16.Encode([]rune(text)))
		if got := utf16Len([]byte(text)); got != units {
			t.Errorf("%q: %d units, want %d", text, got, units)
		}
		if n, ok := bytesOfUTF16([]byte(text+"tail"), units); !ok || n != len(text) {
			t.Errorf("%q: %d units are %d bytes, %v", text, units, n, ok)
		}
	}
}

// checkTexts holds the decoder to what the next layer relies on, and returns the packets for encoding.
func checkTexts(t *testing.T, decode decoder, body []byte) ([]*Packet, bool) {
	t.Helper()
	var packets []*Packet
	err := decode(body, func(p packetIn) error {
		if p.binary {
			packets = append(packets, &Packet{frame: newText("4").frame, attachments: [][]byte{p.data}})
			return nil
		}
		if len(p.text) == 0 {
			t.Fatal("empty packet")
		}
		packets = append(packets, newText(string(p.text)))
		return nil
	})
	if err != nil && !errors.Is(err, errMalformed) {
		t.Fatalf("error of no kind: %v", err)
	}
	return packets, err == nil
}

func texts(packets []*Packet) []string {
	var all []string
	for _, p := range packets {
		all = append(all, string(p.text()))
		for _, a := range p.attachments {
			all = append(all, "b"+base64.StdEncoding.EncodeToString(a))
		}
	}
	return all
}

// fuzzRound decodes, encodes what came out and decodes that: both must hold the same packets.
func fuzzRound(f *testing.F, decode decoder, encode func([]*Packet) ([]byte, decoder)) {
	f.Fuzz(func(t *testing.T, body []byte) {
		packets, ok := checkTexts(t, decode, bytes.Clone(body))
		if !ok || len(packets) == 0 {
			return
		}
		coded, again := encode(packets)
		got, err := collect(again, string(coded))
		if err != nil {
			t.Fatalf("%q was decoded, but not its encoding %q: %v", body, coded, err)
		}
		want := []string{}
		for _, one := range texts(packets) {
			if one[0] == 'b' {
				data, _ := base64.StdEncoding.DecodeString(one[1:])
				one = "bin:" + string(data)
			}
			want = append(want, one)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzPayloadV4(f *testing.F) {
	for _, seed := range []string{ // the first ones are of client 4.8.4
		`451-["echo",{"_placeholder":true,"num":0}]` + "\x1ebAAH/", `40{"token":"x"}`, "41\x1e1",
		"4hello\x1e2\x1e4world", "4hello\x1ebAQIDBA==", "40", `42["a","日👩"]` + "\x1e3", "b", "\x1e",
	} {
		f.Add([]byte(seed))
	}
	fuzzRound(f, decodeV4, func(p []*Packet) ([]byte, decoder) { return encodeV4(p), decodeV4 })
}

func FuzzPayloadTextV3(f *testing.F) {
	for _, seed := range []string{ // the first ones are of client 2.5.0
		`66:42["echo","日本語","👩‍👩‍👧","é","\u2028\u2029\u0000\u001e\u001f\"\\/","�",""]`,
		`43:451-0["echo",{"_placeholder":true,"num":0}]6:b4AAH/`, "2:41", "1:1",
		"6:4hello2:4€", "2:4€10:b4AQIDBA==", "3:4👩1:2", "0:", "1:1", "99:4",
	} {
		f.Add([]byte(seed))
	}
	fuzzRound(f, decodeTextV3, func(p []*Packet) ([]byte, decoder) { return encodeTextV3(p), decodeTextV3 })
}

func FuzzPayloadBinaryV3(f *testing.F) {
	for _, seed := range []string{
		"\x00\x04\xff4\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04", "\x00\x06\xffb4AQID",
		"\x01\x01\xff\x04", "\x00\x01\x02\xff4hello world",
	} {
		f.Add([]byte(seed))
	}
	fuzzRound(f, decodeBinaryV3, func(p []*Packet) ([]byte, decoder) { return encodeBinaryV3(p), decodeBinaryV3 })
}
