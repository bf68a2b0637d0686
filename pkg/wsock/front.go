package wsock

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
)

// Listen listens for TCP connections of clients that speak first, as all do that speak HTTP, and that are not left alone: a
// connection is accepted when something has come, where the system can see to that, or after a second. TCP sends no probes
// of its own (keep-alive, RFC 9293 section 3.8.4), because heartbeats do, or the time is bounded; they would cost four
// system calls a connection.
func Listen(ctx context.Context, address string) (*net.TCPListener, error) {
	c := net.ListenConfig{KeepAlive: -1, Control: deferAccept}
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// Front stands before an http.Server, as the net.Listener that it accepts from, and answers by itself what comes in the usual
// form: the handshake of a WebSocket, first on its connection, whole, and with nothing behind it. The server would make a
// goroutine whose stack grows, two buffers and a context for each connection, and throw all of it away once that is a
// WebSocket. What differs only a little goes to the server, as if there were no Front.
//
// So do all connections that are not TCP without TLS, and all on systems that are no Unix. The buffers that the handler gets by
// Hijack (http.Hijacker) are its own until it returns.
type Front struct {
	net.Listener
	handler http.Handler
	log     *slog.Logger

	others  chan accepted
	quit    chan struct{}  // closed when no more is accepted
	free    atomic.Int32   // goroutines that are not with a handler
	running sync.WaitGroup // all goroutines

	mu            sync.Mutex // guards what follows, and running against Wait before there is a goroutine
	began, closed bool
}

// accepted is what the server gets from Accept.
type accepted struct {
	nc  net.Conn
	err error
}

// NewFront returns the listener for a server of this handler. The log is told of a handler that panics.
func NewFront(l net.Listener, h http.Handler, log *slog.Logger) *Front {
	return &Front{Listener: l, handler: h, log: log, others: make(chan accepted), quit: make(chan struct{})}
}

// Accept implements net.Listener: it returns the connections that the server is to serve.
func (f *Front) Accept() (net.Conn, error) {
	f.begin()
	select {
	case a := <-f.others:
		return a.nc, a.err
	case <-f.quit:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It returns when the handshakes that are under way have been answered.
func (f *Front) Close() error {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.quit)
	}
	f.mu.Unlock()
	err := f.Listener.Close()
	f.running.Wait()
	return err
}

func (f *Front) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.began && !f.closed {
		f.began = true
		f.more()
	}
}

// frontKept is how many goroutines are kept. More are made when all of these are with handlers.
const frontKept = 4

// more adds a goroutine.
func (f *Front) more() {
	f.free.Add(1)
	f.running.Add(1)
	go f.run()
}

// run accepts connections and serves them. One goroutine at least is not with a handler at any time: who goes to one as the last
// makes another, so that a handler that takes its time holds up nobody. What is the server's waits until that takes it.
func (f *Front) run() {
	defer f.running.Done()
	for {
		nc, err := f.Listener.Accept()
		stay := true
		if err == nil {
			nc, stay = f.serve(nc)
		}
		if !stay || (nc != nil || err != nil) && !f.pass(accepted{nc, err}) {
			return
		}
	}
}

// pass leaves something to the server, which pauses after an error. It returns false once there is no more to accept.
func (f *Front) pass(a accepted) bool {
	select {
	case f.others <- a:
		return !errors.Is(a.err, net.ErrClosed)
	case <-f.quit:
	}
	if a.nc != nil {
		_ = a.nc.Close()
	}
	return false
}

// socket is a TCP connection without TLS.
type socket interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// serve serves a connection if it can, and returns what is left to the server. stay is false if there are enough others.
func (f *Front) serve(nc net.Conn) (other net.Conn, stay bool) {
	s, ok := nc.(socket)
	if !ok || !plainSockets {
		return nc, true
	}
	in := input{}
	var err error
	if in.rc, err = s.SyscallConn(); err == nil {
		err = in.read(false)
	}
	if err != nil {
		_ = nc.Close()
		return nil, true
	}
	defer in.release()
	if len(in.data) == 0 {
		return nc, true
	}
	q := handshakeBuffers.Get().(*buffers)
	defer q.release()
	if r := q.handshakeOf(in.data); r != nil {
		in.release()
		if f.free.Add(-1) == 0 {
			f.more()
		}
		f.answer(s, q, r)
		if stay = f.free.Add(1) <= frontKept; !stay {
			f.free.Add(-1)
		}
		return nil, stay
	}
	return &begun{socket: s, rest: append([]byte(nil), in.data...)}, true
}

// begun is a connection of which something was read already.
type begun struct {
	socket
	rest []byte // of that
}

// Read implements net.Conn.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return b.socket.Read(p)
	}
	n := copy(p, b.rest)
	if b.rest = b.rest[n:]; len(b.rest) == 0 {
		b.rest = nil
	}
	return n, nil
}

// NetConn is the connection, for who has read the rest.
func (b *begun) NetConn() net.Conn { return b.socket }

// errBegun is returned where the socket would be read past what was read already.
var errBegun = errors.New("wsock: there is something that was read already")

// SyscallConn implements syscall.Conn, for who has read the rest.
func (b *begun) SyscallConn() (syscall.RawConn, error) {
	if b.rest != nil {
		return nil, errBegun
	}
	return b.socket.SyscallConn()
}
