package client

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Client is one connection to the server. Its methods may be called from any goroutine. It must be closed, also when the
// server has ended the connection.
type Client struct {
	ws         *websocket.Conn
	opts       Options
	id         string
	display    string
	maxMessage int
	resumed    *Resumed

	events chan Message
	outbox chan outgoing
	// closing is closed by Close, ending when the reader has met the end, done when nothing of the client runs any more.
	closing, ending, done chan struct{}
	closeOnce             sync.Once

	sending sync.RWMutex // held for reading while a command is queued

	mu      sync.Mutex // guards what follows
	err     error      // why it ended; the first reason stays
	nextID  uint64
	pending map[uint64]chan Event // commands that wait for their answers; each has room for one
	session Session
	again   []outgoing // what the writer sends first
}

func newClient(ws *websocket.Conn, o Options) *Client {
	ws.SetReadLimit(o.ReadLimit)
	return &Client{
		ws:      ws,
		opts:    o,
		events:  make(chan Message, o.EventQueue),
		outbox:  make(chan outgoing, sendQueue),
		closing: make(chan struct{}),
		ending:  make(chan struct{}),
		done:    make(chan struct{}),
		pending: make(map[uint64]chan Event),
	}
}

// ID is the client's own id, by which other members know it.
func (c *Client) ID() string { return c.id }

// Display is the client's own display identity, by which other members are told of it; "" if the server passes none on. Those
// of others come with RoomJoined and ClientJoined.
func (c *Client) Display() string { return c.display }

// MaxMessageBytes is the longest message that the server takes, as it said in its welcome. A signal's data must be
// shorter by the rest of its message: room, target and about 80 bytes.
func (c *Client) MaxMessageBytes() int { return c.maxMessage }

// Events returns what the server sends, in its exact order, the welcome and the answers to commands included. When a
// command returns, its answer and all that came before it are in the channel already. The channel is closed when the
// connection has ended and its last message was put in; Err then says why. There is one channel, for one reader.
//
// At most Options.EventQueue messages wait; at the bound the connection is ended with ErrEventsUnread.
func (c *Client) Events() <-chan Message { return c.events }

// Done is closed when the connection has ended, whoever ended it, and nothing of the client runs any more.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the connection ended: a *CloseError, ErrClosed, ErrEventsUnread or ErrProtocol. It is nil before the end.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close sends what is on its way, tells the server good-bye, and waits until nothing of the client runs any more, at most
// Options.CloseTimeout. The server makes the client leave its rooms. Commands that wait for an answer return ErrClosed.
// Closing again, or after the server did, does nothing. The error is always nil; it is there for io.Closer.
func (c *Client) Close() error {
	c.closeOnce.Do(func() {
		c.fail(ErrClosed)
		close(c.closing)
	})
	timer := time.AfterFunc(c.opts.CloseTimeout, c.abort)
	defer timer.Stop()
	<-c.done
	return nil
}

// fail notes why the client ends, unless it is noted already.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// abort ends the connection without more words; reader and writer end by it.
func (c *Client) abort() { _ = c.ws.NetConn().Close() }

func (c *Client) start() {
	var writer sync.WaitGroup
	writer.Go(c.writeLoop)
	go func() {
		c.readLoop()
		close(c.ending)
		c.abort()
		writer.Wait()
		close(c.events)
		close(c.done)
	}()
}
