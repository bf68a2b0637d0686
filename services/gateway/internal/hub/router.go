package hub

import (
	"bytes"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/tracing"
)

// queue is what a session has asked for in one room and is not answered yet. Commands of one room are carried out one
// after the other, so that they are answered in their order even when one of them has to be repeated.
type queue struct {
	current *request
	waiting []waiting
}

// waiting is a command behind another one. Its slices are its own.
type waiting struct {
	client.Command
	ref      []byte
	deadline time.Time
}

// Handle carries out a command. ref is given back with the answer; nil if the door needs none. The slices are used during
// the call only. What the command causes leaves with Flush at the latest: a door calls Handle for each command at hand,
// then Flush, and both from one goroutine at a time for each session.
func (s *Session) Handle(c *client.Command, ref []byte) {
	s.received++
	if c.Op == client.Resume {
		s.Answer(ref, &client.Error{Code: client.BadRequest, Message: "resume must be the first command of a connection"})
		return
	}
	p := partitionOf(s.h, c.Room)
	out := s.outbox()
	p.mu.Lock()
	r := p.rooms[string(c.Room)]
	if q := r.queueOf(s); q != nil {
		q.waiting = append(q.waiting, waiting{own(c), bytes.Clone(ref), time.Now().Add(s.h.cfg.CommandTimeout)})
		s.took()
	} else if p.execute(r, s, c, ref, time.Time{}, out) {
		s.took()
	}
	p.mu.Unlock()
	s.pace(out)
}

// own returns the command with slices that do not alias a frame. ID is not kept: the door's ref stands for it.
func own(c *client.Command) client.Command {
	return client.Command{
		Op: c.Op, Room: bytes.Clone(c.Room), TargetID: bytes.Clone(c.TargetID), Data: bytes.Clone(c.Data),
		Options: c.Options, Password: bytes.Clone(c.Password), OwnerKey: bytes.Clone(c.OwnerKey),
	}
}

func (r *replica) queueOf(s *Session) *queue {
	if r == nil {
		return nil
	}
	return r.queues[s]
}

// execute carries out a command, or begins to: it reports whether the answer is still to come. r is the room's replica or
// nil. A zero deadline means that the command has just arrived.
func (p *partition) execute(r *replica, s *Session, c *client.Command, ref []byte, deadline time.Time, out *outbox) bool {
	switch c.Op {
	case client.SignalSend:
		p.signal(r, s, c, ref, out)
		return false
	case client.RoomLeave, client.RoomKick, client.RoomUpdate:
		// Only here can the session have become a member, so this much is known without asking.
		if r == nil || r.local(s) == nil {
			p.answer(s, c.Op, ref, &client.NotInRoom{Room: string(c.Room)}, deadline, out)
			return false
		}
	case client.RoomCreate, client.RoomJoin:
		if s.full(r) {
			if p.h.cfg.Limited != nil {
				p.h.cfg.Limited()
			}
			p.answer(s, c.Op, ref, errTooManyRooms, deadline, out)
			return false
		}
	}
	now := time.Now()
	if deadline.IsZero() {
		deadline = now.Add(p.h.cfg.CommandTimeout)
	}
	room := string(c.Room)
	r, err := p.replica(room)
	if err != nil || !deadline.After(now) {
		p.answer(s, c.Op, ref, unavailable, deadline, out)
		return false
	}
	if !s.remember(r) {
		r.release(out)
		return false
	}
	q := p.begin(&request{
		r: r, session: s, client: s.id, op: busOp(c.Op), ref: bytes.Clone(ref), guarded: guardedOf(c), deadline: deadline,
	}, out)
	if r.queues == nil {
		r.queues = make(map[*Session]*queue, 1)
	}
	r.queues[s] = &queue{current: q}
	return true
}

// trace begins the trace of a command that came at since, if it is sampled.
func (p *partition) trace(op client.Op, s *Session, room string, since time.Time) *tracing.Span {
	span := p.h.trace.Root(op.String(), since)
	span.Set("client", s.id)
	span.Set("room", room)
	return span
}

// answer answers a command that may have waited.
func (p *partition) answer(s *Session, op client.Op, ref []byte, e client.Event, deadline time.Time, out *outbox) {
	p.h.m.answered(op, e, p.h.waited(deadline))
	out.answer(s, ref, e)
}

// waited is how long ago a command came whose time is over at the deadline; a zero deadline means just now.
func (h *Hub) waited(deadline time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return time.Since(deadline) + h.cfg.CommandTimeout
}

var errTooManyRooms = &client.Error{Code: client.RateLimited, Message: "you are in as many rooms as you may be"}

func busOp(op client.Op) bus.Op {
	switch op {
	case client.RoomCreate:
		return bus.Create
	case client.RoomJoin:
		return bus.Join
	case client.RoomKick:
		return bus.Kick
	case client.RoomUpdate:
		return bus.Update
	}
	return bus.Leave
}

func clientOp(op bus.Op) client.Op {
	switch op {
	case bus.Create:
		return client.RoomCreate
	case bus.Join:
		return client.RoomJoin
	case bus.Kick:
		return client.RoomKick
	case bus.Update:
		return client.RoomUpdate
	}
	return client.RoomLeave
}

// next goes on with what waits behind an answered command.
func (p *partition) next(r *replica, s *Session, out *outbox) {
	q := r.queues[s]
	delete(r.queues, s)
	s.settled(1)
	rest := q.waiting
	for len(rest) > 0 {
		w := &rest[0]
		rest = rest[1:]
		if s.hasEnded() {
			break
		}
		if p.execute(r, s, &w.Command, w.ref, w.deadline, out) {
			r.queues[s].waiting = rest
			return
		}
		s.settled(1)
	}
	if r.local(s) == nil {
		s.forget(r)
	}
	r.release(out)
}
