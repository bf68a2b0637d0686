package socketio

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// relay passes TCP connections on to a gateway until it cuts them.
type relay struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	target string
	open   map[net.Conn]struct{}
	closed bool
}

// newRelay makes a relay in front of an address. It ends with the test.
func newRelay(t testing.TB, url string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, open: make(map[net.Conn]struct{})}
	r.to(url)
	r.running.Go(r.accept)
	t.Cleanup(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		_ = l.Close()
		r.cut()
		r.running.Wait()
	})
	return r
}

func (r *relay) url() string { return "http://" + r.listener.Addr().String() }

// to passes what connects from now on to another gateway.
func (r *relay) to(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = strings.TrimPrefix(url, "http://")
}

func (r *relay) dial() (net.Conn, error) {
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	return net.Dial("tcp", target)
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := r.dial()
		if err != nil {
			_ = client.Close()
			continue
		}
		r.running.Go(func() { r.pass(client, server) })
		r.running.Go(func() { r.pass(server, client) })
	}
}

// pass copies one way, and ends both ways when its own does.
func (r *relay) pass(from, to net.Conn) {
	r.mu.Lock()
	r.open[from] = struct{}{}
	closed := r.closed
	r.mu.Unlock()
	if !closed {
		_, _ = io.Copy(to, from)
	}
	_ = from.Close()
	_ = to.Close()
	r.mu.Lock()
	delete(r.open, from)
	r.mu.Unlock()
}

// cut resets all connections, as a network does that is gone.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}
