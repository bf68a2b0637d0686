package wsock

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// CloseError says with which code the connection was closed, whichever side began.
type CloseError struct {
	Code   int
	Reason string
	// ByPeer: the peer began.
	ByPeer bool
}

func (e *CloseError) Error() string { return "websocket closed: " + e.Reason }

const (
	readChunk    = 4 << 10
	readKeep     = 64 << 10 // larger buffers are left to the collector
	lingerBytes  = 4 << 20
	closeTooBig  = websocket.CloseMessageTooBig
	closeBadText = websocket.CloseInvalidFramePayloadData
)

var readBuffers = sync.Pool{New: func() any { b := make([]byte, 0, readChunk); return &b }}

// ReadMessage returns the next message. One goroutine may call it. msg is valid until the next call; a text message is
// UTF-8. While it waits it holds no buffer. Messages that arrive after Close are dropped, those
// after Leave are not. After an error the caller must
// call Finish.
//
// The error is a *CloseError if either side closed the connection by the protocol, another one if the network failed.
func (c *Conn) ReadMessage() (op int, msg []byte, err error) {
	for {
		c.releaseRead()
		op, r, err := c.ws.NextReader()
		if err != nil {
			return 0, nil, c.readError(err)
		}
		c.readBuf = readBuffers.Get().(*[]byte)
		if msg, err = c.readAll(r, (*c.readBuf)[:0]); err != nil {
			return 0, nil, c.readError(err)
		}
		*c.readBuf = msg
		if c.isClosing() {
			continue // only the peer's close frame is of interest now
		}
		if op == OpText && !utf8.Valid(msg) {
			c.Close(closeBadText, "invalid UTF-8")
			return 0, nil, c.readError(nil)
		}
		return op, msg, nil
	}
}

func (c *Conn) readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		c.hear()
		b = b[:len(b)+n]
		if int64(len(b)) > c.o.ReadLimit {
			c.Close(closeTooBig, "message too big")
			return nil, errTooBig
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

var errTooBig = errors.New("wsock: message too big")

func (c *Conn) releaseRead() {
	if c.readBuf != nil {
		if cap(*c.readBuf) <= readKeep {
			readBuffers.Put(c.readBuf)
		}
		c.readBuf = nil
	}
}

// readError tells the cause of the end: our own close first, because what the reader sees then is only its consequence.
func (c *Conn) readError(err error) error {
	c.mu.Lock()
	cause := c.cause
	c.mu.Unlock()
	if cause != nil {
		return cause
	}
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
		return &CloseError{Code: closed.Code, Reason: closed.Text, ByPeer: true}
	}
	return err
}

// Finish ends the connection; the reading goroutine calls it once ReadMessage has failed. It lets a close frame on its way
// reach the peer: a TCP connection that is closed with unread bytes is reset, and the reset can overtake the frame. It
// takes at most CloseTimeout. After it neither a goroutine nor a file descriptor of the connection is left.
func (c *Conn) Finish() {
	c.releaseRead()
	c.mu.Lock()
	closing, answered := c.closing && !c.dead, c.peerClosed
	c.mu.Unlock()
	switch {
	case closing && answered:
		c.waitIdle() // for our answer to leave; then it is the server that ends TCP first (RFC 6455 section 7.1.1)
	case closing:
		c.linger()
	}
	c.drop()
	c.waitIdle() // a writer fails at once now
	c.mu.Lock()
	if c.closeTimer != nil {
		c.closeTimer.Stop()
	}
	c.mu.Unlock()
}

// waitIdle waits until nobody writes. The close timer bounds it.
func (c *Conn) waitIdle() {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	c.idle = idle
	c.mu.Unlock()
	<-idle
}

// linger reads and forgets until the peer ends the connection too, for a bounded time and number of bytes.
func (c *Conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		c.waitIdle()
		_ = half.CloseWrite()
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(c.o.CloseTimeout)); err != nil {
		return
	}
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	b := (*buf)[:cap(*buf)]
	for left := lingerBytes; left > 0; {
		n, err := c.nc.Read(b)
		if err != nil {
			return
		}
		left -= n
	}
}

func (c *Conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing && !c.listening
}

// OnIdle sets a function that the reading goroutine calls when all that has arrived is read, before it waits for more:
// the moment to flush what the messages read so far have caused, so that what belongs together leaves together. It must
// be set before the first ReadMessage.
func (c *Conn) OnIdle(f func()) { c.onIdle = f }

// OnPing sets a function that the reading goroutine calls for each ping of the peer: false leaves it without a pong. It must be
// set before the first ReadMessage.
func (c *Conn) OnPing(f func() bool) { c.onPing = f }

// hear notes that the peer has been heard.
func (c *Conn) hear() {
	if !c.heard.Load() {
		c.heard.Store(true)
	}
}

// Heard reports whether anything, a control frame included, has arrived since the last call.
func (c *Conn) Heard() bool { return c.heard.Swap(false) }

// Subprotocol is the one that was agreed on, or empty.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// NetConn is the connection below. Reading from it or writing to it breaks the WebSocket.
func (c *Conn) NetConn() net.Conn { return c.nc }
