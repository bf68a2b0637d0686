package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"signalling/services/e2e/labtest"
)

// Rule 9: bad input gets error and changes nothing: an unknown event, a missing, empty, over-long or wrongly typed
// argument, JSON that does not parse. message is for people and never carries internals.

// badInput are frames by what is wrong with them. R stands for a room that the client is in, T for another member of it.
var badInput = map[string][]string{
	"unknown event": {
		`{"event":"room-destroy","room":"R"}`, `{"event":"","room":"R"}`, `{"event":"Room-Leave","room":"R"}`,
		`{"event":"room-leave ","room":"R"}`, `{"event":"room-created","room":"R"}`, `{"event":"welcome"}`,
		`{"event":"\ud800","room":"R"}`, `{"event":"` + strings.Repeat("x", 10_000) + `","room":"R"}`,
	},
	"missing argument": {
		`{}`, `{"room":"R"}`, `{"event":"room-create"}`, `{"event":"room-join"}`, `{"event":"room-leave"}`,
		`{"event":"signal-send"}`, `{"event":"signal-send","room":"R"}`, `{"event":"signal-send","targetId":"T","data":1}`,
		`{"event":"signal-send","room":"R","data":1}`, `{"event":"room-leave","Room":"R"}`,
	},
	"empty argument": {
		`{"event":"room-create","room":""}`, `{"event":"room-join","room":""}`, `{"event":"room-leave","room":""}`,
		`{"event":"signal-send","room":"","targetId":"T"}`, `{"event":"signal-send","room":"R","targetId":""}`,
	},
	"over-long argument": {
		`{"event":"room-create","room":"` + strings.Repeat("x", 257) + `"}`,
		`{"event":"signal-send","room":"R","targetId":"` + strings.Repeat("x", 41) + `"}`,
		`{"event":"signal-send","room":"R","targetId":"` + strings.Repeat(`\u0041`, 41) + `"}`,
	},
	"wrongly typed argument": {
		`{"event":1,"room":"R"}`, `{"event":null,"room":"R"}`, `{"event":["room-leave"],"room":"R"}`,
		`{"event":"room-leave","room":1}`, `{"event":"room-leave","room":null}`, `{"event":"room-leave","room":true}`,
		`{"event":"room-leave","room":["R"]}`, `{"event":"room-leave","room":{"name":"R"}}`,
		`{"event":"signal-send","room":"R","targetId":1}`, `{"event":"signal-send","room":"R","targetId":["T"]}`,
		`{"event":"signal-send","room":"R","targetId":null}`,
	},
	"name that is not UTF-8 once unescaped": {
		`{"event":"room-create","room":"\ud800"}`, `{"event":"room-create","room":"a\udc00b"}`,
		`{"event":"room-create","room":"\ud800\ud800"}`, `{"event":"signal-send","room":"R","targetId":"\udfff"}`,
	},
	"field given twice": {
		`{"event":"room-leave","event":"room-leave","room":"R"}`, `{"event":"room-leave","room":"R","room":"R"}`,
		`{"event":"room-leave","room":"R","r\u006fom":"other"}`, `{"event":"room-leave","id":1,"room":"R","id":2}`,
		`{"event":"signal-send","room":"R","targetId":"T","targetId":"T"}`,
		`{"event":"signal-send","room":"R","targetId":"T","data":1,"data":2}`,
	},
	"id that is neither string nor number": {
		`{"event":"room-leave","id":null,"room":"R"}`, `{"event":"room-leave","id":true,"room":"R"}`,
		`{"event":"room-leave","id":{},"room":"R"}`, `{"event":"room-leave","id":[1],"room":"R"}`,
		`{"event":"room-leave","id":"` + strings.Repeat("x", 127) + `","room":"R"}`,
	},
	"no object": {`null`, `true`, `42`, `"room-leave"`, `[]`, `["room-leave","R"]`, `[{"event":"room-leave","room":"R"}]`},
	"JSON that does not parse": {
		``, ` `, `{`, `}`, `{"event"`, `{"event":"room-leave","room":"R"`, `{"event":"room-leave","room":"R"}}`,
		`{"event":"room-leave","room":"R"} {"event":"room-leave","room":"R"}`, `{"event":"room-leave","room":"R",}`,
		`{event:"room-leave","room":"R"}`, `{'event':'room-leave','room':'R'}`, `{"event":"room-leave" "room":"R"}`,
		`{"event":"room-leave","room":"R\x"}`, `{"event":"room-leave","room":"R\u12"}`, "{\"event\":\"room-leave\",\"room\":\"R\n\"}",
		`{"event":"room-leave","room":"R","x":01}`, `{"event":"room-leave","room":"R","x":NaN}`, `{"event":"room-leave","room":"R","x":.5}`,
		`{"event":"room-leave","room":"R"}//`, "\ufeff" + `{"event":"room-leave","room":"R"}`, "\x00",
		`2["room-leave","R"]`, `hello`, strings.Repeat(`[`, 200_000), strings.Repeat(`{"a":`, 40_000),
	},
}

func TestRule9_BadInputGetsErrorAndChangesNothing(t *testing.T) {
	for kind, frames := range badInput {
		t.Run(kind, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, a, b := s.Room(), s.Connect(), s.Connect()
				meet(t, room, a, b)
				fill := strings.NewReplacer(`"R`, `"`+room, `"T"`, `"`+a.ID+`"`)
				for _, f := range frames {
					b.Send(fill.Replace(f))
					e := b.Next()
					delete(e, "id")
					message, _ := e["message"].(string)
					if message == "" || len(e) != 3 || e["event"] != "error" || e["code"] != "bad-request" {
						t.Errorf("answer to %.100q: %v", f, e)
					}
					if len(message) > 200 || strings.Contains(message, ".go") || strings.Contains(message, "0x") {
						t.Errorf("message %q of the answer to %.100q is not for people", message, f)
					}
				}
				// Nothing has changed, nobody else has noticed, and the connection is as good as before.
				ask(t, b, join(room), joined(room, a, a))
				ask(t, b, leave(room), left(room))
				a.Expect(clientLeft(room, b))
			})
		})
	}
}

func TestRule9_AnErrorRepeatsTheId(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		c := s.Connect()
		for _, f := range []string{
			`{"event":"nonsense","id":"x"}`, `{"id":"x"}`, `{"event":"room-join","id":"x"}`,
			`{"event":"room-join","room":1,"id":"x"}`, `{"event":"signal-send","room":"r","id":"x","targetId":""}`,
		} {
			c.Send(f)
			c.Expect(with(refused("bad-request"), "id", "x"))
		}
	})
}

func TestRule9_ABinaryFrameIsRefused(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		for _, data := range []string{"", "\x00\xff", fmt.Sprintf(`{"event":"room-leave","room":%q}`, room)} {
			b.SendKind(websocket.BinaryMessage, data)
			b.Expect(refused("bad-request"))
		}
		ask(t, b, join(room), joined(room, a, a))
		a.ExpectNothing()
	})
}

func TestRule9_FragmentedFramesWork(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b := s.Room()+" 🤝", s.Connect(), s.Connect()
		meet(t, room, a, b)
		text := fmt.Sprintf(`{"event":"signal-send","room":%s,"targetId":%q,"data":"é😀"}`, labtest.Quote(room), a.ID)
		for size := range 7 { // also in the middle of a character
			b.SendFragments(split(text, size+1)...)
			a.Expect(received(room, b, "é😀"))
		}
		b.SendFragments("", text, "")
		a.Expect(received(room, b, "é😀"))
		b.SendFragments(`{"event":`, `"nonsense"}`)
		b.Expect(refused("bad-request"))
	})
}

func split(s string, size int) (parts []string) {
	for len(s) > size {
		parts = append(parts, s[:size])
		s = s[size:]
	}
	return append(parts, s)
}

func TestRule9_UnknownFieldsAreIgnored(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a := s.Room(), s.Connect()
		ask(t, a, with(with(create(room), "version", 7), "extras", J{"event": "x", "room": []int{1}}), created(room))
		ask(t, a, with(leave(room), "data", nil), left(room))
	})
}

func TestRule9_TextThatIsNotUTF8EndsTheConnectionAndNoOther(t *testing.T) {
	for name, text := range map[string]string{
		"in a name":   "{\"event\":\"room-create\",\"room\":\"\xff\"}",
		"overlong":    "{\"event\":\"room-create\",\"room\":\"\xc0\x80\"}",
		"surrogate":   "{\"event\":\"room-create\",\"room\":\"\xed\xa0\x80\"}",
		"cut":         "{\"event\":\"room-create\",\"room\":\"\xf0\x9f\x98\"}",
		"in data":     "{\"event\":\"signal-send\",\"room\":\"r\",\"targetId\":\"x\",\"data\":\"\xff\"}",
		"in no JSON":  "\xff\xfe",
		"in a member": "{\"\xff\":1,\"event\":\"room-create\",\"room\":\"r\"}",
	} {
		t.Run(name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, a, b := s.Room(), s.Connect(), s.Connect()
				meet(t, room, a, b)
				b.Send(text)
				b.ExpectClose(websocket.CloseInvalidFramePayloadData) // 1007
				a.Expect(clientLeft(room, b))
				a.ExpectNothing()
			})
		})
	}
}
