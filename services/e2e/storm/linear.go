package storm

import (
	"time"

	"signalling/services/e2e/check"
	"signalling/services/e2e/linear"
)

// Excuse says whether something happened to a gateway, or to the way to it, that can have ended memberships of its clients in a
// room between two times since the storm's start, and from when on.
type Excuse func(gateway int, room string, from, to time.Duration) (since time.Duration, ok bool)

// Linear returns the operations on each room as package linear wants them: the commands, and the ends of memberships that
// came without one. A membership can end without its client's doing only with an excuse.
func (s *Storm) Linear(excuse Excuse) map[string][]linear.Op {
	c := converter{excuse: excuse, hurt: s.hurt.or(excuse), rooms: map[string][]linear.Op{}}
	ops := map[string][]Op{}
	for _, op := range s.Ops() {
		ops[op.Client] = append(ops[op.Client], op)
	}
	for _, p := range s.all() {
		own := ops[p.ID()]
		for _, op := range own {
			c.command(p, op)
		}
		stints, _ := check.Fold(p.snapshot(), s.cfg.Mode)
		for _, stint := range stints {
			begun := begin(stint, own)
			c.end(p, stint, begun)
			c.revival(p, stint, begun)
		}
	}
	return c.rooms
}

type converter struct {
	excuse Excuse
	// hurt says whether something happened to a gateway at all.
	hurt  Excuse
	rooms map[string][]linear.Op
}

func (c *converter) add(room string, op linear.Op) { c.rooms[room] = append(c.rooms[room], op) }

func (c *converter) command(p *participant, op Op) {
	o := linear.Op{
		Client: op.Client, Kind: linear.Kind(op.Kind), Result: linear.Result(op.Result), Call: op.Call, Return: op.Return,
	}
	if op.Result == Unknown {
		o.Return = linear.Forever
		if op.Kind != Leave {
			// Should it have worked, the membership that nobody knows of ends again.
			c.add(op.Room, linear.Op{Client: op.Client, Kind: linear.Gone, Result: linear.OK, Call: op.Call, Return: linear.Forever})
		}
	}
	if _, ok := p.excused(c.hurt, op.Room, 0, op.Return); ok && op.Kind == Leave && op.Result == OK {
		o.Result = linear.Either // its membership may have been ended before: by the room's end, whose news the gateway missed
	}
	c.add(op.Room, o)
}

// lag is how long after a command's return the recorder can come to see its answer: they are different goroutines, perhaps
// on a busy machine.
const lag = 2 * time.Second

// begin is the earliest time at which the stint's client can have become a member: the call of the command that did it.
func begin(s *check.Stint, own []Op) time.Duration {
	earliest := s.Begun
	for _, op := range own {
		// What is unknown because the connection was lost may be answered when the session is resumed.
		worked := op.Room == s.Room && op.Kind != Leave && op.Result != No
		if worked && op.Call <= s.Begun && (op.Return+lag >= s.Begun || op.Result == Unknown) && op.Call < earliest {
			earliest = op.Call
		}
	}
	return earliest
}

// end adds the end of a membership that was not the client's leave.
func (c *converter) end(p *participant, s *check.Stint, begun time.Duration) {
	gone := linear.Op{Client: s.Client, Kind: linear.Gone, Result: linear.OK}
	switch s.End {
	case check.Kicked:
		gone.Return = s.Over
		since, ok := p.excused(c.excuse, s.Room, begun, s.Over)
		if !ok {
			gone.Kind = linear.Absent // it was the owner who ended it
		}
		gone.Call = max(begun, since)
	case check.Left:
		// It may have ended before, unnoticed by its client.
		since, ok := p.excused(c.excuse, s.Room, begun, s.Over)
		if !ok {
			return
		}
		gone.Call, gone.Return = max(begun, since), s.Over
	case check.Dropped:
		// When it takes effect shows in what the others are told: an owner's end is theirs too.
		gone.Call, gone.Return = p.endedAt(), linear.Forever
		if since, ok := p.excused(c.excuse, s.Room, begun, gone.Call); ok {
			gone.Call = min(gone.Call, max(begun, since))
		}
	default:
		return
	}
	c.add(s.Room, gone)
}

// revival allows for an owner who was given up and has come back: its gateway was cut off, the owner of the partition closed
// the room, and then went itself; the next one knows no more than what the gateway tells.
func (c *converter) revival(p *participant, s *check.Stint, begun time.Duration) {
	if s.Owner != s.Client {
		return
	}
	over := s.Over
	switch s.End {
	case check.Open:
		over = linear.Forever
	case check.Dropped:
		over = p.endedAt()
	}
	since, ok := p.excused(c.excuse, s.Room, begun, over)
	if !ok {
		return
	}
	for _, kind := range []linear.Kind{linear.Gone, linear.Create} {
		c.add(s.Room, linear.Op{Client: s.Client, Kind: kind, Result: linear.Maybe, Call: max(begun, since), Return: over})
	}
}
