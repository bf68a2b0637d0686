package hub

import (
	"sync"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/tracing"
)

// outbox collects, under a partition's mutex, what is to leave once it is released. run sends it.
type outbox struct {
	h        *Hub
	messages []message
	commands []command
	links    []*link // with signals in line
	conns    []Conn  // with frames queued
}

type message struct {
	subject, reply string
	data           []byte
}

// command is a request that is sent.
type command struct {
	bus.Command
	span *tracing.Span
}

var outboxes = sync.Pool{New: func() any { return new(outbox) }}

func (h *Hub) outbox() *outbox {
	out := outboxes.Get().(*outbox)
	out.h = h
	return out
}

const outboxKeep = 1024

// run publishes, then writes. A request follows the subscription that was made for it, on the same connection.
func (out *outbox) run() {
	for _, m := range out.messages {
		out.h.publish(m.subject, m.reply, m.data)
	}
	for i := range out.commands {
		out.h.send(&out.commands[i])
	}
	for _, l := range out.links {
		l.flush()
	}
	for _, c := range out.conns {
		c.Flush()
	}
	clear(out.messages)
	clear(out.commands)
	clear(out.links)
	clear(out.conns)
	out.messages, out.commands, out.links, out.conns = out.messages[:0], out.commands[:0], out.links[:0], out.conns[:0]
}

// release runs the outbox and gives it back.
func (out *outbox) release() {
	out.run()
	if cap(out.conns) <= outboxKeep {
		outboxes.Put(out)
	}
}

// answer sends the answer to a command, unless nobody waits for it.
func (out *outbox) answer(s *Session, ref []byte, e client.Event) {
	if s == nil {
		return
	}
	s.sent.Add(1)
	s.conn.Answer(ref, e)
	out.conns = append(out.conns, s.conn)
}

func (out *outbox) deliver(s *Session, b *Broadcast) {
	s.sent.Add(1)
	s.conn.Deliver(b)
	out.conns = append(out.conns, s.conn)
}

// signal queues a signal for its target.
func (out *outbox) signal(target *Session, room, sender string, data []byte) {
	target.sent.Add(1)
	target.conn.Signal(room, sender, data)
	out.conns = append(out.conns, target.conn)
}

func (out *outbox) event(s *Session, e client.Event) { out.deliver(s, &Broadcast{Event: e}) }
