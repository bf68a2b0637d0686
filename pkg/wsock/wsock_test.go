package wsock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server accepts connections, hands each to serve on a goroutine of its own, and finishes it when serve returns.
type server struct {
	*httptest.Server
	wg sync.WaitGroup // what dial has asked for; the HTTP server does not wait for a hijacked connection's handler
}

func newServer(t testing.TB, o Options, serve func(*Conn)) *server {
	t.Helper()
	u := NewUpgrader(o)
	s := new(server)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			s.wg.Done()
			return
		}
		go func() {
			defer s.wg.Done()
			serve(c)
			c.Finish()
		}()
	}))
	t.Cleanup(func() {
		s.Close()
		s.wg.Wait()
	})
	return s
}

func (s *server) dial(t testing.TB) *websocket.Conn {
	t.Helper()
	s.wg.Add(1)
	return dialURL(t, s.URL)
}

// dialURL connects to a server of the test. What it waits for must come in time.
func dialURL(t testing.TB, url string) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// drain reads until the connection ends and returns how.
func drain(c *Conn) error {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			return err
		}
	}
}

func echo(c *Conn) {
	for {
		op, msg, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.Send(Seal(op, append(Begin(len(msg)), msg...))); err != nil {
			return
		}
	}
}

func TestMessagesOfEveryLengthClassComeBack(t *testing.T) {
	ws := newServer(t, Options{}, echo).dial(t)
	for _, n := range []int{0, 1, 125, 126, 4096, 65535, 65536, 256 << 10} {
		for _, op := range []int{OpText, OpBinary} {
			want := bytes.Repeat([]byte("x"), n)
			if err := ws.WriteMessage(op, want); err != nil {
				t.Fatal(err)
			}
			gotOp, got, err := ws.ReadMessage()
			if err != nil || gotOp != op || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: op %d, %d bytes, %v", n, gotOp, len(got), err)
			}
		}
	}
}

func TestFrameHeaders(t *testing.T) {
	for n, header := range map[int][]byte{
		0: {0x81, 0}, 125: {0x81, 125}, 126: {0x81, 126, 0, 126}, 65535: {0x81, 126, 0xff, 0xff},
		65536: {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0},
	} {
		f := TextFrame(bytes.Repeat([]byte{'x'}, n))
		if !bytes.HasPrefix(f, header) || len(f) != len(header)+n || len(f.Payload()) != n {
			t.Errorf("%d bytes: header % x of %d", n, f[:min(10, len(f))], len(f))
		}
	}
	if f := BinaryFrame([]byte{7}); f[0] != 0x82 {
		t.Errorf("binary frame begins with %x", f[0])
	}
}

// A message that is too long, and the ways of a message that is no message, end the connection with their codes, and the
// code reaches a client that has written more than the server reads.
func TestEndsThatTheServerStarts(t *testing.T) {
	cases := []struct {
		name  string
		write func(ws *websocket.Conn) error
		code  int
	}{
		{"too long", func(ws *websocket.Conn) error { return ws.WriteMessage(OpText, make([]byte, 3<<20)) }, 1009},
		{"invalid UTF-8", func(ws *websocket.Conn) error { return ws.WriteMessage(OpText, []byte{0xff}) }, 1007},
		{"unknown opcode", raw(0x83, 0x80, 0, 0, 0, 0), 1002},
		{"reserved bit", raw(0xc1, 0x80, 0, 0, 0, 0), 1002},
		{"not masked", raw(0x81, 0x00), 1002},
		{"fragmented ping", raw(0x09, 0x80, 0, 0, 0, 0), 1002},
		{"continuation of nothing", raw(0x80, 0x80, 0, 0, 0, 0), 1002},
		{"close code that must not be sent", raw(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed), 1002},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ended := make(chan error, 1)
			ws := newServer(t, Options{ReadLimit: 1000}, func(c *Conn) { ended <- drain(c) }).dial(t)
			go func() { _ = c.write(ws) }() // may fail when the server closes first
			_, _, err := ws.ReadMessage()
			if !websocket.IsCloseError(err, c.code) {
				t.Errorf("the client got %v, want code %d", err, c.code)
			}
			var closed *CloseError
			if err := <-ended; !errors.As(err, &closed) || closed.Code != c.code {
				t.Errorf("the server's reader got %v, want code %d", err, c.code)
			}
		})
	}
}

func raw(b ...byte) func(*websocket.Conn) error {
	return func(ws *websocket.Conn) error {
		_, err := ws.NetConn().Write(b)
		return err
	}
}

func TestTheClientsCloseIsAnsweredWithItsCode(t *testing.T) {
	ended := make(chan error, 1)
	ws := newServer(t, Options{}, func(c *Conn) { ended <- drain(c) }).dial(t)
	if err := ws.WriteControl(opClose, websocket.FormatCloseMessage(1000, "bye"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 1000) {
		t.Errorf("the client got %v", err)
	}
	if _, err := ws.NetConn().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the server did not end TCP: %v", err)
	}
	var closed *CloseError
	if err := <-ended; !errors.As(err, &closed) || closed.Code != 1000 || closed.Reason != "bye" {
		t.Errorf("the server's reader got %v", err)
	}
}

func TestCloseComesAfterWhatIsQueued(t *testing.T) {
	ws := newServer(t, Options{QueueFrames: 5000}, func(c *Conn) {
		for i := range 3000 {
			if err := c.Queue(TextFrame(fmt.Append(nil, i))); err != nil {
				t.Error(i, err)
			}
		}
		c.Close(4000, "done")
		c.Close(4001, "too late")
		if err := c.Send(pingFrame); !errors.Is(err, ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		_ = drain(c)
	}).dial(t)
	for i := range 3000 {
		if _, msg, err := ws.ReadMessage(); err != nil || string(msg) != fmt.Sprint(i) {
			t.Fatalf("message %d: %q, %v", i, msg, err)
		}
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, 4000) {
		t.Errorf("got %v", err)
	}
}

func TestPingsAreAnsweredAndHeard(t *testing.T) {
	heard := make(chan struct{})
	ws := newServer(t, Options{}, func(c *Conn) {
		if c.Heard() {
			t.Error("heard before anything came")
		}
		_, _, _ = c.ReadMessage()
		if !c.Heard() || c.Heard() {
			t.Error("want to hear once")
		}
		if err := c.Ping(); err != nil {
			t.Error(err)
		}
		close(heard)
		_ = drain(c)
		if !c.Heard() {
			t.Error("the pong was not heard")
		}
	}).dial(t)
	var pinged, ponged bool
	ping := ws.PingHandler()
	ws.SetPingHandler(func(d string) error { pinged = true; return ping(d) })
	ws.SetPongHandler(func(d string) error {
		ponged = true
		if d != "hello" {
			t.Errorf("pong %q", d)
		}
		return ws.WriteControl(opClose, websocket.FormatCloseMessage(1000, ""), time.Time{})
	})
	_ = ws.WriteMessage(OpText, []byte("x"))
	<-heard
	_ = ws.WriteControl(opPing, []byte("hello"), time.Time{})
	_, _, _ = ws.ReadMessage()
	if !pinged || !ponged {
		t.Errorf("pinged %v, ponged %v", pinged, ponged)
	}
}

// A peer that reads nothing fills its own queue and nothing else; Abort ends it although a write is stuck.
func TestAPeerThatReadsNothingIsBounded(t *testing.T) {
	ended := make(chan struct{})
	newServer(t, Options{QueueFrames: 100, CloseTimeout: 50 * time.Millisecond}, func(c *Conn) {
		defer close(ended)
		f := TextFrame(make([]byte, 64<<10))
		for {
			if err := c.Send(f); errors.Is(err, ErrQueueFull) {
				break
			} else if err != nil {
				t.Error(err)
				return
			}
			if frames, n := c.Pending(); frames > 100 || n > 4<<20 {
				t.Errorf("%d frames, %d bytes wait", frames, n)
			}
		}
		c.Abort(4000, "slow consumer")
		var closed *CloseError
		if err := drain(c); !errors.As(err, &closed) || closed.Code != 4000 {
			t.Errorf("reader: %v", err)
		}
	}).dial(t)
	<-ended
}

// A peer that pauses and then reads gets every frame once and in order, whatever part of them the kernel took at first.
func TestAPeerThatPausesLosesNothing(t *testing.T) {
	full := make(chan int, 1)
	ws := newServer(t, Options{QueueFrames: 1 << 20, QueueBytes: 64 << 20}, func(c *Conn) {
		n := 0
		for ; ; n++ {
			f := binary.BigEndian.AppendUint32(Begin(4096), uint32(n))
			if err := c.Send(Seal(OpBinary, append(f, make([]byte, n%4096)...))); err != nil {
				t.Error(err)
			}
			if frames, _ := c.Pending(); frames > 500 {
				break
			}
		}
		full <- n
		_ = drain(c)
	}).dial(t)
	last := <-full
	for i := range last + 1 {
		if _, msg, err := ws.ReadMessage(); err != nil || int(binary.BigEndian.Uint32(msg)) != i || len(msg) != 4+i%4096 {
			t.Fatalf("frame %d of %d: %d bytes, %v", i, last, len(msg), err)
		}
	}
}

func TestManySendersOneOrderEach(t *testing.T) {
	const senders, each = 8, 2000
	ws := newServer(t, Options{QueueFrames: senders * each, QueueBytes: 1 << 30}, func(c *Conn) {
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range each {
					if err := c.Send(TextFrame(fmt.Appendf(nil, "%d %d", s, i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		_ = drain(c)
	}).dial(t)
	var next [senders]int
	for range senders * each {
		_, msg, err := ws.ReadMessage()
		var s, i int
		if _, scan := fmt.Sscan(string(msg), &s, &i); err != nil || scan != nil || i != next[s] {
			t.Fatalf("got %q, %v, want %d", msg, err, next[s])
		}
		next[s]++
	}
	if err := ws.WriteMessage(OpText, nil); err != nil {
		t.Fatal(err)
	}
}

// When the network ends, both the reader and a stuck writer do.
func TestTheNetworksEndEndsAll(t *testing.T) {
	s := newServer(t, Options{QueueFrames: 1 << 20, QueueBytes: 1 << 30}, func(c *Conn) {
		for range 500 {
			_ = c.Send(TextFrame(make([]byte, 64<<10)))
		}
		var closed *CloseError
		if err := drain(c); errors.As(err, &closed) {
			t.Errorf("%v, want a network error", err)
		}
	})
	ws := s.dial(t)
	_ = ws.NetConn().(*net.TCPConn).SetLinger(0)
	_ = ws.Close()
}

// The path for connections that are no plain sockets.
func TestOverAPipe(t *testing.T) {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	u := NewUpgrader(Options{})
	var wg sync.WaitGroup
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		wg.Go(func() { echo(c); c.Finish() })
	})}
	go func() { _ = srv.Serve(l) }()
	d := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) {
		client, server := net.Pipe()
		l.conns <- server
		return client, nil
	}}
	ws, resp, err := d.Dial("ws://pipe/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for i := range 100 {
		_ = ws.WriteMessage(OpText, fmt.Append(nil, i))
		if _, msg, err := ws.ReadMessage(); err != nil || string(msg) != fmt.Sprint(i) {
			t.Fatalf("%q %v", msg, err)
		}
	}
	_ = ws.Close()
	wg.Wait()
	_ = srv.Close()
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

func BenchmarkSend(b *testing.B) {
	for _, cork := range []int{1, 8} {
		b.Run(fmt.Sprintf("%d frames a flush", cork), func(b *testing.B) {
			f := TextFrame(make([]byte, 300))
			done := make(chan struct{})
			ws := newServer(b, Options{QueueFrames: 1 << 16, QueueBytes: 1 << 30}, func(c *Conn) {
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					for c.Queue(f) != nil {
						c.Flush()
					}
					if n++; n%cork == 0 {
						c.Flush()
					}
				}
				c.Close(1000, "")
				close(done)
				_ = drain(c)
			}).dial(b)
			_ = ws.SetReadDeadline(time.Time{})
			_, _ = io.Copy(io.Discard, ws.NetConn())
			<-done
		})
	}
}

// An Abort drops the queue also while the answer to the handshake is being written.
func TestAnAbortDuringTheAnswer(t *testing.T) {
	c := &Conn{o: (&Options{}).withDefaults(), greeting: 100, writing: true, frames: 1, bytes: 100}
	for range 10 {
		if err := c.Queue(TextFrame(make([]byte, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	c.Abort(4000, "")
	c.closeTimer.Stop()
	if frames, _ := c.Pending(); frames != 2 {
		t.Errorf("%d frames are left, want the answer and the close", frames)
	}
}

// inPieces takes what is written, and notes how.
type inPieces struct {
	net.Conn    // nil: nothing else is called
	got         []byte
	longest     int
	deadlines   int
	lastCleared bool
}

func (p *inPieces) Write(b []byte) (int, error) {
	p.got, p.longest = append(p.got, b...), max(p.longest, len(b))
	return len(b), nil
}

func (p *inPieces) SetWriteDeadline(at time.Time) error {
	p.deadlines, p.lastCleared = p.deadlines+1, at.IsZero()
	return nil
}

// TLS does not go on after a timeout: each piece has a deadline of its own, so that a client that reads slowly but steadily is
// kept, whatever waits for it.
func TestPiecesOverTLS(t *testing.T) {
	p := &inPieces{}
	c := &Conn{o: (&Options{}).withDefaults(), nc: p}
	want := bytes.Repeat([]byte("0123456789"), 10000)
	if err := c.writeAll(net.Buffers{want[:7], want[7:]}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.got, want) || p.longest > writePiece || p.deadlines < len(want)/writePiece || !p.lastCleared {
		t.Errorf("%d bytes, the longest piece %d, %d deadlines, cleared: %v", len(p.got), p.longest, p.deadlines, p.lastCleared)
	}
}
