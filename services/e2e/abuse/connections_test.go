package abuse

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalling/services/e2e/labtest"
)

// Upgrades that never come to their end cost a goroutine and a file each, and end after 10 s.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	v := attack(t)
	const n = 300
	all := v.connect(n)
	request := upgradeRequest(v.addr(), "")
	v.during(func() {
		for i := range 20 { // a byte of each from time to time
			for _, nc := range all {
				_, _ = io.WriteString(nc, request[i:i+1])
			}
		}
		v.holds(32, n+slack, n+slack)
		ended(t, all)
	})
	v.recovers()
}

// Bodies of polls that never come to their end, and connections on which nothing is ever said.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	v := attack(t, "GATEWAY_PING_INTERVAL=2s", "GATEWAY_PING_TIMEOUT=8s", "GATEWAY_COMMAND_TIMEOUT=5s")
	const n = 200
	silent := v.connect(n)
	var vanished []net.Conn // WebSockets of machines that have lost their power: they answer nothing
	for _, nc := range v.connect(n) {
		if _, err := io.WriteString(nc, upgradeRequest(v.addr(), "")); err != nil {
			t.Fatal(err)
		}
		vanished = append(vanished, nc)
	}
	v.during(func() {
		v.eventually("the WebSockets", func() bool {
			return v.metric(`signalling_gateway_connections{door="native"}`) == n+2
		})
		v.holds(32, 2*n+slack, 2*n+slack)
		ended(t, vanished)
		ended(t, silent)
	})
	v.recovers()
}

// Requests whose bodies do not come are not awaited for ever, whatever they ask for.
func TestBodiesThatDoNotCome(t *testing.T) {
	t.Parallel()
	v := attack(t)
	v.during(func() {
		var all []net.Conn
		for _, path := range []string{
			"/ws", "/ice-servers", "/socket.io/?EIO=4&transport=polling", "/client.mjs", "/", "/nowhere",
		} {
			for _, more := range []string{
				"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
			} {
				for i, nc := range v.connect(10) {
					method := []string{"GET", "POST"}[i%2]
					_, _ = io.WriteString(nc, method+" "+path+" HTTP/1.1\r\nHost: "+v.addr()+"\r\n"+more+"\r\n")
					all = append(all, nc)
				}
			}
		}
		ended(t, all)
	})
	v.recovers()
}

// Compression is not offered, so that nothing can grow by it: a compressed frame is an error.
func TestCompressionBomb(t *testing.T) {
	t.Parallel()
	v := attack(t)
	v.during(func() {
		for range 20 {
			nc := v.connect(1)[0]
			offer := "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
			_, _ = io.WriteString(nc, upgradeRequest(v.addr(), offer))
			resp := make([]byte, 4096)
			_ = nc.SetReadDeadline(time.Now().Add(labtest.Patience))
			k, err := nc.Read(resp)
			head := strings.ToLower(string(resp[:k]))
			if err != nil || !strings.HasPrefix(head, "http/1.1 101") || strings.Contains(head, "permessage-deflate") {
				t.Fatalf("%s, %v", head, err)
			}
			// A text frame with RSV1 set (RFC 7692 section 6), 6 bytes that would be megabytes.
			_, _ = nc.Write([]byte{0xc1, 0x86, 0, 0, 0, 0, 0xec, 0xc1, 0x01, 0x01, 0x00, 0x00})
			rest, _ := io.ReadAll(nc)
			if i := strings.Index(string(resp[:k])+string(rest), "\x88"); i < 0 || !strings.Contains(string(rest)+string(resp[:k]), "\x03\xea") {
				t.Errorf("no close with 1002 but %x", rest)
			}
		}
	})
	v.holds(16, 20+slack, 20+slack)
	v.recovers()
}

// Who pings without end is not answered without end, and then closed.
func TestPingFlood(t *testing.T) {
	t.Parallel()
	v := attack(t)
	v.during(func() {
		for range 5 {
			c, resp, err := websocket.DefaultDialer.DialContext(labtest.Context(t), v.URLOf(0), nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			frame := strings.Repeat("\x89\x80\x00\x00\x00\x00", 1000)
			for range 50 { // 50,000 pings
				_ = c.NetConn().SetWriteDeadline(time.Now().Add(labtest.Patience))
				if _, err := io.WriteString(c.NetConn(), frame); err != nil {
					break
				}
			}
			_ = c.SetReadDeadline(time.Now().Add(labtest.Patience))
			for err == nil {
				_, _, err = c.ReadMessage()
			}
			_ = c.Close()
			if !websocket.IsCloseError(err, 4004) {
				t.Errorf("it ended with %v", err)
				return
			}
		}
	})
	v.holds(32, 5+slack, 5+slack)
	if n := v.metric(`signalling_gateway_limited_total{limit="pings"}`); n < 5*1000 {
		t.Errorf("%v pings were refused", n)
	}
}

// Headers that try to become others, and those that are too long.
func TestHeaderInjection(t *testing.T) {
	t.Parallel()
	v := attack(t, "GATEWAY_ORIGINS=*")
	const evil = "Set-Cookie: evil=1"
	for _, more := range []string{
		"Origin: http://x\r\n " + evil + "\r\n",  // a folded line
		"Origin: http://x\r" + evil + "\r\n",     // a lone carriage return
		"Origin: http://x\x00" + evil + "\r\n",   // a zero
		"Origin: http://x%0d%0a" + evil + "\r\n", // escapes
		"Sec-WebSocket-Protocol: signalling.v1\r\n\t" + evil + "\r\n",
		"X-Forwarded-For: 1.1.1.1\r\n\t" + evil + "\r\n",
		"Access-Control-Request-Headers: x\r\n " + evil + "\r\n",
		"Host: second\r\n",
		"X: " + strings.Repeat("x", 64<<10) + "\r\n",
		strings.Repeat("X: y\r\n", 20_000),
	} {
		for _, path := range []string{"/ws", "/socket.io/?EIO=4&transport=polling", "/ice-servers"} {
			nc := v.connect(1)[0]
			request := strings.Replace(upgradeRequest(v.addr(), more), "/ws", path, 1)
			_ = nc.SetDeadline(time.Now().Add(labtest.Patience))
			_, _ = io.WriteString(nc, request)
			buf := make([]byte, 8192)
			k, _ := nc.Read(buf)
			head, _, _ := strings.Cut(string(buf[:k]), "\r\n\r\n")
			if tooLong := len(more) > 16<<10; tooLong && head != "" && !strings.HasPrefix(head, "HTTP/1.1 431 ") {
				t.Errorf("%d bytes of headers at %s are answered %q", len(more), path, head)
			}
			for line := range strings.SplitSeq(head, "\r\n") {
				if strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "set-cookie") {
					t.Errorf("%.60q at %s became a header: %q", more, path, head)
				}
			}
			_ = nc.Close()
		}
	}
	v.serves()
	v.recovers()
}

// Nobody opens more connections than there may be; who is there does not notice.
func TestConnectionFlood(t *testing.T) {
	t.Parallel()
	v := attack(t, "GATEWAY_MAX_CONNECTIONS=50")
	v.during(func() {
		for range 10 {
			for _, nc := range v.connect(100) {
				_, _ = io.WriteString(nc, "GET /")
			}
		}
	})
	v.holds(32, 60+slack, 60+slack)
	v.eventually("the others are refused", func() bool {
		return v.metric(`signalling_gateway_limited_total{limit="connections"}`) >= 900
	})
}

// The doors want no origin of programs, their own of browsers, and no other.
func TestForeignOrigin(t *testing.T) {
	t.Parallel()
	v := attack(t)
	for _, origin := range []string{
		"https://evil.example", "null", "http://127.0.0.1.evil.example", "http://evil.example:80/127.0.0.1",
	} {
		_, resp, err := websocket.DefaultDialer.DialContext(t.Context(), v.URLOf(0), http.Header{"Origin": {origin}})
		if err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v, %v", origin, resp, err)
		}
		poll := "http://" + v.addr() + "/socket.io/?EIO=4&transport=polling"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, poll, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		resp, err = pages.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", origin, resp.StatusCode, resp.Header)
		}
	}
}
