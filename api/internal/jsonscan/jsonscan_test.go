package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	`{}`, `[]`, `null`, `true`, `false`, `0`, `-0`, `-1.5e+10`, `1E9`, `""`, `"a"`, `[[],{},[{}]]`, `{"a":{"b":[1,2,{"c":null}]}}`,
	` { "event" : "room-join" , "room" : "lobby" } `, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `01`, `1.`, `.5`,
	`-`, `1e`, `1e+`, `tru`, `nul`, `"\u00e9\n\"\\\/\b\f\r\t"`, `"\ud83d\udc69"`, `"\ud800"`, `"\udc00\ud800"`, `"\x"`, `"\u12"`, "\"\n\"",
	`"unterminated`, `[1 2]`, `{"a":1 "b":2}`, `[}`, `{]`, `]`, `}`, `1 2`, `{"a":1}}`, `"日本👩"`, `{"\u0061":1}`, `[1,[2,[3,[4]]]]`, `{"":""}`,
}

func valid(text []byte) bool {
	i, err := Value(text, Space(text, 0))
	return err == nil && Space(text, i) == len(text)
}

func FuzzValueAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if depth(text) >= MaxDepth {
			t.Skip("deeper than we allow and the standard library does")
		}
		if got, want := valid(text), json.Valid(text); got != want {
			t.Fatalf("Value says valid=%v of %q, encoding/json says %v", got, text, want)
		}
		walk(t, text)
	})
}

// walk checks that Object and Array see the same members as the standard library.
func walk(t *testing.T, text []byte) {
	t.Helper()
	var elements []json.RawMessage
	var got [][]byte
	err := Array(text, func(_ int, v []byte) error { got = append(got, v); return nil })
	if trimmed := bytes.TrimLeft(text, " \n\r\t"); len(trimmed) > 0 && trimmed[0] == '[' {
		if wantErr := json.Unmarshal(text, &elements); (err == nil) != (wantErr == nil) {
			t.Fatalf("Array(%q): %v, want error as %v", text, err, wantErr)
		}
		for i := range elements {
			if err == nil && !bytes.Equal(elements[i], got[i]) {
				t.Fatalf("Array(%q)[%d] = %q, want %q", text, i, got[i], elements[i])
			}
		}
	} else if err == nil {
		t.Fatalf("Array accepts %q", text)
	}
	members := map[string]json.RawMessage{}
	seen := map[string][]byte{}
	err = Object(text, func(k, v []byte) error { seen[string(k)] = v; return nil })
	if errors.Is(err, errSurrogate) || !utf8.Valid(text) {
		return // the standard library replaces what we refuse
	}
	if trimmed := bytes.TrimLeft(text, " \n\r\t"); len(trimmed) > 0 && trimmed[0] == '{' {
		if wantErr := json.Unmarshal(text, &members); (err == nil) != (wantErr == nil) {
			t.Fatalf("Object(%q): %v, want error as %v", text, err, wantErr)
		}
		for k := range members {
			if err == nil && !bytes.Equal(members[k], seen[k]) {
				t.Fatalf("Object(%q)[%q] = %q, want %q", text, k, seen[k], members[k])
			}
		}
	} else if err == nil {
		t.Fatalf("Object accepts %q", text)
	}
}

func depth(text []byte) int {
	return bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
}

func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", "a", "a\"b\\c\n\r\t\x00\x1f", "日本👩", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		quoted := AppendString(nil, s)
		var std string
		if err := json.Unmarshal(quoted, &std); err != nil || std != s {
			t.Fatalf("AppendString(%q) = %s, which reads as %q, %v", s, quoted, std, err)
		}
		back, err := Unquote(quoted)
		if err != nil || string(back) != s {
			t.Fatalf("Unquote(%s) = %q, %v", quoted, back, err)
		}
		escaped, _ := json.Marshal(s)
		if back, err = Unquote(escaped); err != nil || string(back) != s {
			t.Fatalf("Unquote(%s) = %q, %v", escaped, back, err)
		}
	})
}

func TestNestingHasALimit(t *testing.T) {
	at := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if !valid([]byte(at)) {
		t.Errorf("%d levels are refused", MaxDepth)
	}
	for _, open := range []string{"[", `{"a":`, `[{"a":`} {
		if _, err := Value([]byte(strings.Repeat(open, 100_000)), 0); !errors.Is(err, errDepth) {
			t.Errorf("100,000 × %q: %v", open, err)
		}
	}
}

func TestLoneSurrogatesAreRefused(t *testing.T) {
	for _, s := range []string{`"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `"\ud800x"`, `"\ud800\n"`} {
		if got, err := Unquote([]byte(s)); !errors.Is(err, errSurrogate) {
			t.Errorf("Unquote(%s) = %q, %v", s, got, err)
		}
		if !valid([]byte(s)) {
			t.Errorf("%s is valid JSON text all the same", s)
		}
	}
}

// Each byte is found, or passed over, at each place among bytes of each kind.
func TestPlainFindsWhatDoesNotStandForItself(t *testing.T) {
	for _, fill := range []byte{'x', ' ', '!', '#', '[', ']', 0x7f, 0x80, 0xa2, 0xdc, 0xff} {
		for at := range 20 {
			for c := range 256 {
				text := bytes.Repeat([]byte{fill}, 24)
				text[at] = byte(c)
				want := len(text)
				if c < 0x20 || c == '"' || c == '\\' {
					want = at
				}
				for from := range at + 1 {
					if got := plain(text, from); got != want {
						t.Fatalf("plain(%q, %d) = %d, want %d", text, from, got, want)
					}
				}
			}
		}
	}
}

func BenchmarkValue(b *testing.B) {
	sdp, _ := json.Marshal(map[string]string{"type": "offer", "sdp": strings.Repeat("a=candidate:1 1 UDP 2130706431 10.0.0.1 8998 typ host\r\n", 70)})
	for name, text := range map[string][]byte{"candidate 60 B": []byte(`{"candidate":"a=candidate:1 1 UDP 1 10.0.0.1 8 typ host"}`), "sdp 4 KB": sdp} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Value(text, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
