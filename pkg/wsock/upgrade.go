package wsock

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
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

// readBufferSize is gorilla's own buffer, which every connection keeps. Longer messages are read around it.
const readBufferSize = 512

// Upgrader makes connections that share Options.
type Upgrader struct {
	o        *Options
	upgrader websocket.Upgrader
}

// NewUpgrader returns an Upgrader.
func NewUpgrader(o Options) *Upgrader {
	return &Upgrader{o: o.withDefaults(), upgrader: websocket.Upgrader{
		ReadBufferSize:  readBufferSize,
		WriteBufferPool: new(sync.Pool), // only gorilla's own handshake and control frames use it
		WriteBufferSize: 512,
		Subprotocols:    o.Subprotocols,
		CheckOrigin:     o.CheckOrigin,
	}}
}

// Upgrade answers a WebSocket handshake (RFC 6455 section 4.2). On an error the HTTP answer has been sent. The caller
// should return from its handler and read from a goroutine of its own, so that net/http's is not kept.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	h := hijacker{ResponseWriter: w}
	ws, err := u.upgrader.Upgrade(&h, r, nil)
	if err != nil {
		return nil, err
	}
	c := &Conn{o: u.o, ws: ws, nc: h.gate.Conn, raw: newRawWriter(h.gate.Conn)}
	h.gate.in.init(h.gate.Conn)
	ws.SetPingHandler(func(data string) error {
		c.hear()
		if c.onPing == nil || c.onPing() {
			_ = c.control(opPong, []byte(data)) // a peer whose queue is full gets no pong either
		}
		return nil
	})
	ws.SetPongHandler(func(payload string) error {
		c.hear()
		if c.onPong != nil {
			c.onPong(payload)
		}
		return nil
	})
	ws.SetCloseHandler(func(code int, _ string) error {
		c.peerClose(code)
		return nil
	})
	h.gate.conn.Store(c)
	return c, nil
}

// hijacker hands gorilla a gate in place of the connection.
type hijacker struct {
	http.ResponseWriter
	gate *gate
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.gate = &gate{Conn: nc}
	return h.gate, brw, nil
}

// gate is the connection as gorilla sees it. What gorilla writes by itself (the close frame after a protocol error) goes
// through the send queue like everything else, so that it never cuts into a frame that is half written. What gorilla reads
// comes from a large buffer that is there only while there is something in it.
type gate struct {
	net.Conn
	conn atomic.Pointer[Conn]
	in   input
}

// Read reads as much as the socket has, and tells the reader's owner before it waits for more.
func (g *gate) Read(p []byte) (int, error) {
	if !g.in.empty() {
		return g.in.take(p), nil
	}
	if c := g.conn.Load(); c != nil && c.onIdle != nil {
		c.onIdle()
	}
	return g.in.read(g.Conn, p)
}

func (g *gate) Write(p []byte) (int, error) {
	c := g.conn.Load()
	if c == nil {
		return g.Conn.Write(p) // the handshake
	}
	if len(p) > 0 && p[0]&0xf == opClose {
		f := append(Frame(nil), p...)
		c.shut(f, closeErrorOf(f), true)
		return len(p), nil
	}
	return len(p), c.Send(append(Frame(nil), p...))
}

// SetWriteDeadline does nothing: the queue has its own.
func (g *gate) SetWriteDeadline(time.Time) error { return nil }

// closeErrorOf reads the code and reason of a close frame (RFC 6455 section 5.5.1).
func closeErrorOf(f Frame) *CloseError {
	p := f.Payload()
	if len(p) < 2 {
		return &CloseError{Code: websocket.CloseNoStatusReceived}
	}
	return &CloseError{Code: int(binary.BigEndian.Uint16(p)), Reason: string(p[2:])}
}
