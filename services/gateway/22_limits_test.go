package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pires/go-proxyproto"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/pkg/metrics"
	"signalling/pkg/metrics/metricstest"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/gateway"
)

// limited is a gateway with the limits given and generous others.
func limited(t *testing.T, nats *natstest.TCPServer, environ ...string) *running {
	t.Helper()
	return limitedWith(t, nats, nil, environ...)
}

// limitedWith is limited with the gateway's metrics in reg.
func limitedWith(t *testing.T, nats *natstest.TCPServer, reg *prometheus.Registry, environ ...string) *running {
	t.Helper()
	all := map[string]string{"GATEWAY_LIMITS": "true"}
	for i := 0; i < len(environ); i += 2 {
		all[environ[i]] = environ[i+1]
	}
	g, err := fromSettingsWith(t, nats.URL(), all, gateway.Options{Logger: natstest.Logger(t), Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, g)
}

// refused takes a frame, which must refuse with a hint, and returns the hint.
func (c *client) refused(message string) (retryAfter time.Duration) {
	c.t.Helper()
	e := event[*api.Error](c)
	if e.Code != api.RateLimited || e.Message != message || e.RetryAfter == 0 {
		c.t.Fatalf("%+v, want %q", e, message)
	}
	return time.Duration(e.RetryAfter) * time.Millisecond
}

func TestCommandsAndSignalsHaveTheirRates(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		for range 3 {
			alice.leave(lobby)
			alice.expect(notIn(lobby))
		}
		alice.do(api.RoomLeave, lobby, "7")
		alice.expectID("7", &api.Error{Message: "too many commands at once", Code: api.RateLimited, RetryAfter: 1000})
		alice.say("{}") // what is no command counts too
		alice.refused("too many commands at once")
		for range 5 { // signals have a bucket of their own
			alice.signal(lobby, bob, "1")
			alice.expect(notIn(lobby))
		}
		pass(200 * time.Millisecond)
		alice.signal(lobby, bob, "1")
		wait := alice.refused("too many signals at once")
		if wait != 800*time.Millisecond {
			t.Errorf("the hint is %v", wait)
		}
		bob.leave(lobby) // another client does not notice
		bob.expect(notIn(lobby))
		pass(wait - time.Millisecond)
		alice.signal(lobby, bob, "1")
		alice.refused("too many signals at once")
		pass(time.Millisecond)
		alice.signal(lobby, bob, "1") // the hint is true
		alice.expect(notIn(lobby))
	}, tuned(t, "GATEWAY_RATE_COMMANDS", "1:3", "GATEWAY_RATE_SIGNALS", "1:5"))
}

func TestBytesHaveARate(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		c := w.connect()
		data := `"` + strings.Repeat("x", 3000) + `"`
		for range 2 {
			c.signal(lobby, c, data)
			c.expect(notIn(lobby))
		}
		c.signal(lobby, c, data)
		wait := c.refused("too much data at once")
		if wait > 3*time.Second {
			t.Errorf("the hint is %v", wait)
		}
		c.leave(lobby) // less is taken
		c.expect(notIn(lobby))
		pass(wait + time.Second)
		c.signal(lobby, c, data)
		c.expect(notIn(lobby))
	}, tuned(t, "GATEWAY_RATE_BYTES", "1KiB:8KiB"))
}

// A client that sends too much is told so, with a time; it is closed only if it goes on, and not if it heeds that.
func TestWhoGoesOnIsClosed(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		c, patient := w.connect(), w.connect()
		for range 20 {
			patient.leave(lobby)
			patient.expect(notIn(lobby))
			patient.leave(lobby)
			pass(patient.refused("too many commands at once"))
		}
		for range 20 {
			c.leave(lobby)
		}
		c.expect(notIn(lobby))
		for range 4 {
			c.refused("too many commands at once")
		}
		c.expectClose(api.CloseRateLimited)
		patient.leave(lobby)
		patient.expect(notIn(lobby))
	}, tuned(t, "GATEWAY_RATE_COMMANDS", "1:1", "GATEWAY_RATE_REFUSALS", "1:3"))
}

func TestAClientIsInSoManyRooms(t *testing.T) {
	nats := natstest.RunTCP(t)
	reg := metrics.NewRegistry()
	g := limitedWith(t, nats, reg, "GATEWAY_MAX_ROOMS_PER_CLIENT", "2")
	o := ownerOn(t, nats, g)
	c := g.connect()
	first := o.open("one", c)
	o.open("two", c)
	full := &api.Error{Message: "you are in as many rooms as you may be", Code: api.RateLimited}
	c.join("three")
	c.expect(full)
	c.create("three")
	c.expect(full)
	if n := metricstest.Value(t, reg, "signalling_gateway_limited_total", "limit", "rooms"); n != 2 {
		t.Errorf("%v were counted", n)
	}
	c.join("one") // it is there already
	cmd := o.expectCommand(bus.Join, "one", c)
	first.answer(cmd)
	c.expect(joined("one", c))
	c.leave("two")
	o.result(o.expectCommand(bus.Leave, "two", c), bus.NotIn)
	c.expect(notIn("two"))
	c.join("three")
	o.result(o.expectCommand(bus.Join, "three", c), bus.NotExists)
	c.expect(&api.RoomNotExists{Room: "three"})
}

// expectRefusal asserts that a handshake is refused as too many.
func expectRefusal(t *testing.T, resp *http.Response, err error, message string) {
	t.Helper()
	if err == nil || resp == nil {
		t.Fatalf("%v, %v: it was let in", resp, err)
	}
	body, _ := io.ReadAll(resp.Body)
	after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != http.StatusTooManyRequests || after < 1 || !strings.Contains(string(body), `"message":"`+message+`"`) {
		t.Errorf("%d, Retry-After %d, %s", resp.StatusCode, after, body)
	}
}

func TestHandshakesHaveARate(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		present := w.connect()
		w.connect()
		for _, path := range []string{"/ws", sioPath} {
			_, resp, err := w.tryDial(path, nil)
			expectRefusal(t, resp, err, "too many clients come at once")
		}
		present.leave(lobby)
		present.expect(notIn(lobby))
		pass(time.Second)
		w.connect()
	}, tuned(t, "GATEWAY_RATE_HANDSHAKES", "1:2"))
}

const sioPath = "/socket.io/?transport=websocket&EIO=4"

func (g *running) sioURL() string {
	return strings.TrimSuffix(g.url(), "/ws") + sioPath
}

// forwarded is what a proxy adds to a request of the address.
func forwarded(list ...string) http.Header { return http.Header{"X-Forwarded-For": list} }

func TestEachAddressHasItsHandshakes(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		tryDial := func(list ...string) (*http.Response, error) {
			_, resp, err := w.tryDial("/ws", forwarded(list...))
			return resp, err
		}
		if _, err := tryDial("203.0.113.1"); err != nil {
			t.Fatal(err)
		}
		for _, again := range [][]string{
			{"203.0.113.1"},
			{"198.51.100.1, 203.0.113.1"},               // what the client itself has written is not believed
			{"198.51.100.1", "203.0.113.1"},             // nor in a line of its own
			{"203.0.113.1, 10.1.2.3, 127.0.0.1"},        // through more proxies of ours
			{"::ffff:203.0.113.1"},                      // the same
			{"203.0.113.1:5555"},                        // with a port
			{"198.51.100.1, x, 203.0.113.1 , 10.0.0.9"}, //
		} {
			resp, err := tryDial(again...)
			expectRefusal(t, resp, err, "too many clients come from this address at once")
		}
		for _, other := range []string{"203.0.113.2", "2001:db8:0:1::1", "2001:db8:0:2::1"} {
			if _, err := tryDial(other); err != nil {
				t.Errorf("%s: %v", other, err)
			}
		}
		resp, err := tryDial("2001:db8:0:1:ffff::2")
		expectRefusal(t, resp, err, "too many clients come from this address at once")
		_, resp, err = w.tryDial(sioPath, forwarded("203.0.113.2"))
		expectRefusal(t, resp, err, "too many clients come from this address at once")
	}, tuned(t, "GATEWAY_RATE_HANDSHAKES_PER_ADDRESS", "1:1", "GATEWAY_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"))
}

func TestNobodyIsBelievedWhoIsNoProxy(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		for range 3 { // loopback, which has no such limit
			if _, _, err := w.tryDial("/ws", forwarded("203.0.113.1")); err != nil {
				t.Fatal(err)
			}
		}
	}, tuned(t, "GATEWAY_RATE_HANDSHAKES_PER_ADDRESS", "1:1", "GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8"))
}

func TestAnAddressHasSoManyClients(t *testing.T) {
	g := limited(t, natstest.RunTCP(t), "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS", "2", "GATEWAY_TRUSTED_PROXIES", "127.0.0.1")
	const full = "too many clients are connected from this address"
	first, _, err := g.tryDial(g.url(), forwarded("203.0.113.1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.tryDial(g.url(), forwarded("203.0.113.1")); err != nil {
		t.Fatal(err)
	}
	_, resp, err := g.tryDial(g.url(), forwarded("203.0.113.1"))
	expectRefusal(t, resp, err, full)
	sio, _, err := g.tryDial(g.sioURL(), forwarded("203.0.113.1"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, _ = sio.ReadMessage()
	_ = sio.WriteMessage(websocket.TextMessage, []byte("40"))
	if _, got, err := sio.ReadMessage(); err != nil || !strings.HasPrefix(string(got), `44{"message":"`+full+`"`) {
		t.Errorf("%s, %v", got, err)
	}
	if _, _, err := g.tryDial(g.url(), forwarded("203.0.113.2")); err != nil {
		t.Error(err)
	}
	_ = first.Close()
	g.eventually("a free place", func() bool {
		ws, _, err := g.tryDial(g.url(), forwarded("203.0.113.1"))
		return err == nil && ws != nil
	})
}

func TestAGatewayHasSoManyConnections(t *testing.T) {
	g := limited(t, natstest.RunTCP(t), "GATEWAY_MAX_CONNECTIONS", "2")
	c := g.connect()
	idle, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = idle.Write([]byte("GET / HT")) // one that says nothing is left to the system for a while
	_, resp, err := g.tryDial(g.url(), nil)
	if err == nil || (resp != nil && resp.StatusCode != http.StatusServiceUnavailable) {
		t.Fatalf("%v, %v", resp, err)
	}
	c.leave(lobby)
	c.expect(notIn(lobby))
	_ = idle.Close()
	g.eventually("a free place", func() bool {
		_, _, err := g.tryDial(g.url(), nil)
		return err == nil
	})
}

func TestThePROXYProtocol(t *testing.T) {
	g := limited(t, natstest.RunTCP(t), "GATEWAY_PROXY_PROTOCOL", "true", "GATEWAY_TRUSTED_PROXIES", "127.0.0.1",
		"GATEWAY_MAX_CONNECTIONS_PER_ADDRESS", "1")
	tryDial := func(version byte, from string) (*http.Response, error) {
		d := websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil || version == 0 {
				return nc, err
			}
			h := proxyproto.HeaderProxyFromAddrs(version, &net.TCPAddr{IP: net.ParseIP(from), Port: 1}, nc.RemoteAddr())
			_, err = h.WriteTo(nc)
			return nc, err
		}}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		ws, resp, err := d.DialContext(ctx, g.url(), nil)
		if err == nil {
			t.Cleanup(func() { _ = ws.Close() })
			if _, frame, err := ws.ReadMessage(); err != nil || !strings.Contains(string(frame), "welcome") {
				t.Errorf("%s, %v", frame, err)
			}
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"event":"room-leave","room":"r"}`))
			if _, frame, err := ws.ReadMessage(); err != nil || !strings.Contains(string(frame), "not-in-room") {
				t.Errorf("%s, %v", frame, err)
			}
		}
		return resp, err
	}
	for _, version := range []byte{1, 2} {
		from := "203.0.113." + strconv.Itoa(int(version))
		if _, err := tryDial(version, from); err != nil {
			t.Fatal(err)
		}
		resp, err := tryDial(version, from)
		expectRefusal(t, resp, err, "too many clients are connected from this address")
	}
	if resp, err := tryDial(0, ""); err == nil {
		t.Errorf("a trusted proxy without a header: %v", resp)
	}
}

// Who is no trusted proxy and sends a PROXY header all the same sends no HTTP.
func TestThePROXYProtocolOfOthers(t *testing.T) {
	g := limited(t, natstest.RunTCP(t), "GATEWAY_PROXY_PROTOCOL", "true", "GATEWAY_TRUSTED_PROXIES", "203.0.113.1")
	nc, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(nc, "PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\nGET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	line, err := bufio.NewReader(nc).ReadString('\n')
	if err != nil || line != "HTTP/1.1 400 Bad Request\r\n" {
		t.Errorf("%q, %v", line, err)
	}
	g.connect() // others need no header
}

func TestPingsHaveARate(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		polite, c := w.connect(), w.connect()
		ws, _, err := w.tryDial("/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		pongs := 0
		ws.SetPongHandler(func(string) error {
			pongs++
			return nil
		})
		var sender sync.WaitGroup
		sender.Go(func() {
			for n := range 100 {
				if ws.WriteControl(websocket.PingMessage, []byte(strconv.Itoa(n)), time.Now().Add(patience)) != nil {
					return
				}
			}
		})
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		for err == nil {
			_, _, err = ws.ReadMessage()
		}
		sender.Wait()
		if !websocket.IsCloseError(err, int(api.CloseRateLimited)) {
			t.Error(err)
		}
		if pongs != 20 {
			t.Errorf("%d pings were answered", pongs)
		}
		for _, other := range []*client{polite, c} {
			other.leave(lobby)
			other.expect(notIn(lobby))
		}
	}, tuned(t, "GATEWAY_RATE_REFUSALS", "1:5"))
}

func TestIdleClients(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		silent, member, visitor := w.connect(), w.connect(), w.connect()
		w.owner.open(lobby, member) // it waits for others
		visitor.leave(lobby)
		visitor.expect(notIn(lobby))
		started := time.Now()
		silent.expectClose(api.CloseIdle)
		within(t, "closing a client that is silent", time.Since(started), 10*time.Second, 10*time.Second)
		pass(45 * time.Second)
		visitor.expectNothing()
		visitor.expectClose(api.CloseIdle)
		within(t, "closing a client in no room", time.Since(started), time.Minute, time.Minute)
		pass(5 * time.Minute)
		member.join("elsewhere")
		w.owner.result(w.owner.expectCommand(bus.Join, "elsewhere", member), bus.NotExists)
		member.expect(&api.RoomNotExists{Room: "elsewhere"})
	}, tuned(t, "GATEWAY_FIRST_COMMAND_TIMEOUT", "10s", "GATEWAY_IDLE_TIMEOUT", "1m"))
}

// The Socket.IO door has the same limits. The hint is one argument more.
func TestLimitsOfTheSocketIODoor(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		ws, _, err := w.tryDial(sioPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		next := func() string {
			t.Helper()
			_, frame, err := ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			return string(frame)
		}
		next()
		_ = ws.WriteMessage(websocket.TextMessage, []byte("40"))
		next()
		var sender sync.WaitGroup
		sender.Go(func() {
			for range 20 {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(`421["room-leave","lobby"]`))
			}
		})
		if got := next() + next(); got != `42["not-in-room","lobby"]431["not-in-room","lobby"]` {
			t.Error(got)
		}
		for range 2 {
			if got := next(); got != `42["error","too many commands at once","rate-limited",1000]` {
				t.Error(got)
			}
			if got := next(); got != `431["error","too many commands at once","rate-limited",1000]` {
				t.Error(got)
			}
		}
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		for err == nil {
			_, _, err = ws.ReadMessage()
		}
		if !websocket.IsCloseError(err, int(api.CloseRateLimited)) {
			t.Error(err)
		}
		sender.Wait()
	}, tuned(t, "GATEWAY_RATE_COMMANDS", "1:1", "GATEWAY_RATE_REFUSALS", "1:2"))
}

func TestRequestsThatAreNoHandshakes(t *testing.T) {
	g := limited(t, natstest.RunTCP(t))
	nc, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(nc, "GET /ws HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: a\r\n b: c\r\nX: "+strings.Repeat("x", 20<<10)+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err == nil && (resp.StatusCode < 400 || resp.StatusCode >= 500) {
		t.Errorf("%d", resp.StatusCode)
	}
}
