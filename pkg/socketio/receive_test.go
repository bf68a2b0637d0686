package socketio

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"
)

// odd is a packet, or several, and what becomes of a session that sends it.
type odd struct {
	name    string
	packets []string // "bin:" marks a binary message
	only    int      // the version it is for, 0 for both
	ends    bool
}

// What no client sends. Where the JavaScript server ignores it, this one may close.
var oddities = []odd{
	{"empty message", []string{"4"}, 0, true},
	{"letters for a type", []string{"4abc"}, 0, true},
	{"unknown type", []string{"49"}, 0, true},
	{"object for a payload", []string{"42{}"}, 0, true},
	{"string for a payload", []string{`42"x"`}, 0, true},
	{"no event name", []string{"42[]"}, 0, true},
	{"payload without end", []string{"42[1"}, 0, true},
	{"null for a payload", []string{"42null"}, 0, true},
	{"letters for an acknowledgement id", []string{`42abc["x"]`}, 0, true},
	{"namespace for a type", []string{"4/"}, 0, true},
	{"null for an event name", []string{"42[null,1]"}, 0, true},
	{"number for an event name", []string{"42[5]"}, 0, true},
	{"reserved name connect", []string{`42["connect"]`}, 0, true},
	{"reserved name disconnect", []string{`42["disconnect"]`}, 0, true},
	{"payload that the handler refuses", []string{`42["a",}]`}, 0, true},
	{"event without payload", []string{"42"}, 0, true},
	{"second connect", []string{"40"}, 0, true},
	{"connect error", []string{"44"}, 0, true},
	{"connect error with payload", []string{`44{"message":"x"}`}, 0, true},
	{"event in an unknown namespace", []string{`42/x,["a"]`}, 0, true},
	{"attachments without count", []string{`45["a"]`}, 0, true},
	{"eleven attachments", []string{`4511-["a"]`}, 0, true},
	{"attachment without placeholder", []string{`451-["a"]`, "bin:x"}, 0, true},
	{"placeholder without attachment", []string{`451-["a",{"_placeholder":true,"num":1}]`, "bin:x"}, 0, true},
	{"text in the place of an attachment", []string{`451-["a",{"_placeholder":true,"num":0}]`, `42["b"]`}, 0, true},
	{"stray binary message", []string{"bin:x"}, 0, true},
	{"one attachment too many", []string{`451-["a",{"_placeholder":true,"num":0}]`, "bin:x", "bin:y"}, 0, true},
	{"acknowledgement id beyond 64 bits", []string{`4299999999999999999999["a"]`}, 0, true},
	{"unknown packet type", []string{"9"}, 0, true},
	{"letters", []string{"abc"}, 0, true},
	{"open packet", []string{`0{"sid":"x"}`}, 0, true},
	{"upgrade packet", []string{"5"}, 0, true},
	{"ping of a version 4 client", []string{"2"}, eio4, true},
	{"pong of a version 3 client", []string{"3"}, eio3, true},
	{"unknown acknowledgement", []string{"4399[1]"}, 0, false},
	{"unknown acknowledgement with attachment", []string{`461-99[{"_placeholder":true,"num":0}]`, "bin:x"}, 0, false},
	{"noop", []string{"6"}, 0, false},
	{"stray pong", []string{"3"}, eio4, false},
	{"probe on a session's own transport", []string{"2probe"}, eio3, false},
	{"disconnect from an unknown namespace", []string{"41/x,"}, 0, false},
	{"no attachments at all", []string{`450-["a"]`}, 0, false},
}

func TestOdditiesByWebSocket(t *testing.T) {
	for _, o := range oddities {
		t.Run(o.name, func(t *testing.T) {
			each(t, func(t *testing.T, eio int) {
				if o.only != 0 && o.only != eio {
					return
				}
				r := newRig(t, Config{Polling: true})
				ws := r.joinedWebSocket(eio)
				for _, one := range o.packets {
					op := websocket.TextMessage
					if data, ok := strings.CutPrefix(one, "bin:"); ok {
						op, one = websocket.BinaryMessage, map[int]string{eio4: "", eio3: "\x04"}[eio]+data
					}
					_ = ws.ws.WriteMessage(op, []byte(one)) // the server may have closed after the one before
				}
				if !o.ends {
					ws.send(`42["still here"]`)
					for ws.next() != `42["still here"]` {
						continue
					}
					return
				}
				r.disconnected(ReasonParseError)
				for ws.await(patience) != "end" { // the answers to what came before
					continue
				}
				if !websocket.IsCloseError(ws.err, closeProtocol) {
					t.Error(ws.err)
				}
			})
		})
	}
}

func TestOdditiesByPolling(t *testing.T) {
	for _, o := range oddities {
		t.Run(o.name, func(t *testing.T) {
			each(t, func(t *testing.T, eio int) {
				if o.only != 0 && o.only != eio {
					return
				}
				r := newRig(t, Config{Polling: true})
				p := r.joined(eio)
				var coded []string
				for _, one := range o.packets {
					if data, ok := strings.CutPrefix(one, "bin:"); ok {
						prefix := map[int]string{eio4: "b", eio3: "b4"}[eio]
						one = prefix + strings.Repeat("eA==", len(data))
					}
					coded = append(coded, one)
				}
				payload := strings.Join(coded, "\x1e")
				if !o.ends {
					p.post(payload+"\x1e"+`42["still here"]`, 200)
					if got := p.get(200); !strings.HasSuffix(got, `42["still here"]`) {
						t.Errorf("answer %q", got)
					}
					return
				}
				waiting := p.waiting()
				synctest.Wait()
				p.post(payload, 400)
				r.disconnected(ReasonParseError)
				if a := next(t, "answer", waiting); a.status != 200 || !strings.HasSuffix("\x1e"+a.body, "\x1e1") && !strings.HasPrefix(a.body, "4") {
					t.Errorf("waiting GET: %d %q", a.status, a.body)
				}
				wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
			})
		})
	}
}

// Frames that only a WebSocket has.
func TestOddFrames(t *testing.T) {
	t.Run("empty text", func(t *testing.T) {
		each(t, func(t *testing.T, eio int) {
			r := newRig(t, Config{})
			ws := r.joinedWebSocket(eio)
			ws.send("")
			r.disconnected(ReasonParseError)
			ws.ended(closeProtocol)
		})
	})
	t.Run("binary of another type", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, Config{})
			ws := r.joinedWebSocket(eio3)
			ws.send(`451-["a",{"_placeholder":true,"num":0}]`)
			ws.sendBinary([]byte("\x02x"))
			r.disconnected(ReasonParseError)
			ws.ended(closeProtocol)
		})
	})
	t.Run("text that is not UTF-8", func(t *testing.T) {
		each(t, func(t *testing.T, eio int) {
			r := newRig(t, Config{})
			ws := r.joinedWebSocket(eio)
			ws.send("42[\"\xff\"]")
			r.disconnected(ReasonParseError)
			ws.ended(1007)
		})
	})
	t.Run("close packet", func(t *testing.T) {
		each(t, func(t *testing.T, eio int) {
			r := newRig(t, Config{})
			ws := r.joinedWebSocket(eio)
			ws.send("1")
			r.disconnected(ReasonTransportClose)
			ws.ended(closeNormal)
		})
	})
	t.Run("close frame", func(t *testing.T) {
		each(t, func(t *testing.T, eio int) {
			r := newRig(t, Config{})
			ws := r.joinedWebSocket(eio)
			_ = ws.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""))
			r.disconnected(ReasonTransportClose)
			ws.ended(1000)
		})
	})
	t.Run("too large", func(t *testing.T) {
		each(t, func(t *testing.T, eio int) {
			r := newRig(t, Config{ReadLimit: 1000})
			ws, other := r.joinedWebSocket(eio), r.joinedWebSocket(eio)
			ws.echo(strings.Repeat("x", 900))
			ws.send(`42["` + strings.Repeat("x", 1000) + `"]`)
			r.disconnected(ReasonTooLarge)
			ws.ended(1009)
			other.echo("still here")
		})
	})
}

// Before CONNECT nothing else is allowed (socket.io-protocol v5, "Connection to a namespace").
func TestNothingBeforeConnect(t *testing.T) {
	for _, packet := range []string{`42["a"]`, "41", "43[1]", `450-["a"]`, "431[]"} {
		t.Run(packet, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, Config{Polling: true})
				ws := r.websocket(eio4)
				ws.send(packet)
				ws.ended(closeProtocol)
				p, _ := r.open(eio4)
				p.post(packet, 400)
				none(t, "event", r.h.events)
				none(t, "Disconnect", r.h.disconnects)
			})
		})
	}
}

// Attachments on a WebSocket, with heartbeats between them, with and without acknowledgement.
func TestAttachmentsByWebSocket(t *testing.T) {
	const args = `["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	first, second := []byte{1, 2, 3}, bytes.Repeat([]byte{4}, 70000)
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{})
		ws := r.joinedWebSocket(eio)
		mark, beat := "", "3"
		if eio == eio3 {
			mark, beat = "\x04", "2"
		}
		for _, ack := range []string{"", "789"} {
			ws.send("452-" + ack + args)
			ws.send(beat)
			ws.sendBinary([]byte(mark + string(first)))
			ws.send(beat)
			ws.sendBinary([]byte(mark + string(second)))
			e := next(t, "event", r.h.events)
			if e.payload != args || len(e.attachments) != 2 || !bytes.Equal(e.attachments[0], first) ||
				!bytes.Equal(e.attachments[1], second) || e.ack.String() != ack {
				t.Errorf("event %s ack %s with %d attachments", e.payload, e.ack, len(e.attachments))
			}
			if eio == eio3 {
				ws.want("3", "3")
			}
			kind := "452-"
			if ack != "" {
				kind = "462-" + ack
			}
			ws.want(kind+args, "bin:"+mark+string(first), "bin:"+mark+string(second))
		}
	})
}

// forceBase64 clients send binary messages in text frames.
func TestAttachmentsInTextFrames(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{})
		ws := r.joinedWebSocket(eio)
		ws.send(`451-["file",{"_placeholder":true,"num":0}]`, map[int]string{eio4: "bAQID", eio3: "b4AQID"}[eio])
		wantAttachment(t, r, []byte{1, 2, 3})
	})
}

// A binary event with all its parts is one message, and is held to the limit of one.
func TestBinaryEventsAreBoundedAsAWhole(t *testing.T) {
	const header = `452-["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{ReadLimit: 1000, Polling: true})
		ws := r.joinedWebSocket(eio)
		part := bytes.Repeat([]byte{4}, 600)
		ws.send(header)
		ws.sendBinary(part)
		ws.sendBinary(part)
		r.disconnected(ReasonTooLarge)
		ws.ended(1009)

		p := r.joined(eio)
		prefix := map[int]string{eio4: "b", eio3: "b4"}[eio]
		coded := prefix + strings.Repeat("AAAA", 200)
		p.post(header+"\x1e"+coded, 200)
		p.post(coded, 413)
		r.disconnected(ReasonTooLarge)
	})
}

func TestAttachmentsCanBeForbidden(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{MaxAttachments: -1})
		ws := r.joinedWebSocket(eio4)
		ws.send(`451-["a",{"_placeholder":true,"num":0}]`)
		ws.ended(closeProtocol)
		ws = r.joinedWebSocket(eio4)
		ws.send(`42["a",{"_placeholder":true,"num":0}]`) // nothing but an object
		ws.want(`42["a",{"_placeholder":true,"num":0}]`)
	})
}

// Nothing comes between a packet and its attachments, however many send at once.
func TestAttachmentsStayTogether(t *testing.T) {
	for _, eio := range bothVersions {
		t.Run(fmt.Sprintf("EIO=%d", eio), func(t *testing.T) {
			r := newTCPRig(t, Config{QueueFrames: 100000, QueueBytes: 100 << 20})
			ws := r.joinedWebSocket(eio)
			s := r.connected()
			const senders, each = 8, 200
			done := make(chan error, senders)
			for n := range senders {
				go func() {
					for i := range each {
						p := NewEvent(fmt.Appendf(nil, `["plain",%d]`, n))
						if i%2 == 0 {
							p = NewEvent(fmt.Appendf(nil, `["bin",%d,{"_placeholder":true,"num":0}]`, n), []byte{byte(n)})
						}
						if err := s.Send(p); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			mark := map[int]string{eio4: "bin:", eio3: "bin:\x04"}[eio]
			for range senders * each {
				head := ws.next()
				var n int
				if _, err := fmt.Sscanf(head, `451-["bin",%d,`, &n); err == nil {
					ws.want(mark + string([]byte{byte(n)}))
				} else if !strings.HasPrefix(head, `42["plain",`) {
					t.Fatalf("frame %q", head)
				}
			}
			for range senders {
				if err := next(t, "end of sending", done); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Acknowledgement ids come back as they were, at every size.
func TestAcknowledgements(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{})
		ws := r.joinedWebSocket(eio)
		s := r.connected()
		for _, id := range []string{"0", "17", "9007199254740993", "18446744073709551614"} {
			ws.send("42" + id + `["a",1]`)
			ws.want("43" + id + `["a",1]`)
		}
		if err := s.Ack(0, []byte(`["x"]`)); err != nil {
			t.Errorf("no acknowledgement wanted: %v", err)
		}
		ws.echo("and nothing was sent for it")
	})
}

// An error of the handler counts as malformed input.
func TestHandlerErrorEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		log, text := logged()
		r := newRig(t, Config{Polling: true, Logger: log})
		r.h.onEvent = func(s *Session, _ AckID, _ []byte, _ [][]byte) error {
			_ = s.Send(NewEvent([]byte(`["error","bad JSON"]`)))
			return errors.New("no JSON at byte 7")
		}
		ws := r.joinedWebSocket(eio)
		ws.send(`42["a"]`)
		ws.want(`42["error","bad JSON"]`) // what is queued still arrives
		ws.ended(closeProtocol)
		r.disconnected(ReasonParseError)
		synctest.Wait()
		if !strings.Contains(text.String(), "no JSON at byte 7") || strings.Contains(text.String(), ws.open.SID) {
			t.Errorf("log: %s", text)
		}
	})
}

// A handler that is an Idler is told once when all that has arrived is handled.
func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		synctest.Wait()
		before := r.h.idles.Load()
		p.post(`42["a"]`+"\x1e"+`42["b"]`+"\x1e"+`42["c"]`, 200)
		if n := r.h.idles.Load() - before; n != 1 {
			t.Errorf("told %d times for one POST", n)
		}
		ws := r.joinedWebSocket(eio)
		synctest.Wait()
		before = r.h.idles.Load()
		frame := masked(`42["a"]`)
		if _, err := ws.ws.NetConn().Write(bytes.Repeat(frame, 10)); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			ws.want(`42["a"]`)
		}
		synctest.Wait()
		if n := r.h.idles.Load() - before; n != 1 {
			t.Errorf("told %d times for one read", n)
		}
	})
}
