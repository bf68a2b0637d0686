package wsock

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// Options are the limits of a connection. Zero values mean the defaults given.
type Options struct {
	// ReadLimit is the longest message in bytes. A longer one ends the connection with close code 1009. Default 256 KiB.
	ReadLimit int64
	// QueueFrames and QueueBytes bound what waits to be sent, the frames being written included. Defaults 1024 and 4 MiB.
	QueueFrames int
	QueueBytes  int
	// WriteTimeout is how long the peer may take no byte at all while frames wait for it; then the connection ends.
	// Default 10 s.
	WriteTimeout time.Duration
	// CloseTimeout is how long a close may take, from Close to the end of the TCP connection. Default 5 s.
	CloseTimeout time.Duration
	// Subprotocols that are accepted where the client offers them, in order of preference.
	Subprotocols []string
	// CheckOrigin decides whether the request's Origin may connect. Default: the same host only.
	CheckOrigin func(*http.Request) bool
}

func (o *Options) withDefaults() *Options {
	d := *o
	orDefault(&d.ReadLimit, 256<<10)
	orDefault(&d.QueueFrames, 1024)
	orDefault(&d.QueueBytes, 4<<20)
	orDefault(&d.WriteTimeout, 10*time.Second)
	orDefault(&d.CloseTimeout, 5*time.Second)
	return &d
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Upgrader makes connections that share Options.
type Upgrader struct {
	o        *Options
	upgrader websocket.Upgrader
}

// NewUpgrader returns an Upgrader.
func NewUpgrader(o Options) *Upgrader {
	return &Upgrader{o: o.withDefaults(), upgrader: websocket.Upgrader{
		WriteBufferPool: new(sync.Pool), // what gorilla sends by itself needs none
		Subprotocols:    o.Subprotocols,
		CheckOrigin:     o.CheckOrigin,
	}}
}

// IsUpgrade reports whether the request asks for a WebSocket.
func IsUpgrade(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// Upgrade answers a WebSocket handshake (RFC 6455 section 4.2). On an error the HTTP answer has been sent, or the connection
// is closed. The answer to a good one leaves with the first frames, with the first call of Serve, ReadMessage or Flush.
// The caller should return from its handler, so that net/http's goroutine is not kept.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	c := &Conn{o: u.o}
	ws, err := u.upgrader.Upgrade(&hijacker{w, c}, r, nil)
	if err != nil {
		return nil, err
	}
	c.ws = ws
	ws.SetReadLimit(u.o.ReadLimit)
	c.handle()
	return c, nil
}

// hijacker hands gorilla a gate in place of the connection.
type hijacker struct {
	http.ResponseWriter
	c *Conn
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if brw.Reader.Buffered() > 0 {
		return nc, brw, nil // gorilla closes it: data before the answer
	}
	c := h.c
	c.nc = nc
	if sc, ok := nc.(syscall.Conn); ok && plainSockets {
		c.in.rc, _ = sc.SyscallConn() // without it the connection is read as any other
		c.detach()
	}
	c.br = new(bufio.Reader)
	c.lend()
	return (*gate)(c), bufio.NewReadWriter(c.br, brw.Writer), nil
}

// greet sends the answer to the handshake, of a plain socket together with the first frames.
func (c *Conn) greet(answer Frame) error {
	if c.in.rc == nil {
		return c.writeAll(net.Buffers{answer})
	}
	c.greeting = len(answer)
	c.push(answer)
	return nil
}
