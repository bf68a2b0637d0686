package wsock

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

var (
	// ErrQueueFull is returned when the peer reads too slowly: the frame was not taken.
	ErrQueueFull = errors.New("wsock: send queue full")
	// ErrClosed is returned once the connection is closing or closed: the frame was not taken.
	ErrClosed = errors.New("wsock: closed")
)

// Conn is the server's end of a WebSocket. What it receives goes to one reader, see Serve; any goroutine may send and close.
//
// Frames that are queued while an earlier write is under way leave together in the next one. A write is tried at once on
// the caller's goroutine, without ever waiting; only when the kernel's buffer is full does a goroutine take over, until the
// queue is empty again.
type Conn struct {
	o    *Options
	nc   net.Conn
	ws   *websocket.Conn // reads from a gate
	br   *bufio.Reader   // gorilla's, empty while it is not lent a buffer
	lent *bufio.Reader   // whose buffer it has
	sink Sink            // nil before Serve

	in      input   // this and what follows are the reading goroutine's
	message *[]byte // from a pool
	between bool    // gorilla looks for a message
	ended   bool    // ... and is at the end of all frames
	fed     bool    // the watcher's loop has read already
	fault   error   // ... and met this
	lively  bool
	own     ownSocket     // nil if the runtime waits for it
	watched bool          // the watcher tells of what comes
	wake    chan struct{} // of await; nil if nobody waits in it
	pace    pace

	state   atomic.Int32 // whether there is a reading goroutine: see park.go
	heardOf atomic.Bool  // something has come since a lively connection was checked
	heard   atomic.Bool  // anything has arrived since Heard

	mu      sync.Mutex // guards what follows; never held during a system call
	queue   *batch     // frames that wait for the writer; nil if none
	frames  int        // queued and being written
	bytes   int
	writing bool // somebody writes; only that one takes from queue
	closing bool // a close frame was queued; nothing may follow it
	dead    bool // nothing can be written any more
	cause   *CloseError
	idle    chan struct{} // closed when writing ends; made by waitIdle

	greeting   int  // bytes of the answer to the handshake while it is queued, before all frames
	peerClosed bool // the peer's close frame has arrived
	listening  bool // messages are still read while closing
	cut        bool // nothing more is read

	closeTimer *time.Timer
}

// batch is a list of frames, kept for reuse.
type batch struct{ frames []Frame }

const batchKeep = 64

var batches = sync.Pool{New: func() any { return &batch{frames: make([]Frame, 0, 8)} }}

func (b *batch) release() {
	if cap(b.frames) <= batchKeep {
		clear(b.frames)
		b.frames = b.frames[:0]
		batches.Put(b)
	}
}

// Send queues the frame and starts to write. It never blocks.
func (c *Conn) Send(f Frame) error {
	if err := c.Queue(f); err != nil {
		return err
	}
	c.Flush()
	return nil
}

// Queue puts the frame into the queue without writing it: call Flush when no more is at hand. It never blocks.
func (c *Conn) Queue(f Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.dead {
		return ErrClosed
	}
	frames, bytes := c.frames, c.bytes-c.greeting
	if c.greeting > 0 {
		frames--
	}
	if frames >= c.o.QueueFrames || bytes+len(f) > c.o.QueueBytes {
		return ErrQueueFull
	}
	c.push(f)
	return nil
}

// push appends to the queue. mu is held.
func (c *Conn) push(f Frame) {
	if c.queue == nil {
		c.queue = batches.Get().(*batch)
	}
	c.queue.frames = append(c.queue.frames, f)
	c.frames++
	c.bytes += len(f)
}

// inlineRounds is how often one Flush writes what others queued meanwhile, before a goroutine takes over.
const inlineRounds = 2

// Flush writes what is queued, as far as the kernel takes it at once. It never blocks.
func (c *Conn) Flush() {
	for round := 0; ; round++ {
		b := c.take(round == 0)
		if b == nil {
			return
		}
		if round == inlineRounds || c.in.rc == nil {
			go c.drain(b, nil)
			return
		}
		rest, err := write(c.in.rc, b.frames)
		if err != nil {
			c.fail(b)
			return
		}
		if rest != nil {
			go c.drain(b, rest)
			return
		}
		c.written(b)
	}
}

// take makes the caller the writer, or lets the writer go on, with all that is queued. It returns nil if there is nothing
// to write (the caller is no writer then) or somebody else writes.
func (c *Conn) take(first bool) *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first && c.writing {
		return nil
	}
	b := c.queue
	c.queue = nil
	c.writing = b != nil && !c.dead
	if !c.writing {
		if c.idle != nil {
			close(c.idle)
			c.idle = nil
		}
		return nil
	}
	return b
}

func (c *Conn) written(b *batch) {
	n := 0
	for _, f := range b.frames {
		n += len(f)
	}
	c.mu.Lock()
	c.frames -= len(b.frames)
	c.bytes -= n
	c.greeting = 0
	c.mu.Unlock()
	b.release()
}

// drain writes with the goroutine's patience: rest, the unwritten end of b, then whatever is queued, until nothing is.
func (c *Conn) drain(b *batch, rest []byte) {
	for b != nil {
		var out net.Buffers
		if rest != nil {
			out = net.Buffers{rest}
		} else {
			for _, f := range b.frames {
				out = append(out, f)
			}
		}
		if err := c.writeAll(out); err != nil {
			c.fail(b)
			return
		}
		rest = nil
		c.written(b)
		b = c.take(false)
	}
}

// writeAll fails when the peer takes nothing at all for WriteTimeout.
func (c *Conn) writeAll(out net.Buffers) error {
	if c.in.rc == nil {
		return c.writePieces(out)
	}
	for {
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.o.WriteTimeout)); err != nil {
			return err
		}
		n, err := c.writeSome(&out)
		if err == nil {
			return c.nc.SetWriteDeadline(time.Time{}) // else a later write at once would fail
		}
		var ne net.Error
		if n == 0 || !errors.As(err, &ne) || !ne.Timeout() {
			return err
		}
	}
}

// writeSome takes from out what it has written.
func (c *Conn) writeSome(out *net.Buffers) (int64, error) {
	if c.own != nil {
		return c.own.writev(out)
	}
	return out.WriteTo(c.nc)
}

// writePiece is how much of a connection that is no plain socket is written at once: what fits a TLS record (RFC 8446
// section 5.1).
const writePiece = 16 << 10

// writePieces is writeAll for what is no plain socket: TLS does not go on after a timeout. It fails when the peer does not take
// a piece within WriteTimeout.
func (c *Conn) writePieces(out net.Buffers) error {
	for _, b := range out {
		for len(b) > 0 {
			if err := c.nc.SetWriteDeadline(time.Now().Add(c.o.WriteTimeout)); err != nil {
				return err
			}
			n, err := c.nc.Write(b[:min(len(b), writePiece)])
			if err != nil {
				return err
			}
			b = b[n:]
		}
	}
	return c.nc.SetWriteDeadline(time.Time{})
}

// fail ends the connection after a write error: the reader notices.
func (c *Conn) fail(b *batch) {
	b.release()
	c.Drop()
	c.take(false)
}

// Drop ends the TCP connection at once.
func (c *Conn) Drop() {
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
	_ = c.nc.Close()
}

// sendControl queues a control frame (RFC 6455 section 5.5), payload at most 125 bytes.
func (c *Conn) sendControl(op int, payload []byte) error {
	return c.Send(Seal(op, append(Begin(len(payload)), payload...)))
}

// Ping sends a ping. Heard tells later whether the peer answered.
func (c *Conn) Ping() error { return c.Send(pingFrame) }

var pingFrame = Seal(opPing, Begin(0))

// PingWith sends a ping with a payload of at most 125 bytes, which the peer's pong repeats.
func (c *Conn) PingWith(payload []byte) error { return c.sendControl(opPing, payload) }

// Close closes the connection with a code and a reason of at most 123 bytes (RFC 6455 section 5.5.1), after the frames
// that are queued. It does not wait. The first Close or Abort counts, later ones do nothing.
func (c *Conn) Close(code int, reason string) { c.shutCode(code, reason, true) }

// Abort is Close for a peer that does not keep up: what is queued is dropped, and the close frame reaches the peer only if
// it takes the rest of the frame under way within CloseTimeout.
func (c *Conn) Abort(code int, reason string) { c.shutCode(code, reason, false) }

// Cut is Abort after which nothing more is received: the Sink's End follows.
func (c *Conn) Cut(code int, reason string) {
	c.Abort(code, reason)
	c.mu.Lock()
	c.cut, c.listening = true, false
	_ = c.nc.SetReadDeadline(time.Now()) // Finish sets another
	c.mu.Unlock()
}

// Leave is Close for a peer that should go elsewhere: what it has sent before it learns of the close is still read, for at
// most CloseTimeout.
func (c *Conn) Leave(code int, reason string) {
	c.mu.Lock()
	c.listening = c.listening || !c.closing
	c.mu.Unlock()
	c.Close(code, reason)
}

func (c *Conn) shutCode(code int, reason string, polite bool) {
	c.shut(closeFrame(code, reason), &CloseError{Code: code, Reason: reason}, polite)
}

// closeFrame is a close frame; one without a code has no payload.
func closeFrame(code int, reason string) Frame {
	b := Begin(2 + len(reason))
	if code != closeNoStatus {
		b = append(binary.BigEndian.AppendUint16(b, uint16(code)), reason...) // #nosec G115 -- of 1000 to 4999
	}
	return Seal(opClose, b)
}

// peerClose answers the peer's close frame with its own code.
func (c *Conn) peerClose(code int) {
	c.mu.Lock()
	c.peerClosed = true
	c.mu.Unlock()
	c.shut(closeFrame(code, ""), nil, true)
}

// shut queues the close frame as the last one and bounds the time until the end.
func (c *Conn) shut(f Frame, cause *CloseError, polite bool) {
	c.mu.Lock()
	if c.closing || c.dead {
		c.mu.Unlock()
		return
	}
	c.closing, c.cause = true, cause
	if unsent := c.greeting > 0 && !c.writing; !polite && c.queue != nil && !unsent {
		for _, q := range c.queue.frames {
			c.frames--
			c.bytes -= len(q)
		}
		c.queue.release()
		c.queue = nil
	}
	c.push(f)
	c.closeTimer = time.AfterFunc(c.o.CloseTimeout, c.Drop)
	c.mu.Unlock()
	c.Flush()
}

// Pending is how many frames and bytes wait to be sent.
func (c *Conn) Pending() (frames, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames, c.bytes
}
