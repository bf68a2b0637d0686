package wsock

import (
	"encoding/binary"
	"errors"
	"time"

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

// Codes of close frames (RFC 6455 section 7.4.1).
const (
	closeNoStatus = websocket.CloseNoStatusReceived // stands for a close frame without a code
	closeBadText  = websocket.CloseInvalidFramePayloadData
)

var errBadText = errors.New("wsock: text is not UTF-8")

// closePayload reads what a close frame says (section 5.5.1).
func closePayload(p []byte) (code int, reason string) {
	if len(p) < 2 {
		return closeNoStatus, ""
	}
	return int(binary.BigEndian.Uint16(p)), string(p[2:])
}

// lingerBytes is how much is still read of a peer that is being closed.
const lingerBytes = 4 << 20

// Finish ends the connection; Sink.End, or who has got an error of ReadMessage, calls it. It lets a close frame on its way
// reach the peer: a TCP connection that is closed with unread bytes is reset, and the reset can overtake the frame. It
// takes at most CloseTimeout. After it neither a goroutine nor a file descriptor of the connection is left.
func (c *Conn) Finish() {
	c.in.release()
	c.takeBack()
	c.releaseMessage()
	c.mu.Lock()
	c.cut = true // no lively connection any more
	closing, answered := c.closing && !c.dead, c.peerClosed
	c.mu.Unlock()
	switch {
	case closing && answered:
		c.waitIdle() // for our answer to leave; then it is the server that ends TCP first (RFC 6455 section 7.1.1)
	case closing:
		c.linger()
	}
	c.Drop()
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
