package storm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalling/pkg/client"
)

const patience = 10 * time.Second

// mute is a network connection whose writes fail once it is broken.
type mute struct {
	net.Conn
	broken atomic.Bool
}

func (c *mute) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: net.ErrClosed}
	}
	return c.Conn.Write(b)
}

// A connection can end between a ping and its pong. The session is not lost by that.
func TestAPongThatCannotBeSentEndsAConnectionOnly(t *testing.T) {
	ping := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = ws.Close() }()
		write := func(text string) { _ = ws.WriteMessage(websocket.TextMessage, []byte(text)) }
		write("0{}")
		_, _, _ = ws.ReadMessage()
		write(`40{"sid":"a","pid":"p"}`)
		write(`42["client-left","r","b",null,"5.x"]`)
		<-ping
		write("2")
		_, _, _ = ws.ReadMessage()
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn := &mute{}
	c, err := openSocketIO(ctx, strings.Replace(server.URL, "http", "ws", 1), func(ctx context.Context, network, addr string) (_ net.Conn, err error) {
		conn.Conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return conn, err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.broken.Store(true)
	close(ping)
	select {
	case <-c.Done():
	case <-ctx.Done():
		t.Fatal("the connection did not end")
	}
	if left, ok := c.session().(*recovery); !ok || left.pid != "p" || left.offset != "5.x" {
		t.Errorf("of the session is left %v, after %v", left, c.Err())
	}
	// What the next connection goes on with does not change any more: its own acknowledgements would be taken for others.
	if err := c.Signal(ctx, "r", "b", 1, func() {}); err == nil {
		t.Error("a signal can be sent after the end")
	}
	if left, ok := c.session().(*recovery); !ok || left.nextAck != 0 || len(left.signals) != 0 {
		t.Errorf("of the session is left %+v", left)
	}
}

// quiet is a connection on which nothing happens until it is closed.
type quiet struct {
	connection
	id   string
	done chan struct{}
	once atomic.Bool
}

func (c *quiet) ID() string                      { return c.id }
func (c *quiet) Follow(func(client.Event, bool)) { <-c.done }
func (c *quiet) Done() <-chan struct{}           { return c.done }
func (c *quiet) Err() error                      { return client.ErrClosed }
func (c *quiet) session() any                    { return c }
func (c *quiet) Close() error {
	if c.once.CompareAndSwap(false, true) {
		close(c.done)
	}
	return nil
}

// A client may be closed while its next connection is being made, and that may come all the same.
func TestCloseEndsAConnectionThatComesLate(t *testing.T) {
	s := New(Config{Resume: true, Window: time.Minute, URL: func(int) (string, error) { return "", nil }})
	asked, given := make(chan struct{}), make(chan struct{})
	first, second := &quiet{id: "a", done: make(chan struct{})}, &quiet{id: "a", done: make(chan struct{})}
	l, err := s.connectLasting(t.Context(), func(_ context.Context, _ string, _ dialer, left any) (resumable, error) {
		if left == nil {
			return first, nil
		}
		close(asked)
		<-given
		return second, nil
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	go l.Follow(func(client.Event, bool) {})
	_ = first.Close()
	<-asked
	closed := make(chan struct{})
	go func() {
		_ = l.Close()
		close(closed)
	}()
	<-l.quit.Done()
	close(given)
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("Close does not return")
	}
	if err := l.Err(); !errors.Is(err, client.ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
}
