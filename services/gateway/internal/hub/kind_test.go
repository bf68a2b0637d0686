package hub

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	sdp := strings.Repeat(`v=0\r\no=- 1 \"quoted\" \\`, 200)
	for data, want := range map[string]signalKind{
		`{"type":"offer","sdp":"` + sdp + `"}`:                             offer,
		`{"sdp":"` + sdp + `","type":"answer"}`:                            answer,
		`{ "sdp" : "v=0" , "type" : "answer" }`:                            answer,
		`{"candidate":"candidate:1 1 udp","sdpMid":"0"}`:                   candidate,
		`{"sdpMid":"0","sdpMLineIndex":0,"candidate":"x"}`:                 candidate,
		`{"type":"candidate","candidate":{"candidate":"x"}}`:               candidate,
		`{"candidate":{"candidate":"x","sdpMid":null}}`:                    candidate,
		`{"description":{"type":"offer","sdp":"v=0"}}`:                     offer,
		`{"a":1,"b":[1,{"type":"offer"}],"description":{"type":"answer"}}`: answer,
		`{"x":{},"y":{"z":1},"n":-1.5e3,"t":true,"type":"offer"}`:          offer,
		`{"candidate":"","sdpMid":"0"}`:                                    noKind, // end of candidates
		`{"candidate":null}`:                                               noKind,
		`{"type":"rollback"}`:                                              noKind,
		`{"a":{"b":{"type":"offer"}}}`:                                     noKind,
		`{"text":"\"type\":\"offer\""}`:                                    noKind,
		`{}`:                                                               noKind,
		`null`:                                                             noKind,
		`"offer"`:                                                          noKind,
		`[{"type":"offer"}]`:                                               noKind,
		``:                                                                 noKind,
		`{"sdp":"` + strings.Repeat("x", maxKindScan) + `","type":"offer"}`: noKind,
	} {
		if got := kindOf([]byte(data)); got != want {
			t.Errorf("%.80s is %d, want %d", data, got, want)
		}
	}
}

// Whatever a client sends, kindOf returns, and finds the type of an object that encoding/json finds.
func FuzzKindOf(f *testing.F) {
	f.Add([]byte(`{"type":"offer","sdp":"v=0\r\n"}`))
	f.Add([]byte(`{"a":[{},"]"],"b":{"type":"x"},"candidate":"c"}`))
	f.Add([]byte(`{"a":1,`))
	f.Add([]byte("\x00\x05{\"a\":"))
	f.Fuzz(func(t *testing.T, data []byte) {
		kind := kindOf(data)
		var lone struct {
			Type *string `json:"type"`
		}
		d := json.NewDecoder(strings.NewReader(string(data)))
		d.DisallowUnknownFields()
		if d.Decode(&lone) == nil && !d.More() && lone.Type != nil && strings.Count(string(data), `"type"`) == 1 &&
			*lone.Type == "offer" && strings.Contains(string(data), `"offer"`) && kind != offer && len(data) < maxKindScan {
			t.Errorf("%q is %d", data, kind)
		}
	})
}

func BenchmarkKindOf(b *testing.B) {
	sdp := strings.Repeat(`a=rtpmap:96 VP8/90000\r\n`, 120)
	for name, data := range map[string]string{
		"type first":  `{"type":"offer","sdp":"` + sdp + `"}`,
		"type behind": `{"sdp":"` + sdp + `","type":"offer"}`,
		"candidate":   `{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host","sdpMid":"0","sdpMLineIndex":0}`,
	} {
		b.Run(name, func(b *testing.B) {
			signal := []byte(data)
			b.ReportAllocs()
			for b.Loop() {
				kindOf(signal)
			}
		})
	}
}
