package wsock

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// deferred: a request is there when its connection is accepted. Elsewhere either may come first.
const deferred = runtime.GOOS == "linux"

// newFront starts a server of the handler behind a Front.
func newFront(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = NewFront(l, h, slog.New(slog.DiscardHandler))
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// head is a request's. Lines replace those with the same field name, or are added.
func head(first string, lines ...string) string {
	fields := []string{
		"Host: example.org", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		found := false
		for i := range fields {
			if strings.HasPrefix(fields[i], name+":") {
				fields[i], found = line, true
				if value == "" {
					fields = append(fields[:i], fields[i+1:]...)
				}
				break
			}
		}
		if !found {
			fields = append(fields, line)
		}
	}
	return first + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

const usualFirst = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1"

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

// exchange sends the parts, one after the other, and returns the answer.
func exchange(t *testing.T, s *httptest.Server, parts ...string) answer {
	t.Helper()
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	for i, part := range parts {
		if i > 0 {
			time.Sleep(20 * time.Millisecond) // whether it comes in one packet or two must make no difference
		}
		if _, err := io.WriteString(nc, part); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(err)
	}
	return answer{resp, string(body)}
}

func TestWhoServesARequest(t *testing.T) {
	s := newFront(t, func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(*response); ok {
			w.Header().Set("By", "front")
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no")
	})
	long := "Cookie: " + strings.Repeat("x", inputBuffer)
	for name, c := range map[string]struct {
		parts []string
		front bool
		want  int
	}{
		"a handshake":                {[]string{head(usualFirst)}, true, 403},
		"a handshake of a browser":   {[]string{head(usualFirst, "Origin: https://example.org", "Cookie: a=b", "Connection: keep-alive, Upgrade")}, true, 403},
		"in two packets":             {[]string{head(usualFirst)[:40], head(usualFirst)[40:]}, false, 403},
		"something behind it":        {[]string{head(usualFirst) + "\x81\x80"}, false, 403},
		"two requests":               {[]string{head(usualFirst) + head(usualFirst)}, false, 403},
		"a page":                     {[]string{head("GET / HTTP/1.1", "Upgrade:", "Connection:")}, false, 403},
		"a page of the word":         {[]string{head("GET /websocket HTTP/1.1", "Upgrade:", "Connection:")}, false, 403},
		"another protocol":           {[]string{head(usualFirst, "Upgrade: h2c, x-websocket")}, false, 403},
		"POST":                       {[]string{head("POST /ws HTTP/1.1", "Content-Length: 0")}, false, 403},
		"a body":                     {[]string{head(usualFirst, "Content-Length: 4") + "abcd"}, false, 403},
		"a body to come":             {[]string{head(usualFirst, "Content-Length: 4", "Expect: 100-continue")}, false, 403},
		"chunks":                     {[]string{head(usualFirst, "Transfer-Encoding: chunked") + "0\r\n\r\n"}, false, 403},
		"HTTP/1.0":                   {[]string{head("GET /ws HTTP/1.0")}, false, 403},
		"a later HTTP":               {[]string{head("GET /ws HTTP/2.0")}, false, 505},
		"an absolute address":        {[]string{head("GET http://example.org/ws HTTP/1.1")}, false, 403},
		"no host":                    {[]string{head(usualFirst, "Host:")}, false, 400},
		"two hosts":                  {[]string{head(usualFirst, "X-A: b\r\nHost: other.example")}, false, 400},
		"a bad host":                 {[]string{head(usualFirst, "Host: exa mple/")}, false, 400},
		"a bad field":                {[]string{head(usualFirst, "X A: b")}, false, 400},
		"a bad value":                {[]string{head(usualFirst, "X-A: \x01")}, false, 400},
		"lines that end by LF":       {[]string{strings.ReplaceAll(head(usualFirst), "\r\n", "\n")}, false, 403},
		"an end by LF in the middle": {[]string{"GET /ws HTTP/1.1\nHost: a\n\n" + head(usualFirst)}, false, 403},
		"a head that is long":        {[]string{head(usualFirst, long)}, false, 403},
		"no HTTP":                    {[]string{"websocket\r\n\r\n"}, false, 400},
	} {
		t.Run(name, func(t *testing.T) {
			resp := exchange(t, s, c.parts...)
			front := resp.Header.Get("By") == "front"
			if front != c.front && (front || deferred) || resp.StatusCode != c.want {
				t.Errorf("by the front: %t, status %d", front, resp.StatusCode)
			}
			if front && (resp.body != "no" || !resp.Close || resp.ContentLength != 2 || resp.Header.Get("Date") == "") {
				t.Errorf("%+v", resp)
			}
		})
	}
}

func TestAHandshakeBehindAFront(t *testing.T) {
	u := NewUpgrader(Options{})
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	byFront := make(chan bool, 2)
	s := newFront(t, func(w http.ResponseWriter, r *http.Request) {
		_, ok := w.(*response)
		byFront <- ok
		c, err := u.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		wg.Go(func() {
			echo(c)
			c.Finish()
		})
	})
	ws := dialURL(t, s.URL)
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := ws.ReadMessage(); err != nil || string(got) != "hello" || !<-byFront && deferred {
		t.Errorf("%q, %v", got, err)
	}
	// What the server has read, and hands out with the connection, it has read to the end.
	resp := exchange(t, s, head(usualFirst)[:40], head(usualFirst)[40:])
	if resp.StatusCode != http.StatusSwitchingProtocols || <-byFront {
		t.Errorf("%+v", resp)
	}
}

func TestABusyHandlerHoldsUpNobody(t *testing.T) {
	release := make(chan struct{})
	var held atomic.Int32
	s := newFront(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			held.Add(1)
			<-release
		}
		w.WriteHeader(http.StatusForbidden)
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	const many = 3 * frontKept
	for range many {
		wg.Go(func() {
			if resp := exchange(t, s, head("GET /held HTTP/1.1")); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%+v", resp)
			}
		})
	}
	for held.Load() < many {
		if resp := exchange(t, s, head(usualFirst)); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%+v", resp)
		}
	}
}

func TestAHandlerThatPanics(t *testing.T) {
	s := newFront(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("x")
		}
	})
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(nc, head("GET /panic HTTP/1.1"))
	if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if resp := exchange(t, s, head(usualFirst)); resp.StatusCode != http.StatusOK {
		t.Errorf("%+v", resp)
	}
}

// faulty is a listener that fails now and then.
type faulty struct {
	net.Listener
	faults atomic.Int32
}

var errFault = &net.OpError{Op: "accept", Err: temporaryError{}}

type temporaryError struct{}

func (temporaryError) Error() string   { return "too many open files" }
func (temporaryError) Timeout() bool   { return false }
func (temporaryError) Temporary() bool { return true }

func (l *faulty) Accept() (net.Conn, error) {
	if l.faults.Add(-1) >= 0 {
		return nil, errFault
	}
	return l.Listener.Accept()
}

func TestAListenerThatFailsForAWhile(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	l := &faulty{Listener: s.Listener}
	l.faults.Store(5)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	s.Config.Handler, s.Config.ErrorLog = h, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Listener = NewFront(l, h, slog.New(slog.DiscardHandler))
	s.Start()
	defer s.Close()
	if resp := exchange(t, s, head(usualFirst)); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%+v", resp)
	}
}

func TestAFrontThatIsClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := NewFront(l, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\n\r\n")
	got, err := f.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	_ = f.Close()
	_ = f.Close()
	if _, err := f.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestWhatTheServerDoesNotTakeWaits(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := NewFront(l, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	dial := func() {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\n\r\n")
	}
	take := func() {
		nc, err := f.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.Close()
	}
	dial()
	take()
	before := runtime.NumGoroutine()
	const many = 50
	for range many {
		dial()
	}
	if n := runtime.NumGoroutine() - before; n > many/2 {
		t.Errorf("%d goroutines more", n)
	}
	for range many {
		take()
	}
	_ = f.Close()
}

// oneConn is a listener for one connection.
type oneConn struct {
	nc   chan net.Conn
	addr net.Addr
}

func (l oneConn) Accept() (net.Conn, error) {
	if nc, ok := <-l.nc; ok {
		return nc, nil
	}
	return nil, net.ErrClosed
}
func (oneConn) Close() error     { return nil }
func (l oneConn) Addr() net.Addr { return l.addr }

// seen is what a handler may look at.
func seen(r *http.Request) string {
	return fmt.Sprintf("%s %s %s %s %s %v %d %v %v %t", r.Method, r.RequestURI, r.URL, r.Proto, r.Host, r.Header, r.ContentLength,
		r.TransferEncoding, r.Trailer, r.Close)
}

// FuzzHandshake compares with net/http's server: what the Front takes for a handshake is the one request that the server sees.
func FuzzHandshake(f *testing.F) {
	for _, lines := range [][]string{
		nil,
		{"Origin: https://a.example"},
		{"Host:"},
		{"Host: a\r\nHost: b"},
		{"Content-Length: 1"},
		{"Transfer-Encoding: chunked"},
		{"Upgrade: WebSocket"},
		{"Connection: close"},
		{"X: \x7f"},
		{"X: y\r\n z"},
		{"Trailer: X"},
		{"Pragma: no-cache"},
	} {
		f.Add([]byte(head(usualFirst, lines...)))
	}
	f.Add([]byte(head("GET //a/../ws?%zz HTTP/1.1")))
	f.Fuzz(func(t *testing.T, b []byte) {
		q := handshakeBuffers.Get().(*buffers)
		defer q.release()
		r := q.handshakeOf(b)
		if r == nil {
			return
		}
		if again := q.handshakeOf(b); seen(again) != seen(r) || !reflect.DeepEqual(again.URL, r.URL) {
			t.Fatalf("%s, then %s", seen(r), seen(again))
		}
		if got := byServer(t, b); got != seen(r) {
			t.Fatalf("%s, and by the server %s", seen(r), got)
		}
	})
}

// byServer is what the handler of net/http's server sees of the first request.
func byServer(t *testing.T, b []byte) string {
	requests := make(chan string, 2)
	s := &http.Server{
		Handler:  http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- seen(r) }),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	client, server := net.Pipe()
	l := oneConn{nc: make(chan net.Conn, 1), addr: server.LocalAddr()}
	l.nc <- server
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = s.Serve(l) })
	wg.Go(func() { _, _ = client.Write(b) })
	defer func() {
		_ = client.Close()
		close(l.nc)
		_ = s.Close()
	}()
	_ = client.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	select {
	case first := <-requests:
		return first
	default:
		return resp.Status
	}
}
