package room

import "signalling/api/bus"

// The codes of a refusal, as api/client defines them for clients.
const (
	CodeRoomFull    = "room-full"
	CodeForbidden   = "forbidden"
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
	case bus.Kick:
		return p.kick(c)
	case bus.Update:
		return p.update(c)
	case bus.Move:
		return p.move(c)
	case bus.Find:
		return p.find(c.Clients), bus.Event{}
	}
	return p.refuse(CodeBadRequest, "unknown operation"), bus.Event{}
}

// Repeat answers a command other than a leave that came before, or that its gateway does not wait for any more, without any
// effect. Its answer is true now; where that cannot be known, it is refused as unavailable.
func (p *Partition) Repeat(c *bus.Command) bus.Answer {
	r := p.rooms[c.Room]
	switch {
	case c.Op == bus.Create && r != nil && p.repeated(r, c):
		return p.done(r, c)
	case c.Op == bus.Create && r != nil:
		return p.result(bus.Exists)
	case c.Op == bus.Join && r == nil:
		return p.result(bus.NotExists)
	case c.Op == bus.Join:
		if i := r.find(c.Client); i >= 0 {
			a, _ := p.rejoin(r, &r.members[i], c, false)
			return a
		}
	case c.Op == bus.Kick || c.Op == bus.Update:
		return p.repeatOwned(c)
	}
	return p.refuse(CodeUnavailable, unknownEnd)
}

// unknownEnd is for people.
const unknownEnd = "what came of the command is not known any more"

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
	var policy *bus.Policy
	if c.Settings != nil {
		var fault string
		if policy, fault = p.change(nil, c.Settings); fault != "" {
			return p.refuse(CodeBadRequest, fault)
		}
	}
	// Not directly above anything that a room of this name can have had, so that the difference shows.
	version := p.counter + 2
	r := p.open(c.Room, c.Client, bus.Stamp{Epoch: p.epoch, Version: version}, version)
	if r.policy = policy; policy != nil {
		policy.Since = p.stamp(r)
	}
	p.admit(r, bus.Member{Client: c.Client, Gateway: c.Gateway, Since: version, Seq: c.Seq, Inc: c.Inc, Proven: c.Proven, Display: c.Display})
	return p.done(r, c)
}

// repeated says whether the create is the one that made this room.
func (p *Partition) repeated(r *room, c *bus.Command) bool {
	i := r.find(c.Client)
	if i < 0 || r.members[i].Gateway != c.Gateway || r.members[i].Since != r.born.Version {
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
	claims, ok := p.claims(r, c)
	if !ok {
		return p.refuse(CodeForbidden, "the owner's key is wrong"), bus.Event{}
	}
	if i := r.find(c.Client); i >= 0 {
		m := &r.members[i]
		if !claims && m.Gateway != c.Gateway && c.Inc > m.Inc && c.Proven >= m.Proven {
			// It came in by a command of the gateway that had its session before, whose answer nobody got.
			e := p.relocate(r, m, c)
			return p.done(r, c), e
		}
		return p.rejoin(r, m, c, claims)
	}
	if !claims {
		if code, message := r.refusal(c); code != "" {
			return p.refuse(code, message), bus.Event{}
		}
	}
	if len(r.members) >= p.limits.MembersPerRoom {
		return p.refuse(CodeRoomFull, "the room is full"), bus.Event{}
	}
	if c.Display != "" && r.displays()+bus.DisplaySize(c.Display) > bus.MaxDisplaysBytes {
		return p.refuse(CodeRoomFull, "the room's display identities are as long as they may be"), bus.Event{}
	}
	m := bus.Member{Client: c.Client, Gateway: c.Gateway, Since: r.version + 1, Seq: c.Seq, Inc: c.Inc, Proven: c.Proven, Display: c.Display}
	e := p.event(r, bus.Joined, &m)
	e.Seq, e.Display = c.Seq, c.Display
	p.admit(r, m)
	if claims {
		p.give(r, c.Client, &e)
	}
	return p.done(r, c), e
}

// rejoin is the join of a member. It changes nothing, unless the member claims the room.
func (p *Partition) rejoin(r *room, m *bus.Member, c *bus.Command, claims bool) (bus.Answer, bus.Event) {
	// From now on the gateway counts it as a member by this command.
	if m.Gateway == c.Gateway {
		m.Seq, m.Inc, m.Proven = max(m.Seq, c.Seq), max(m.Inc, c.Inc), max(m.Proven, c.Proven)
	}
	var e bus.Event
	if claims && r.owner != c.Client {
		e = p.event(r, bus.Owned, &bus.Member{})
		p.give(r, c.Client, &e)
	}
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
	e := p.removeOne(r, i, c.Lost)
	return bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: e.Stamp}}, e
}

// done answers a create or join with the room as it is now.
func (p *Partition) done(r *room, c *bus.Command) bus.Answer {
	a := bus.Answer{Result: bus.Done, Roster: p.roster(r)}
	if c.Have == p.epoch && (c.Life == 0 || c.Life == r.born.Version) {
		a.Members, a.Policy = nil, nil
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
