package wsock

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// echoing is a Sink that sends back what it gets, and tells of the rest.
type echoing struct {
	c     *Conn
	wg    *sync.WaitGroup
	busy  atomic.Bool
	t     testing.TB
	hold  chan struct{} // if set, each message waits for it
	idle  chan struct{}
	pongs chan string
	ended chan error
}

// alone checks that no two methods run at once.
func (e *echoing) alone() func() {
	if e.busy.Swap(true) {
		e.t.Error("two calls at once")
	}
	return func() { e.busy.Store(false) }
}

func (e *echoing) Message(op int, msg []byte) {
	defer e.alone()()
	if e.hold != nil {
		<-e.hold
	}
	if err := e.c.Queue(Seal(op, append(Begin(len(msg)), msg...))); err != nil && !errors.Is(err, ErrClosed) {
		e.t.Error(err)
	}
}

func (e *echoing) Ping() bool {
	e.alone()()
	return true
}

func (e *echoing) Pong(p []byte) {
	defer e.alone()()
	e.pongs <- string(p)
}

func (e *echoing) Idle() {
	defer e.alone()()
	e.c.Flush()
	select {
	case e.idle <- struct{}{}:
	default:
	}
}

func (e *echoing) End(err error) {
	defer e.wg.Done()
	defer e.alone()()
	e.c.Finish()
	e.ended <- err
}

// serving is a server whose connections have Sinks.
type serving struct {
	*httptest.Server
	wg    sync.WaitGroup
	sinks chan *echoing
}

func newServing(t testing.TB, o Options, hold chan struct{}) *serving {
	t.Helper()
	s := &serving{sinks: make(chan *echoing, 2000)}
	u := NewUpgrader(o)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			s.wg.Done()
			return
		}
		e := &echoing{
			c: c, t: t, wg: &s.wg, hold: hold,
			idle: make(chan struct{}, 1), pongs: make(chan string, 10), ended: make(chan error, 1),
		}
		c.Serve(e)
		s.sinks <- e
	}))
	t.Cleanup(func() {
		s.wg.Wait()
		s.Close()
	})
	return s
}

func (s *serving) dial(t testing.TB) (*websocket.Conn, *echoing) {
	t.Helper()
	s.wg.Add(1)
	return dialURL(t, s.URL), <-s.sinks
}

func wantEcho(t testing.TB, ws *websocket.Conn, want []byte) {
	t.Helper()
	if _, got, err := ws.ReadMessage(); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %.40q, %v, want %.40q", got, err, want)
	}
}

func TestASinkGetsMessagesOfEveryLength(t *testing.T) {
	ws, _ := newServing(t, Options{}, nil).dial(t)
	for range 3 {
		for _, n := range []int{0, 1, 125, 126, readerSize - 8, readerSize, 4096, inputBuffer - 9, inputBuffer - 8, inputBuffer, 65535, 65536, 256 << 10} {
			want := bytes.Repeat([]byte("x"), n)
			if err := ws.WriteMessage(OpBinary, want); err != nil {
				t.Fatal(err)
			}
			wantEcho(t, ws, want)
		}
	}
}

// A connection that waits in the middle of a frame, or of a message, goes on where it was.
func TestAFrameThatComesByteByByte(t *testing.T) {
	ws, e := newServing(t, Options{}, nil).dial(t)
	message := []byte("slowly")
	frame := append(append(masked(0x01, message), masked(0x89, []byte("p"))...), masked(0x80, message)...)
	for _, b := range frame {
		if _, err := ws.NetConn().Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		<-e.idle
	}
	wantEcho(t, ws, append(message, message...))
}

func TestPingsAndPongsOfASink(t *testing.T) {
	ws, e := newServing(t, Options{}, nil).dial(t)
	ponged := make(chan string, 1)
	ws.SetPongHandler(func(d string) error { ponged <- d; return nil })
	if err := ws.WriteControl(opPing, []byte("hello"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := e.c.PingWith([]byte("you")); err != nil {
		t.Fatal(err)
	}
	go func() { _, _, _ = ws.ReadMessage() }() // answers
	if got := <-e.pongs; got != "you" {
		t.Errorf("pong %q", got)
	}
	if got := <-ponged; got != "hello" {
		t.Errorf("the client's pong is %q", got)
	}
	if !e.c.Heard() {
		t.Error("not heard")
	}
	_ = ws.Close()
	if err := <-e.ended; err == nil {
		t.Error("ended without an error")
	}
}

// chat makes a connection lively, where there are descriptors for that.
func chat(t *testing.T, ws *websocket.Conn, e *echoing) {
	t.Helper()
	for range 20 {
		if err := ws.WriteMessage(OpText, []byte("x")); err != nil {
			t.Fatal(err)
		}
		wantEcho(t, ws, []byte("x"))
		<-e.idle
	}
}

// Connections that were lively for a while are parked all the same.
func TestALivelyConnectionCalmsDown(t *testing.T) {
	if !parks {
		t.Skip("connections are not parked here")
	}
	ws, e := newServing(t, Options{}, nil).dial(t)
	for round := range 2 {
		chat(t, ws, e)
		if e.c.state.Load() == parked {
			t.Errorf("round %d: parked at once", round)
		}
		if !parkedSoon(e.c) {
			t.Fatal("not parked")
		}
	}
}

// Connections that wait have no goroutine, where connections can be parked.
func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	if !parks {
		t.Skip("connections are not parked here")
	}
	const n = 200
	s := newServing(t, Options{}, nil)
	for range n {
		ws, e := s.dial(t)
		if err := ws.WriteMessage(OpText, []byte("x")); err != nil {
			t.Fatal(err)
		}
		wantEcho(t, ws, []byte("x"))
		// A control frame, which is no message, wakes it too.
		if err := ws.WriteControl(opPong, []byte("p"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		<-e.pongs
	}
	stacks := make([]byte, 4<<20)
	for end := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		waiting := bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte(".(*Conn).receive("))
		if waiting == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines of %d connections", waiting, n)
		}
	}
}

// Sinks that wait, for however long, keep nobody else from being read.
func TestSinksThatWaitHinderNobody(t *testing.T) {
	hold := make(chan struct{})
	slow, quick := newServing(t, Options{}, hold), newServing(t, Options{}, nil)
	var all []*websocket.Conn
	for range 2 * workersKept {
		ws, _ := slow.dial(t)
		if err := ws.WriteMessage(OpText, []byte("slow")); err != nil {
			t.Fatal(err)
		}
		all = append(all, ws)
	}
	ws, _ := quick.dial(t)
	for range 10 {
		if err := ws.WriteMessage(OpText, []byte("quick")); err != nil {
			t.Fatal(err)
		}
		wantEcho(t, ws, []byte("quick"))
	}
	close(hold)
	for _, ws := range all {
		wantEcho(t, ws, []byte("slow"))
	}
}

// Descriptors are used again at once. No connection may be woken, or closed, for another that had its descriptor before.
func TestDescriptorsThatAreUsedAgain(t *testing.T) {
	s := newServing(t, Options{CloseTimeout: time.Second}, nil)
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := range 60 {
				s.wg.Add(1)
				ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.URL, "http"), nil)
				if err != nil {
					t.Error(err)
					s.wg.Done()
					return
				}
				_ = resp.Body.Close()
				e := <-s.sinks // some client's
				_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
				for k := range 3 {
					want := fmt.Appendf(nil, "%d/%d/%d", client, i, k)
					err := ws.WriteMessage(OpText, want)
					if err == nil {
						_, got, _ := ws.ReadMessage()
						if !bytes.Equal(got, want) && got != nil {
							t.Errorf("got %q, want %q", got, want)
						}
					}
				}
				if i%3 == 0 {
					e.c.Drop()
				}
				_ = ws.Close()
			}
		})
	}
	wg.Wait()
}

// The same without parking, as over TLS.
func TestASinkOverAPipe(t *testing.T) {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	var wg sync.WaitGroup
	sinks := make(chan *echoing, 1)
	u := NewUpgrader(Options{CloseTimeout: 100 * time.Millisecond})
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		wg.Add(1)
		e := &echoing{c: c, t: t, wg: &wg, idle: make(chan struct{}, 1), pongs: make(chan string, 1), ended: make(chan error, 1)}
		c.Serve(e)
		sinks <- e
	})}
	go func() { _ = srv.Serve(l) }()
	d := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) {
		client, server := net.Pipe()
		l.conns <- server
		return client, nil
	}}
	for _, cut := range []bool{false, true} {
		ws, resp, err := d.Dial("ws://pipe/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		e := <-sinks
		for _, n := range []int{0, 100, readerSize - 8, readerSize, 5000, 100000} {
			want := bytes.Repeat([]byte("x"), n)
			if err := ws.WriteMessage(OpText, want); err != nil {
				t.Fatal(err)
			}
			wantEcho(t, ws, want)
		}
		if cut {
			e.c.Cut(4000, "")
		}
		_ = ws.Close()
		if err := <-e.ended; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
	}
	wg.Wait()
	_ = srv.Close()
}

func TestWorkersThatAreNotNeededAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(crew)
		for range 3 {
			me := make(worker, 1)
			go func() {
				for w.wait(me) {
					if _, ok := <-me; !ok {
						return
					}
				}
			}()
		}
		idle := func() int {
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.idle)
		}
		if n := idle(); n != 3 {
			t.Fatalf("%d are idle", n)
		}
		time.Sleep(workerWait + workerWait/2) // between two checks, here and below
		w.do(nil)
		time.Sleep(workerWait)
		if n := idle(); n != 1 {
			t.Errorf("%d are idle, of which one was needed", n)
		}
		time.Sleep(workerWait)
		if n := idle(); n != 0 {
			t.Errorf("%d are idle, and none was needed", n)
		}
		w.end()
	})
}

// parkedSoon waits until the connection is parked.
func parkedSoon(c *Conn) bool {
	for deadline := time.Now().Add(10 * time.Second); c.state.Load() != parked; runtime.Gosched() {
		if time.Now().After(deadline) {
			return false
		}
		lively.check()
	}
	return true
}

// quiet is a Sink for measuring.
type quiet struct {
	c    *Conn
	seen chan struct{}
}

func (q *quiet) Message(int, []byte) { q.seen <- struct{}{} }
func (*quiet) Ping() bool            { return true }
func (*quiet) Pong([]byte)           {}
func (*quiet) Idle()                 {}
func (q *quiet) End(error)           { q.c.Finish(); close(q.seen) }

// BenchmarkWake is a message to a connection that is parked, from the client's write to the Sink.
func BenchmarkWake(b *testing.B) {
	u := NewUpgrader(Options{})
	q := &quiet{seen: make(chan struct{}, 1)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			b.Error(err)
			return
		}
		q.c = c
		c.Serve(q)
	}))
	defer srv.Close()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http"), nil)
	if err != nil {
		b.Fatal(err)
	}
	_ = resp.Body.Close()
	frame := masked(0x81, make([]byte, 300))
	nc := ws.NetConn()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(frame); err != nil {
			b.Fatal(err)
		}
		<-q.seen
	}
	_ = ws.Close()
	for range q.seen {
		b.Error("more than was sent")
	}
}

// parks says whether connections are parked here.
const parks = runtime.GOOS == "linux"
