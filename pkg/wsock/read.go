package wsock

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

const (
	readChunk = 4 << 10
	readKeep  = 64 << 10 // larger buffers are left to the collector
)

// readBuffers are for the messages.
var readBuffers = sync.Pool{New: func() any { b := make([]byte, 0, readChunk); return &b }}

// readerSize is enough for a header and a small message; gorilla takes a reader if it has more than 256 bytes.
const readerSize = 512

// readers are lent to connections while they are read.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readerSize) }}

// lend gives gorilla's reader a buffer. Gorilla has that reader for ever, so it is a copy of one of the pool's for a while.
func (c *Conn) lend() {
	if c.lent == nil {
		c.lent = readers.Get().(*bufio.Reader)
		c.lent.Reset((*gate)(c))
		*c.br = *c.lent
	}
}

// takeBack takes the buffer from gorilla's reader; what is in it is forgotten.
func (c *Conn) takeBack() {
	if r := c.lent; r != nil {
		c.lent, *c.br = nil, bufio.Reader{}
		r.Reset(nil)
		readers.Put(r)
	}
}

// nothing is a message of no bytes as a client sends it: final, masked.
var nothing = [...]byte{finBit | OpBinary, 0x80, 0, 0, 0, 0}

// pending says whether there is anything that gorilla has not been through.
func (c *Conn) pending() bool { return len(c.in.data) > 0 || c.br.Buffered() > 0 }

// next returns the next message, and waits for the rest of one that has begun to arrive; ok is false if none has. msg is valid
// until the next call. Control frames on the way are dealt with.
func (c *Conn) next() (op int, msg []byte, ok bool, err error) {
	c.releaseMessage()
	c.between = c.in.rc != nil
	if c.between && !c.pending() {
		return 0, nil, false, nil
	}
	c.lend()
	op, r, err := c.ws.NextReader()
	c.between = false
	if c.ended { // what NextReader has found is nothing
		c.ended = false
		return 0, nil, false, nil
	}
	if err == nil {
		msg, err = c.readAll(r)
	}
	if err != nil {
		return 0, nil, false, err
	}
	if op == OpText && !utf8.Valid(msg) {
		return 0, nil, false, errBadText
	}
	return op, msg, true, nil
}

func (c *Conn) readAll(r io.Reader) ([]byte, error) {
	c.message = readBuffers.Get().(*[]byte)
	b := (*c.message)[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		c.hear()
		b = b[:len(b)+n]
		*c.message = b
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (c *Conn) releaseMessage() {
	if b := c.message; b != nil {
		c.message = nil
		if cap(*b) <= readKeep {
			readBuffers.Put(b)
		}
	}
}

// handle sets what is done with control frames.
func (c *Conn) handle() {
	c.ws.SetPingHandler(func(payload string) error {
		c.hear()
		if c.sink == nil || c.sink.Ping() {
			_ = c.sendControl(opPong, []byte(payload)) // a peer whose queue is full gets no pong either
		}
		return c.controlled()
	})
	c.ws.SetPongHandler(func(payload string) error {
		c.hear()
		if c.sink != nil {
			c.sink.Pong([]byte(payload))
		}
		return c.controlled()
	})
	c.ws.SetCloseHandler(func(code int, _ string) error {
		c.hear()
		c.peerClose(code)
		return nil
	})
}

// controlled notes that gorilla is behind a whole control frame, which does not end NextReader. If that is all there is, and
// no message is under way, gate lets it end.
func (c *Conn) controlled() error {
	c.ended = c.between && !c.pending()
	return nil
}

// gate is the connection as gorilla sees it. What gorilla writes by itself goes through the send queue like everything else,
// so that it leaves together with it and never cuts into a frame that is half written. What gorilla reads comes from a large
// buffer that is there only while there is something in it.
//
// Gorilla keeps an error for ever, so that one cannot tell it to try again later. Where it must not wait, at the end of all
// frames, it gets a message of nothing instead, which next knows.
type gate Conn

// Read implements net.Conn.
func (g *gate) Read(p []byte) (int, error) {
	c := (*Conn)(g)
	if c.ended {
		return copy(p, nothing[:]), nil
	}
	if c.in.rc == nil {
		c.resting()
		return c.nc.Read(p)
	}
	for len(c.in.data) == 0 { // in the middle of a frame or of a message
		c.resting()
		if err := c.more(true); err != nil {
			return 0, err
		}
	}
	return c.in.take(p), nil
}

// resting tells the Sink that nothing more is at hand.
func (c *Conn) resting() {
	if c.sink != nil {
		c.sink.Idle()
	}
}

// Write implements net.Conn.
func (g *gate) Write(p []byte) (int, error) {
	c := (*Conn)(g)
	f := append(Frame(nil), p...)
	if c.ws == nil { // the answer to the handshake
		return len(p), c.greet(f)
	}
	if f[0]&opBits == opClose { // for a violation of the protocol
		code, reason := closePayload(f.Payload())
		if code == websocket.CloseMessageTooBig {
			reason = "message too big" // gorilla gives none
		}
		c.Close(code, reason)
		return len(p), nil
	}
	return len(p), c.Send(f)
}

// Close implements net.Conn.
func (g *gate) Close() error { return g.nc.Close() }

// LocalAddr implements net.Conn.
func (g *gate) LocalAddr() net.Addr { return g.nc.LocalAddr() }

// RemoteAddr implements net.Conn.
func (g *gate) RemoteAddr() net.Addr { return g.nc.RemoteAddr() }

// SetDeadline implements net.Conn.
func (g *gate) SetDeadline(t time.Time) error { return g.nc.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (g *gate) SetReadDeadline(t time.Time) error { return g.nc.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn. It does nothing: the queue has its own.
func (*gate) SetWriteDeadline(time.Time) error { return nil }

// peerError is how the Sink is told of an error of gorilla's.
func peerError(err error) error {
	closed, ok := errors.AsType[*websocket.CloseError](err)
	switch {
	case ok && closed.Code == websocket.CloseAbnormalClosure:
		return io.ErrUnexpectedEOF // no close frame has come
	case ok:
		return &CloseError{Code: closed.Code, Reason: closed.Text, ByPeer: true}
	}
	return err
}
