package wsock

// Most of what idle peers send are answers to heartbeats, one small frame at a time. The watcher's loop deals with these
// itself, because another goroutine, and the thread that it may need, cost more than the rest of the work.

// Beater may be implemented by a Sink whose heartbeats are messages. Those of WebSocket need nothing.
type Beater interface {
	// Beat is asked for a message before Message: true means that it was part of a heartbeat and is dealt with. It must not
	// wait for anything. It is called as the methods of Sink are, with a text of at most maxControl bytes.
	Beat(msg []byte) bool
}

// beat reads what has come for a connection that was parked. It returns true if that was a heartbeat and the connection is
// parked again; otherwise a worker goes on from there.
func (c *Conn) beat() bool {
	if len(c.in.data) > 0 || c.parser.op != 0 {
		return false // in the middle of something
	}
	c.fed = true
	if c.fault = c.in.read(false); c.fault != nil || !c.takeBeat() {
		return false
	}
	c.fed = false
	return c.park()
}

// takeBeat takes what is there if it is one frame of a heartbeat and nothing else.
func (c *Conn) takeBeat() bool {
	h, n, err := parseHeader(c.in.data)
	if err != nil || n == 0 || !h.fin || h.length > maxControl || n+int(h.length) != len(c.in.data) {
		return false
	}
	switch int(h.op) {
	case opPing, opPong:
		more, err := c.control(&h, n)
		return more && err == nil
	case OpText:
		return c.takeText(&h, n)
	}
	return false
}

func (c *Conn) takeText(h *header, n int) bool {
	b, ok := c.sink.(Beater)
	if !ok || c.isClosing() {
		return false
	}
	msg := c.in.data[n:]
	unmask(msg, h.key)
	if !b.Beat(msg) {
		unmask(msg, h.key) // as it was
		return false
	}
	c.hear()
	c.in.take(len(c.in.data))
	return true
}
