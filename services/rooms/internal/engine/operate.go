package engine

import (
	"context"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
)

// handleOperator answers an operator's question about a partition that we own, or does what the operator wants.
func (e *Engine) handleOperator(m *nats.Msg) {
	if !bus.IsOperatorInbox(m.Reply) {
		e.log.Warn("an operator's request names no inbox of operators", "subject", m.Subject)
		return
	}
	e.publish(m.Reply, operate.EncodeAnswer(e.opts.Instance, e.operate(m), e.nc.MaxPayload()))
}

// operate returns the answer.
func (e *Engine) operate(m *nats.Msg) any {
	q, fault := operate.Decode(m.Subject, m.Data)
	if fault != nil {
		return fault
	}
	number, _ := bus.PartitionOf(m.Subject)
	p := e.partitions[number]
	switch {
	case q.Room != "" && bus.Partition(q.Room) != number:
		return operate.Errorf(operate.BadRequest, "the room is in partition %d", bus.Partition(q.Room))
	case p == nil || p.rooms == nil || !e.serves(p):
		return operate.Errorf(operate.Retry, "partition %d is recovering, or changes hands", number)
	}
	switch q.Op {
	case operate.Rooms:
		list := p.rooms.List(&q)
		list.Partition = number
		return list
	case operate.Room:
		if state, ok := p.rooms.Look(&q); ok {
			return state
		}
		return noRoom(&q)
	case operate.Client:
		return operate.Presence{Memberships: p.rooms.Memberships(q.Client, q.Limit)}
	case operate.Kick:
		return e.operatorKick(p, &q)
	case operate.Close:
		return e.operatorClose(p, &q)
	}
	return operate.Errorf(operate.UnknownOp, "the owner of a partition does not know %q", q.Op)
}

func noRoom(q *operate.Question) *operate.Error {
	return operate.Errorf(operate.NotFound, "there is no room %q", q.Room)
}

func (e *Engine) operatorKick(p *partition, q *operate.Question) any {
	members := p.rooms.Count(q.Room)
	if members == 0 {
		return noRoom(q)
	}
	ev, ok := p.rooms.Remove(q.Room, q.Client)
	if !ok {
		return operate.Errorf(operate.NotFound, "client %s is not in room %q", q.Client, q.Room)
	}
	done := operate.Done{Clients: 1}
	if ev.Kind == bus.Closed {
		done = operate.Done{Clients: members, Closed: true}
	}
	e.publishEvent(&ev)
	e.log.Info("an operator has removed a client", "client", q.Client, "room", q.Room, "closed", done.Closed)
	return done
}

func (e *Engine) operatorClose(p *partition, q *operate.Question) any {
	members := p.rooms.Count(q.Room)
	ev, ok := p.rooms.Close(q.Room)
	if !ok {
		return noRoom(q)
	}
	e.publishEvent(&ev)
	e.log.Info("an operator has closed a room", "room", q.Room, "members", members)
	return operate.Done{Clients: members, Closed: true}
}

// Look shows rooms to the page of this process: the largest ones, of all partitions that it serves, or those that a question
// asks for, and the question's room if it names one. It fails when ctx ends first, and when the engine has ended.
func (e *Engine) Look(ctx context.Context, q operate.Question) (list operate.RoomList, room *operate.RoomState, err error) {
	parts := make([]operate.RoomList, 0, bus.Partitions)
	for n := range e.partitions { // one at a time, so that commands need not wait for all of them
		err := e.do(ctx, func() {
			p := e.partitions[n]
			if p == nil || p.rooms == nil {
				return
			}
			parts = append(parts, p.rooms.List(&q))
			if q.Room != "" && bus.Partition(q.Room) == n {
				if s, ok := p.rooms.Look(&q); ok {
					room = &s
				}
			}
		})
		if err != nil {
			return list, nil, err
		}
	}
	return operate.Merge(parts, &q), room, nil
}
