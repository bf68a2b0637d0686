package wsock

import (
	"errors"
	"os"
)

// Sink takes what a connection receives. Its methods are called one at a time, each from some goroutine of the package. While
// one of them runs, nothing more is read from the connection: that is the back-pressure.
type Sink interface {
	// Message takes a message; a text message is UTF-8. msg is valid during the call. Messages that arrive after Close are
	// dropped, those after Leave are not.
	Message(op int, msg []byte)
	// Ping is called for each ping of the peer: false leaves it without a pong.
	Ping() bool
	// Pong takes the payload of a pong, which is valid during the call. For one without a payload it must not wait: what
	// wakes all connections may be the caller.
	Pong(payload []byte)
	// Idle is called when all that has arrived was handed over, before more is waited for: the moment to flush what the
	// messages so far have caused, so that what belongs together leaves together.
	Idle()
	// End is called once, last, when the connection has ended: err is a *CloseError if either side closed it by the
	// protocol, another error if the network failed. It must call Finish.
	End(err error)
}

// Serve hands what the connection receives to the Sink until it ends. It does not wait for that, so that the caller, an HTTP
// handler as a rule, can return. It is called once, and no ReadMessage may follow; what ReadMessage has left is handed over.
func (c *Conn) Serve(s Sink) {
	c.sink = s
	c.Flush()
	read := c.run
	if !c.pending() && !c.in.full {
		done, wait := c.park()
		if done {
			return
		}
		if !wait {
			read = c.woken
		}
	}
	go read()
}

// run reads and hands over until there is nothing more for now, or ever.
func (c *Conn) run() { c.end(c.receive()) }

// more reads more, and waits until there is some if it is told to. A lively connection may find that it is to be parked.
func (c *Conn) more(wait bool) error {
	err := c.in.read(wait)
	switch {
	case err == nil && c.lively:
		c.heardOf.Store(true)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return c.calm(err)
	}
	return err
}

// woken is run for a connection that was parked.
func (c *Conn) woken() {
	if c.pace.woken() {
		c.stay()
	}
	err := c.fault
	if !c.fed {
		err = c.more(false)
	}
	c.fed, c.fault = false, nil
	if err == nil {
		err = c.receive()
	}
	c.end(err)
}

// end tells the Sink of the end. Without an error the connection is parked, and no longer the caller's.
func (c *Conn) end(err error) {
	if err != nil {
		c.sink.End(c.endError(err))
	}
}

// receive returns nil once the connection is parked: it may be read by another goroutine then.
func (c *Conn) receive() error {
	for {
		if err := c.handOver(); err != nil {
			return err
		}
		if c.in.full {
			if err := c.more(false); err != nil {
				return err
			}
			continue
		}
		c.sink.Idle()
		done, wait := false, true
		if !c.lively {
			done, wait = c.park()
		}
		if done {
			return nil
		}
		if err := c.more(wait); err != nil {
			return err
		}
	}
}

// handOver gives the messages that have arrived to the Sink.
func (c *Conn) handOver() error {
	for {
		op, msg, ok, err := c.nextOpen()
		if err != nil || !ok {
			return err
		}
		c.sink.Message(op, msg)
	}
}

// nextOpen is next without the messages that come too late.
func (c *Conn) nextOpen() (op int, msg []byte, ok bool, err error) {
	for {
		op, msg, ok, err = c.next()
		if errors.Is(err, errBadText) {
			c.Close(closeBadText, "invalid UTF-8")
		}
		if err != nil || !ok || !c.isClosing() {
			return op, msg, ok, err
		}
	}
}

// ReadMessage waits for the next message and returns it: for a connection that is to be read for a moment, without a Sink or
// before Serve. One goroutine may call it. msg is valid until the next call. After an error, as Sink.End gets it, the caller
// must call Finish.
func (c *Conn) ReadMessage() (op int, msg []byte, err error) {
	c.Flush()
	for {
		op, msg, ok, err := c.nextOpen()
		if err == nil && !ok {
			err = c.in.read(true)
		}
		if err != nil {
			return 0, nil, c.endError(err)
		}
		if ok {
			return op, msg, nil
		}
	}
}

// endError tells the cause of the end: our own close first, because what the reader sees then is only its consequence.
func (c *Conn) endError(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return peerError(err)
}
