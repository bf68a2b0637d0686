package engine

import (
	"crypto/rand"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/services/rooms/internal/room"
)

// handleCommand carries out a command: state, then event, then answer. What comes again needs no care if it is known by the
// membership that it can have changed: a leave and a move.
func (e *Engine) handleCommand(m *nats.Msg) {
	c := &e.command
	*c = bus.Command{}
	if err := c.Decode(m.Data); err != nil {
		e.malformed(m, err)
		if isAnswerSubject(m.Reply) {
			e.answer = bus.Answer{Result: bus.Refused, Code: room.CodeBadRequest, Message: "the command cannot be read"}
			e.reply(m.Reply)
		}
		return
	}
	reply := answerTo(m, c.Gateway, c.Seq)
	number, _ := bus.PartitionOf(m.Subject)
	if (number != bus.Partition(c.Room) && c.Op != bus.Find) || !e.alive(c.Gateway) {
		e.answer = bus.Answer{Result: bus.Refused, Code: room.CodeBadRequest, Message: "the command is misdirected"}
		e.reply(reply)
		return
	}
	p := e.partitions[number]
	if p == nil || p.rooms == nil || !e.serves(p) {
		e.answer = bus.Answer{Result: bus.Retry}
		if p != nil {
			e.answer.Epoch = p.epoch
		}
		e.reply(reply)
		return
	}
	if s := c.Settings; s != nil && (s.Password != "" || s.OwnerKey != "") {
		s.Salt = newSalt()
	}
	if changesOnce(c.Op) && !e.gateways[c.Gateway].seenOf(number).first(c) {
		e.answer = p.rooms.Repeat(c)
		e.reply(reply)
		return
	}
	span := e.opts.Tracer.Continue(m, "command")
	defer span.End()
	e.answer, e.event = p.rooms.Apply(c)
	span.Set("command", string(c.Op))
	span.Set("result", string(e.answer.Result))
	if e.event.Kind != "" {
		e.publishTraced(&e.event, span)
	}
	e.reply(reply)
}

// changesOnce says that a command must be kept from being carried out again.
func changesOnce(op bus.Op) bool { return op != bus.Leave && op != bus.Move && op != bus.Find }

// newSalt makes the random part of what a password is held against.
func newSalt() []byte {
	salt := make([]byte, room.SaltBytes)
	_, _ = rand.Read(salt) // never fails
	return salt
}

// reply sends e.answer.
func (e *Engine) reply(subject string) {
	e.counters.commands[e.answer.Result]++
	e.opts.Metrics.answered(e.command.Op, &e.answer)
	e.send(subject, &e.answer)
}
