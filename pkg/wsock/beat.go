package wsock

// Most of what idle peers send are answers to heartbeats, one small frame at a time. The watcher's loop deals with these
// itself, because another goroutine, and the thread that it may need, cost more than the rest of the work.

// Beater may be implemented by a Sink whose heartbeats are messages. Those of WebSocket need nothing.
type Beater interface {
	// Beat is asked for a message before Message: true means that it was part of a heartbeat and is dealt with. It must not
	// wait for anything. It is called as the methods of Sink are, with a text of at most 125 bytes.
	Beat(msg []byte) bool
}

// beat reads what has come for a connection that was parked. It returns true if that was a heartbeat and the connection is
// parked again; otherwise a worker goes on from there.
func (c *Conn) beat() bool {
	c.fed = true
	if c.fault = c.in.read(false); c.fault != nil || c.in.full || !mayBeat(c.in.data) || c.isClosing() || !c.took(c.in.data) {
		return false
	}
	c.fed = false
	c.hear()
	c.in.release()
	done, _ := c.park()
	return done
}

// took reports whether a frame of mayBeat was a heartbeat, which is dealt with then. Gorilla does not see it: between two
// messages such a frame stands for itself.
func (c *Conn) took(frame []byte) bool {
	key, payload := frame[headerBytes-maskBytes:headerBytes], frame[headerBytes:]
	if frame[0] == finBit|opPong {
		c.sink.Pong(nil)
		return true
	}
	b, ok := c.sink.(Beater)
	if !ok {
		return false
	}
	mask(payload, key)
	if b.Beat(payload) {
		return true
	}
	mask(payload, key)
	return false
}

// mask masks or unmasks (RFC 6455 section 5.3).
func mask(payload, key []byte) {
	for i := range payload {
		payload[i] ^= key[i%maskBytes]
	}
}

// The header of a short frame of a client.
const (
	maskBytes   = 4
	headerBytes = 2 + maskBytes
)

// mayBeat says whether something is one whole frame of a client, and may be the answer to a heartbeat by its kind and length
// (RFC 6455 section 5.2). A pong with a payload answers more than that, and a ping is no answer: what a Sink does with them
// may take its time.
func mayBeat(b []byte) bool {
	const maskBit, maxLength = 0x80, 125
	if len(b) < headerBytes || len(b) > headerBytes+maxLength || int(b[1]) != maskBit|(len(b)-headerBytes) {
		return false
	}
	switch b[0] {
	case finBit | OpText:
		return true
	case finBit | opPong:
		return len(b) == headerBytes
	}
	return false
}
