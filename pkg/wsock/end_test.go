package wsock

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// However a parked connection ends, its Sink is told, once.
func TestEndsOfAParkedConnection(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(ws *websocket.Conn, c *Conn)
		code int // 0 for a failure of the network
	}{
		"the peer's close": {func(ws *websocket.Conn, _ *Conn) {
			_ = ws.WriteControl(opClose, websocket.FormatCloseMessage(4001, ""), time.Time{})
		}, 4001},
		"the network": {func(ws *websocket.Conn, _ *Conn) {
			_ = ws.NetConn().(*net.TCPConn).SetLinger(0)
			_ = ws.NetConn().Close()
		}, 0},
		"the peer's half":   {func(ws *websocket.Conn, _ *Conn) { _ = ws.NetConn().(*net.TCPConn).CloseWrite() }, 0},
		"our close":         {func(ws *websocket.Conn, c *Conn) { c.Close(4002, ""); _, _, _ = ws.ReadMessage() }, 4002},
		"an unheard close":  {func(_ *websocket.Conn, c *Conn) { c.Close(4003, "") }, 4003},
		"a cut":             {func(_ *websocket.Conn, c *Conn) { c.Cut(4004, "") }, 4004},
		"a dropped network": {func(_ *websocket.Conn, c *Conn) { c.Drop(); c.Drop() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ws, e := newServing(t, Options{CloseTimeout: 100 * time.Millisecond}, nil).dial(t)
			c.end(ws, e.c)
			var closed *CloseError
			if err := <-e.ended; errors.As(err, &closed) != (c.code != 0) || closed != nil && closed.Code != c.code {
				t.Errorf("ended with %v, want %d", err, c.code)
			}
		})
	}
}

// A connection is cut or dropped at any moment, also while its reader is on its way to be parked.
func TestEndsAtAnyMoment(t *testing.T) {
	s := newServing(t, Options{CloseTimeout: 5 * time.Second}, nil)
	for i := range 200 {
		ws, e := s.dial(t)
		go func() { _ = ws.WriteMessage(OpText, []byte("x")) }()
		for range i % 7 {
			runtime.Gosched()
		}
		if i%2 == 0 {
			e.c.Cut(4000, "")
		} else {
			e.c.Drop()
		}
		_ = ws.Close()
		if err := <-e.ended; err == nil {
			t.Error("ended without an error")
		}
	}
}

// silent says nothing, so that it does not learn of an end by that.
type silent struct {
	*echoing
	release chan struct{}
}

func (s *silent) Message(int, []byte) { <-s.release }

// The end may come while what came before it is read, with more before it.
func TestAnEndBehindMessages(t *testing.T) {
	if !parks {
		t.Skip("connections are not parked here")
	}
	sinks := make(chan *silent, 1)
	u := NewUpgrader(Options{})
	var wg sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		s := &silent{&echoing{c: c, t: t, wg: &wg, ended: make(chan error, 1)}, make(chan struct{})}
		c.Serve(s)
		sinks <- s
	}))
	defer srv.Close()
	for i := range 50 {
		wg.Add(1)
		ws := dialURL(t, srv.URL)
		s := <-sinks
		say := func() {
			if err := ws.WriteMessage(OpText, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		say()
		for s.c.state.Load() != reading { // it waits
			runtime.Gosched()
		}
		say()
		tcp := ws.NetConn().(*net.TCPConn)
		if i%2 == 0 {
			_ = tcp.SetLinger(0)
		}
		_ = tcp.Close()
		for s.c.state.Load() == reading {
			runtime.Gosched()
		}
		close(s.release)
		if err := <-s.ended; err == nil {
			t.Error("ended without an error")
		}
	}
	wg.Wait()
}

// After a Cut nothing is handed over, not even what a Leave has let in.
func TestACutAfterALeave(t *testing.T) {
	hold := make(chan struct{})
	ws, e := newServing(t, Options{}, hold).dial(t)
	if _, err := ws.NetConn().Write(bytes.Repeat(masked(0x81, []byte("a")), 5)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !e.busy.Load(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("no message")
		}
	}
	e.c.Leave(4001, "")
	e.c.Cut(4002, "")
	for messages := 0; ; {
		select {
		case hold <- struct{}{}:
			if messages++; messages > 1 {
				t.Fatal("a message after the Cut")
			}
		case err := <-e.ended:
			if err == nil {
				t.Error("ended without an error")
			}
			return
		}
	}
}
