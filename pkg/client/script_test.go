package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"signalling/pkg/client"
)

const (
	url     = "ws://server.test/ws"
	welcome = `{"event":"welcome","clientId":"me","protocol":1,"maxMessageBytes":1000}`
)

// peer is the server's end of one connection, as a script sees it.
type peer struct {
	t       *testing.T
	ws      *websocket.Conn
	request *http.Request
}

func (p *peer) send(frames ...string) {
	for _, f := range frames {
		if err := p.ws.WriteMessage(websocket.TextMessage, []byte(f)); err != nil {
			p.t.Errorf("server: sending %s: %v", f, err)
		}
	}
}

// expect reads one frame.
func (p *peer) expect(want string) {
	_, got, err := p.ws.ReadMessage()
	if err != nil || string(got) != want {
		p.t.Errorf("server: received %q (%v), want %q", got, err, want)
	}
}

// close sends a close frame and reads on until the client's own.
func (p *peer) close(code int, reason string) {
	_ = p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
	p.untilClosed(code)
}

// cut ends the connection without a word.
func (p *peer) cut() { _ = p.ws.NetConn().Close() }

// untilClosed reads until the client's close frame, which must have the code.
func (p *peer) untilClosed(code int) {
	for {
		_, _, err := p.ws.ReadMessage()
		if err == nil {
			continue
		}
		var end *websocket.CloseError
		if !errors.As(err, &end) || end.Code != code {
			p.t.Errorf("server: the connection ended with %v, want close code %d", err, code)
		}
		return
	}
}

// drain reads whatever comes, until the end.
func (p *peer) drain() {
	for {
		if _, _, err := p.ws.ReadMessage(); err != nil {
			return
		}
	}
}

// pipes is a listener without a network, so that it works in a bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen serves h until the end of the test, and returns the way to it.
func listen(t *testing.T, h http.HandlerFunc) *client.Options {
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: h}
	var served sync.WaitGroup
	served.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		_ = srv.Close()
		served.Wait()
	})
	return &client.Options{NetDial: l.dial}
}

// play lets script be the server of each connection.
func play(t *testing.T, script func(*peer)) *client.Options {
	return listen(t, func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{Subprotocols: []string{"signalling.v1"}}
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("server: %v", err)
			return
		}
		defer ws.Close()
		script(&peer{t, ws, r})
	})
}

// dial connects to a server that welcomes and then follows the script, and closes the client at the end of the test.
func dial(t *testing.T, script func(*peer), change ...func(*client.Options)) *client.Client {
	opts := play(t, func(p *peer) {
		p.send(welcome)
		script(p)
	})
	for _, f := range change {
		f(opts)
	}
	c, err := client.Dial(soon(t), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// rest reads Events to their end.
func rest(c *client.Client) (raw []string) {
	for m := range c.Events() {
		raw = append(raw, string(m.Raw))
	}
	return raw
}

// bubble runs a test with a clock of its own: no wait in it takes real time.
func bubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

func frames(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf(`{"event":"client-joined","room":"r","clientId":"c%d"}`, i))
	}
	return all
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

// soon is a context for what should happen at once: a test that waits in vain fails instead of hanging.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
