package socketio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bubble runs a test in which time stands still while anything is going on.
func bubble(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, run)
}

// The handshake of each version and transport.
func TestHandshake(t *testing.T) {
	c := Config{Polling: true, ReadLimit: 1000000, PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond}
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, c)
		a := r.do("GET", fmt.Sprintf("EIO=%d&transport=polling&t=abc&user=1", eio), "")
		if a.status != 200 || a.header.Get("Content-Type") != "text/plain; charset=UTF-8" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("status %d, header %v", a.status, a.header)
		}
		p := &poller{rig: r, eio: eio}
		packets := strings.Split(p.normal(a.body), "\x1e")
		want := openData{Upgrades: []string{"websocket"}, PingInterval: 300, PingTimeout: 200, MaxPayload: 1000000}
		got := openOf(t, packets[0])
		if len(got.SID) != 20 {
			t.Errorf("sid %q", got.SID)
		}
		want.SID = got.SID
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		ws := r.websocket(eio)
		want.SID, want.Upgrades = ws.open.SID, []string{}
		if diff := cmp.Diff(want, ws.open); diff != "" {
			t.Error(diff)
		}
		// Who speaks first in the namespace.
		if eio == eio3 {
			if len(packets) != 2 || packets[1] != "40" {
				t.Errorf("first answer is %q", packets)
			}
			ws.want("40")
			if s := r.connected(); s.ID() != got.SID {
				t.Errorf("id %q, want the sid", s.ID())
			}
			return
		}
		if len(packets) != 1 {
			t.Errorf("first answer is %q", packets)
		}
		ws.send("40")
		id := connectedID(t, ws.next())
		if s := r.connected(); s.ID() != id || id == ws.open.SID {
			t.Errorf("client was told %q, session is %q, sid %q", id, s.ID(), ws.open.SID)
		}
	})
}

// connectedID reads the id out of the server's CONNECT.
func connectedID(t testing.TB, packet string) string {
	t.Helper()
	var c struct {
		SID string `json:"sid"`
	}
	data, ok := strings.CutPrefix(packet, "40")
	if err := json.Unmarshal([]byte(data), &c); !ok || err != nil || c.SID == "" {
		t.Fatalf("CONNECT is %q", packet)
	}
	return c.SID
}

// What is refused, with which code.
func TestRefusals(t *testing.T) {
	const upgrade = "upgrade"
	cases := []struct {
		name, method, query, header string
		polling                     bool
		status, code                int
	}{
		{"no transport", "GET", "EIO=4", "", true, 400, 0},
		{"unknown transport", "GET", "EIO=4&transport=abc", "", true, 400, 0},
		{"webtransport", "GET", "EIO=4&transport=webtransport", "", true, 400, 0},
		{"polling is off", "GET", "EIO=4&transport=polling", "", false, 400, 0},
		{"polling is off, EIO=3", "GET", "EIO=3&transport=polling", "", false, 400, 0},
		{"no version", "GET", "transport=polling", "", true, 400, 5},
		{"unknown version", "GET", "EIO=abc&transport=polling", "", true, 400, 5},
		{"version 2", "GET", "EIO=2&transport=websocket", upgrade, true, 400, 5},
		{"no version on a WebSocket", "GET", "transport=websocket", upgrade, true, 400, 5},
		{"unknown sid", "GET", "EIO=4&transport=polling&sid=nobody", "", true, 400, 1},
		{"unknown sid in a POST", "POST", "EIO=4&transport=polling&sid=nobody", "", true, 400, 1},
		{"unknown sid on a WebSocket", "GET", "EIO=4&transport=websocket&sid=nobody", upgrade, true, 400, 1},
		{"handshake by POST", "POST", "EIO=4&transport=polling", "", true, 400, 2},
		{"handshake by PUT", "PUT", "EIO=4&transport=polling", "", true, 400, 2},
		{"websocket without upgrade", "GET", "EIO=4&transport=websocket", "", true, 400, 3},
		{"JSONP", "GET", "EIO=3&transport=polling&j=0", "", true, 400, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, Config{Polling: c.polling})
				var headers []string
				if c.header == upgrade {
					headers = []string{
						"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
						"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==",
					}
				}
				a := r.do(c.method, c.query, "", headers...)
				wantRefusal(t, a, c.status, c.code)
				if n := r.srv.Len(); n != 0 {
					t.Errorf("%d sessions", n)
				}
			})
		})
	}
}

func wantRefusal(t testing.TB, a answer, status, code int) {
	t.Helper()
	var e struct {
		Code    *int   `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Code == nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	if a.status != status || *e.Code != code || e.Message == "" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("answer %d %q %v, want %d with code %d", a.status, a.body, a.header, status, code)
	}
}

// A session keeps to the version and the transport it began with.
func TestSessionIsBoundToItsVersionAndTransport(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		other := eio3 + eio4 - eio
		p := r.joined(eio)
		ws := r.joinedWebSocket(eio)
		query := func(eio int, transport, sid string) string {
			return fmt.Sprintf("EIO=%d&transport=%s&sid=%s", eio, transport, sid)
		}
		wantRefusal(t, r.do("GET", query(other, "polling", p.sid), ""), 400, 3)
		wantRefusal(t, r.do("POST", query(other, "polling", p.sid), "40"), 400, 3)
		wantRefusal(t, r.do("PUT", query(eio, "polling", p.sid), "40"), 400, 3)
		wantRefusal(t, r.do("GET", query(eio, "polling", ws.open.SID), ""), 400, 3)
		wantRefusal(t, r.do("POST", query(eio, "polling", ws.open.SID), "40"), 400, 3)
		if _, status := r.dial(query(other, "websocket", p.sid)); status != 400 {
			t.Errorf("upgrade with another version: %d", status)
		}
		second, _ := r.dial(query(eio, "websocket", ws.open.SID))
		second.ended(closeProtocol)
		p.echo("still here")
		ws.echo("still here")
	})
}

// CORS: on every answer, with credentials.
func TestCORS(t *testing.T) {
	const page = "https://app.example"
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true, CheckOrigin: func(r *http.Request) bool {
			return r.Header.Get("Origin") != "https://evil.example"
		}})
		p := r.joined(eio3)
		answers := map[string]answer{
			"handshake": r.do("GET", "EIO=3&transport=polling", "", "Origin", page),
			"post":      r.do("POST", p.query(), p.encode(`42["a"]`), "Origin", page),
			"poll":      r.do("GET", p.query(), "", "Origin", page),
			"error":     r.do("GET", "EIO=3&transport=polling&sid=nobody", "", "Origin", page),
			"bad":       r.do("GET", "EIO=3", "", "Origin", page),
			"malformed": r.do("POST", p.query(), "abc", "Origin", page),
			"preflight": r.do("OPTIONS", p.query(), "", "Origin", page, "Access-Control-Request-Method", "POST",
				"Access-Control-Request-Headers", "x-custom,x-other"),
		}
		for name, a := range answers {
			if a.header.Get("Access-Control-Allow-Origin") != page || a.header.Get("Access-Control-Allow-Credentials") != "true" ||
				!strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Origin") {
				t.Errorf("%s: %d %v", name, a.status, a.header)
			}
		}
		pre := answers["preflight"]
		if pre.status != 204 || pre.header.Get("Access-Control-Allow-Headers") != "x-custom,x-other" ||
			!strings.Contains(pre.header.Get("Access-Control-Allow-Methods"), "POST") {
			t.Errorf("preflight: %d %v", pre.status, pre.header)
		}
		for _, method := range []string{"GET", "OPTIONS"} {
			a := r.do(method, "EIO=4&transport=polling", "", "Origin", "https://evil.example")
			wantRefusal(t, a, 403, 4)
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control") {
					t.Errorf("refused %s has %s", method, name)
				}
			}
		}
		if a := r.do("GET", "EIO=4&transport=polling", ""); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("without an origin: %v", a.header)
		}
		evil := http.Header{"Origin": {"https://evil.example"}}
		ws, resp, err := r.dialer.Dial("ws://signalling.test/socket.io/?EIO=4&transport=websocket", evil)
		if err == nil {
			_ = ws.Close()
			t.Fatal("a WebSocket from a refused origin was accepted")
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != 403 {
			t.Errorf("WebSocket from a refused origin: %d", resp.StatusCode)
		}
	})
}

func TestOriginsByDefault(t *testing.T) {
	for origin, want := range map[string]bool{
		"": true, "http://host.example": true, "https://HOST.example": true, "https://other.example": false, "null": false,
		"https://host.example:444": false, ":": false,
	} {
		req, _ := http.NewRequest("GET", "http://host.example/socket.io/", nil)
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		if got := (Config{}).withDefaults().CheckOrigin(req); got != want {
			t.Errorf("%q: %v", origin, got)
		}
	}
}

// Polling sessions cost a client nothing, so there is a bound; each that ends or moves to a WebSocket makes room.
func TestPollingSessionsAreBounded(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true, MaxPolling: 2})
		query := fmt.Sprintf("EIO=%d&transport=polling", eio)
		closes, upgrades := r.joined(eio), r.joined(eio)
		wantRefusal(t, r.do("GET", query, ""), 503, 3)
		r.joinedWebSocket(eio).echo("no bound for these")
		closes.post("1", 200)
		closes.get(200)
		third := r.joined(eio)
		wantRefusal(t, r.do("GET", query, ""), 503, 3)
		ws := upgrades.upgrade()
		ws.send("2probe", "5")
		ws.want("3probe")
		ws.echo("x")
		r.joined(eio)
		wantRefusal(t, r.do("GET", query, ""), 503, 3)
		_ = ws.ws.Close()
		third.post("abc", 400)
		r.joined(eio)
		wantRefusal(t, r.do("GET", query, ""), 503, 3)
	})
}

// The ids that Config.NewID makes are the ones that are used, whatever characters they have.
func TestIDsAreThoseOfTheConfiguration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := 0
		r := newRig(t, Config{Polling: true, NewID: func() string { n++; return fmt.Sprintf(`id"%d`, n) }})
		ws := r.joinedWebSocket(eio4)
		if s := r.connected(); ws.open.SID != `id"1` || s.ID() != `id"2` {
			t.Errorf("sid %q, id %q", ws.open.SID, s.ID())
		}
	})
}

func TestDefaultIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newID()
		if seen[id] || len(id) != 20 || strings.ContainsAny(id, "+/=") {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}
