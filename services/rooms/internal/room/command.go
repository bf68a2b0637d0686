package room

import "signalling/api/bus"

// The codes of a refusal, as api/client defines them for clients.
const (
	CodeRoomFull    = "room-full"
	CodeBadRequest  = "bad-request"
	CodeUnavailable = "unavailable"
	CodeRateLimited = "rate-limited"
)

// Apply carries out a command. If the event's Kind is set, it must be published before the answer is sent. The answer's
// Members belong to the partition and are valid until its next change.
func (p *Partition) Apply(c *bus.Command) (bus.Answer, bus.Event) {
	switch c.Op {
	case bus.Create:
		return p.create(c), bus.Event{}
	case bus.Join:
		return p.join(c)
	case bus.Leave:
		return p.leave(c)
	}
	return p.refuse(CodeBadRequest, "unknown operation"), bus.Event{}
}

// Repeat answers a create or join that came before, or that its gateway does not wait for any more, without any effect. Its
// answer is true now; where that cannot be known, it is refused as unavailable.
func (p *Partition) Repeat(c *bus.Command) bus.Answer {
	r := p.rooms[c.Room]
	switch {
	case c.Op == bus.Create && r != nil && p.repeated(r, c):
		return p.done(r, c)
	case c.Op == bus.Create && r != nil:
		return p.result(bus.Exists)
	case c.Op == bus.Join && r == nil:
		return p.result(bus.NotExists)
	case c.Op == bus.Join && r.find(c.Client) >= 0:
		a, _ := p.join(c)
		return a
	}
	return p.refuse(CodeUnavailable, "what came of the command is not known any more")
}

// create makes the client the owner and first member of a new room. There is nobody to tell.
func (p *Partition) create(c *bus.Command) bus.Answer {
	if r := p.rooms[c.Room]; r != nil {
		if p.repeated(r, c) {
			return p.done(r, c)
		}
		return p.result(bus.Exists)
	}
	if p.limits.Rooms > 0 && len(p.rooms) >= p.limits.Rooms {
		return p.refuse(CodeRateLimited, "there are too many rooms")
	}
	// Not directly above anything that a room of this name can have had, so that the difference shows.
	version := p.counter + 2
	r := p.open(c.Room, c.Client, bus.Stamp{Epoch: p.epoch, Version: version}, version)
	p.admit(r, bus.Member{Client: c.Client, Gateway: c.Gateway, Since: version, Seq: c.Seq})
	return p.done(r, c)
}

// repeated says whether the create is the one that made this room.
func (p *Partition) repeated(r *room, c *bus.Command) bool {
	if r.owner != c.Client {
		return false
	}
	i := r.find(c.Client)
	if i < 0 || r.members[i].Gateway != c.Gateway {
		return false
	}
	m := &r.members[i]
	if m.Seq == 0 {
		// Rebuild knew the owner from others, and its create as still unanswered: this is it.
		m.Seq = c.Seq
	}
	return m.Seq == c.Seq
}

func (p *Partition) join(c *bus.Command) (bus.Answer, bus.Event) {
	r := p.rooms[c.Room]
	if r == nil {
		return p.result(bus.NotExists), bus.Event{}
	}
	if i := r.find(c.Client); i >= 0 {
		// From now on the gateway counts it as a member by this command.
		if m := &r.members[i]; m.Gateway == c.Gateway {
			m.Seq = max(m.Seq, c.Seq)
		}
		return p.done(r, c), bus.Event{}
	}
	if len(r.members) >= p.limits.MembersPerRoom {
		return p.refuse(CodeRoomFull, "the room is full"), bus.Event{}
	}
	m := bus.Member{Client: c.Client, Gateway: c.Gateway, Since: r.version + 1, Seq: c.Seq}
	e := p.event(r, bus.Joined, &m)
	e.Seq = c.Seq
	p.admit(r, m)
	return p.done(r, c), e
}

func (p *Partition) leave(c *bus.Command) (bus.Answer, bus.Event) {
	r := p.rooms[c.Room]
	if r == nil {
		return p.result(bus.NotIn), bus.Event{}
	}
	i := r.find(c.Client)
	// A leave that is older than the membership is a repetition that came late: the client has joined again since.
	if i < 0 || r.members[i].Gateway != c.Gateway || c.Seq < r.members[i].Seq {
		return p.result(bus.NotIn), bus.Event{}
	}
	e := p.removeOne(r, i)
	return bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: e.Stamp}}, e
}

// done answers a create or join with the room as it is now.
func (p *Partition) done(r *room, c *bus.Command) bus.Answer {
	a := bus.Answer{Result: bus.Done, Roster: p.roster(r)}
	if c.Have == p.epoch && (c.Life == 0 || c.Life == r.born.Version) {
		a.Members = nil
	}
	return a
}

func (p *Partition) result(result bus.Result) bus.Answer {
	return bus.Answer{Result: result, Roster: bus.Roster{Stamp: bus.Stamp{Epoch: p.epoch}}}
}

func (p *Partition) refuse(code, message string) bus.Answer {
	a := p.result(bus.Refused)
	a.Code, a.Message = code, message
	return a
}
