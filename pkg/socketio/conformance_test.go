package socketio

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The cases of the published test suites of engine.io-protocol v4 and socket.io-protocol v5 that apply to this package,
// under the suites' own titles and settings. CONFORMANCE.md lists those that cannot apply.

// suiteRig is a server with the settings of the suites and the application that the Socket.IO suite wants.
func suiteRig(t *testing.T) *rig {
	r := newRig(t, Config{
		Polling: true, PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond,
		ReadLimit: 1000000, ConnectTimeout: time.Second,
	})
	r.h.admit = func(s *Session, auth json.RawMessage, _ *http.Request) error {
		if auth == nil {
			auth = json.RawMessage("{}")
		}
		return s.Send(NewEvent([]byte(`["auth",` + string(auth) + `]`)))
	}
	r.h.onEvent = func(s *Session, ack AckID, payload []byte, attachments [][]byte) error {
		if args, ok := bytes.CutPrefix(payload, []byte(`["message",`)); ok {
			return s.Send(NewEvent(append([]byte(`["message-back",`), args...), attachments...))
		}
		args, _ := bytes.CutPrefix(payload, []byte(`["message-with-ack",`))
		return s.Ack(ack, append([]byte{'['}, args...), attachments...)
	}
	return r
}

// suiteSocket is initSocketIOConnection of the Socket.IO suite.
func suiteSocket(t *testing.T) (*rig, *socket) {
	r := suiteRig(t)
	ws := r.websocket(eio4)
	ws.send("40")
	connectedID(t, ws.next())
	ws.want(`42["auth",{}]`)
	return r, ws
}

func TestEngineIOSuite(t *testing.T) {
	cases := map[string]func(t *testing.T, r *rig){
		"handshake/HTTP long-polling/successfully opens a session": func(t *testing.T, r *rig) {
			a := r.do("GET", "EIO=4&transport=polling", "")
			o := openOf(t, a.body)
			if a.status != 200 || len(o.Upgrades) != 1 || o.Upgrades[0] != "websocket" || o.SID == "" ||
				o.PingInterval != 300 || o.PingTimeout != 200 || o.MaxPayload != 1000000 {
				t.Errorf("%d %+v", a.status, o)
			}
		},
		"handshake/HTTP long-polling/fails with an invalid 'EIO' query parameter": func(t *testing.T, r *rig) {
			wantStatus(t, r, "GET", 400, "transport=polling", "EIO=abc&transport=polling")
		},
		"handshake/HTTP long-polling/fails with an invalid 'transport' query parameter": func(t *testing.T, r *rig) {
			wantStatus(t, r, "GET", 400, "EIO=4", "EIO=4&transport=abc")
		},
		"handshake/HTTP long-polling/fails with an invalid request method": func(t *testing.T, r *rig) {
			wantStatus(t, r, "POST", 400, "EIO=4&transport=polling")
			wantStatus(t, r, "PUT", 400, "EIO=4&transport=polling")
		},
		"handshake/WebSocket/successfully opens a session": func(t *testing.T, r *rig) {
			o := r.websocket(eio4).open
			if len(o.Upgrades) != 0 || o.SID == "" || o.PingInterval != 300 || o.PingTimeout != 200 || o.MaxPayload != 1000000 {
				t.Errorf("%+v", o)
			}
		},
		"handshake/WebSocket/fails with an invalid 'EIO' query parameter": func(t *testing.T, r *rig) {
			wantNoWebSocket(t, r, "transport=websocket", "EIO=abc&transport=websocket")
		},
		"handshake/WebSocket/fails with an invalid 'transport' query parameter": func(t *testing.T, r *rig) {
			wantNoWebSocket(t, r, "EIO=4", "EIO=4&transport=abc")
		},
		"message/HTTP long-polling/closes the session upon invalid packet format": func(_ *testing.T, r *rig) {
			p, _ := r.open(eio4)
			p.post("abc", 400)
			p.get(400)
		},
		"message/HTTP long-polling/closes the session upon duplicate poll requests": func(t *testing.T, r *rig) {
			p, _ := r.open(eio4)
			first := p.waiting()
			synctest.Wait()
			p.get(400)
			if a := next(t, "answer", first); a.status != 200 || a.body != "1" {
				t.Errorf("first: %d %q", a.status, a.body)
			}
			p.get(400)
		},
		"message/WebSocket/closes the session upon invalid packet format": func(_ *testing.T, r *rig) {
			ws := r.websocket(eio4)
			ws.send("abc")
			ws.ended(closeProtocol)
		},
		"heartbeat/HTTP long-polling/sends ping|pong packets": func(t *testing.T, r *rig) {
			p, _ := r.open(eio4)
			for range 3 {
				if got := p.get(200); got != "2" {
					t.Fatalf("got %q", got)
				}
				p.post("3", 200)
			}
		},
		"heartbeat/HTTP long-polling/closes the session upon ping timeout": func(_ *testing.T, r *rig) {
			p, _ := r.open(eio4)
			time.Sleep(500 * time.Millisecond)
			synctest.Wait()
			p.get(400)
		},
		"heartbeat/WebSocket/sends ping|pong packets": func(_ *testing.T, r *rig) {
			ws := r.websocket(eio4)
			for range 3 {
				ws.want("2")
				ws.send("3")
			}
		},
		"heartbeat/WebSocket/closes the session upon ping timeout": func(t *testing.T, r *rig) {
			ws := r.websocket(eio4)
			within(t, 500*time.Millisecond, "end", func() {
				ws.want("2")
				ws.ended(closePolicy)
			})
		},
		"close/HTTP long-polling/forcefully closes the session": func(t *testing.T, r *rig) {
			p, _ := r.open(eio4)
			polled := p.waiting()
			synctest.Wait()
			p.post("1", 200)
			if a := next(t, "answer", polled); a.status != 200 || a.body != "6" {
				t.Errorf("%d %q", a.status, a.body)
			}
			p.get(400)
		},
		"close/WebSocket/forcefully closes the session": func(_ *testing.T, r *rig) {
			ws := r.websocket(eio4)
			ws.send("1")
			ws.ended(closeNormal)
		},
		// The suite ends the next three with an echo of "4hello", for which a Socket.IO event stands here.
		"upgrade/successfully upgrades from HTTP long-polling to WebSocket": func(t *testing.T, r *rig) {
			p, _ := r.open(eio4)
			ws := p.upgrade()
			ws.send("2probe")
			ws.want("3probe")
			if got := p.get(200); got != "6" {
				t.Errorf("poll while upgrading: %q", got)
			}
			ws.send("5")
			suiteEcho(t, ws)
		},
		"upgrade/ignores HTTP requests with same sid after upgrade": func(t *testing.T, r *rig) {
			p, _ := r.open(eio4)
			ws := p.upgrade()
			ws.send("2probe", "5")
			p.get(400)
			ws.want("3probe")
			suiteEcho(t, ws)
		},
		"upgrade/ignores WebSocket connection with same sid after upgrade": func(t *testing.T, r *rig) {
			p, _ := r.open(eio4)
			ws := p.upgrade()
			ws.send("2probe", "5")
			p.upgrade().ended(closeProtocol)
			ws.want("3probe")
			suiteEcho(t, ws)
		},
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { run(t, suiteRig(t)) })
		})
	}
}

// suiteEcho joins the namespace and checks that events go both ways.
func suiteEcho(t *testing.T, ws *socket) {
	t.Helper()
	ws.send("40")
	connectedID(t, ws.next())
	ws.want(`42["auth",{}]`)
	ws.send(`42["message","hello"]`)
	ws.want(`42["message-back","hello"]`)
}

func wantStatus(t *testing.T, r *rig, method string, status int, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if a := r.do(method, q, ""); a.status != status {
			t.Errorf("%s %s: %d", method, q, a.status)
		}
	}
}

func wantNoWebSocket(t *testing.T, r *rig, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if _, status := r.dial(q); status != 400 {
			t.Errorf("%s: %d", q, status)
		}
	}
}

func TestSocketIOSuite(t *testing.T) {
	one, two := string([]byte{1, 2, 3}), string([]byte{4, 5, 6})
	const placeholders = `{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}`
	cases := map[string]func(t *testing.T){
		"connect/should allow connection to the main namespace": func(t *testing.T) {
			suiteSocket(t)
		},
		"connect/should allow connection to the main namespace with a payload": func(t *testing.T) {
			ws := suiteRig(t).websocket(eio4)
			ws.send(`40{"token":"123"}`)
			connectedID(t, ws.next())
			ws.want(`42["auth",{"token":"123"}]`)
		},
		"connect/should disallow connection to an unknown namespace": func(t *testing.T) {
			ws := suiteRig(t).websocket(eio4)
			ws.send("40/random")
			ws.want(`44/random,{"message":"Invalid namespace"}`)
		},
		"connect/should disallow connection with an invalid handshake": func(t *testing.T) {
			ws := suiteRig(t).websocket(eio4)
			ws.send("4abc")
			ws.ended(closeProtocol)
		},
		"connect/should close the connection if no handshake is received": func(t *testing.T) {
			ws := suiteRig(t).websocket(eio4)
			within(t, time.Second, "end", func() {
				for got := ws.await(time.Hour); got != "end"; got = ws.await(time.Hour) {
					ws.send("3")
				}
			})
		},
		"disconnect/should disconnect from the main namespace": func(t *testing.T) {
			_, ws := suiteSocket(t)
			ws.send("41")
			ws.want("2")
		},
		"message/should send a plain-text packet": func(t *testing.T) {
			_, ws := suiteSocket(t)
			ws.send(`42["message",1,"2",{"3":[true]}]`)
			ws.want(`42["message-back",1,"2",{"3":[true]}]`)
		},
		"message/should send a packet with binary attachments": func(t *testing.T) {
			_, ws := suiteSocket(t)
			ws.send(`452-["message",` + placeholders + `]`)
			ws.sendBinary([]byte(one))
			ws.sendBinary([]byte(two))
			ws.want(`452-["message-back",`+placeholders+`]`, "bin:"+one, "bin:"+two)
		},
		"message/should send a plain-text packet with an ack": func(t *testing.T) {
			_, ws := suiteSocket(t)
			ws.send(`42456["message-with-ack",1,"2",{"3":[false]}]`)
			ws.want(`43456[1,"2",{"3":[false]}]`)
		},
		"message/should send a packet with binary attachments and an ack": func(t *testing.T) {
			_, ws := suiteSocket(t)
			ws.send(`452-789["message-with-ack",` + placeholders + `]`)
			ws.sendBinary([]byte(one))
			ws.sendBinary([]byte(two))
			ws.want(`462-789[`+placeholders+`]`, "bin:"+one, "bin:"+two)
		},
	}
	for title, packet := range map[string]string{
		"unknown packet type":    "4abc",
		"invalid payload format": "42{}",
		"invalid ack id":         `42abc["message-with-ack",1,"2",{"3":[false]}]`,
	} {
		cases["message/should close the connection upon invalid format ("+title+")"] = func(t *testing.T) {
			_, ws := suiteSocket(t)
			ws.send(packet)
			ws.ended(closeProtocol)
		}
	}
	for name, run := range cases {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) { bubble(t, run) })
	}
}
