package wsock

// Most of what idle peers send are answers to heartbeats, one small frame at a time. The watcher's loop deals with these
// itself, because another goroutine, and the thread that it may need, cost more than the rest of the work.

// Beater may be implemented by a Sink whose heartbeats are messages. Those of WebSocket need nothing.
type Beater interface {
	// Beat is asked for a message before Message: true means that it was part of a heartbeat and is dealt with. It must not
	// wait for anything. It is called as the methods of Sink are, with a text of at most 125 bytes.
	Beat(msg []byte) bool
}

// early is what the watcher's loop has found of a connection that is not for it: a message, which is valid until the next one
// is read, or an error.
type early struct {
	op  int
	msg []byte
	err error
}

// beat reads what has come for a connection that was parked. It returns true if that was a heartbeat and the connection is
// parked again; otherwise a worker goes on from there.
func (c *Conn) beat() bool {
	c.fed = true
	if c.early.err = c.in.read(false); c.early.err != nil || !mayBeat(c.in.data) {
		return false
	}
	op, msg, ok, err := c.nextOpen() // does not wait: the frame is here
	if err != nil || ok && !c.isBeat(op, msg) {
		c.early = early{op, msg, err}
		return false
	}
	c.fed = false
	c.releaseMessage()
	return c.park()
}

func (c *Conn) isBeat(op int, msg []byte) bool {
	b, ok := c.sink.(Beater)
	return ok && op == OpText && b.Beat(msg)
}

// mayBeat says whether something is one whole frame of a client, and may be the answer to a heartbeat by its kind and length
// (RFC 6455 section 5.2). A pong with a payload answers more than that, and a ping is no answer: what a Sink does with them
// may take its time.
func mayBeat(b []byte) bool {
	const header, maskBit, maxLength = 6, 0x80, 125
	if len(b) < header || len(b) > header+maxLength || int(b[1]) != maskBit|(len(b)-header) {
		return false
	}
	switch b[0] {
	case finBit | OpText:
		return true
	case finBit | opPong:
		return len(b) == header
	}
	return false
}
