package room

import "signalling/api/bus"

// move makes another gateway the one that holds a member, because the client's session was resumed there. The member keeps
// its place in the join order, and clients are not told. A gateway moves a member to itself once the client is known to have
// its newest token: from then on an older one is worth nothing here.
//
// Where the member was does not matter: of two gateways that have taken the session from a third, because the client came
// to one after the other, the one with the newer incarnation has it in all rooms.
func (p *Partition) move(c *bus.Command) (bus.Answer, bus.Event) {
	r := p.rooms[c.Room]
	if r == nil {
		return p.result(bus.NotIn), bus.Event{}
	}
	i := r.find(c.Client)
	if i < 0 {
		return p.result(bus.NotIn), bus.Event{}
	}
	m := &r.members[i]
	switch {
	case m.Gateway == c.Gateway && m.Inc <= c.Inc:
		// Its Seq stays: a leave can be on its way that was numbered before.
		m.Inc, m.Proven = c.Inc, max(m.Proven, c.Proven)
		return p.done(r, c), bus.Event{}
	case m.Inc >= c.Inc || c.Proven < m.Proven:
		return p.result(bus.Elsewhere), bus.Event{}
	}
	e := p.relocate(r, m, c)
	return p.done(r, c), e
}

// relocate makes a command's gateway the one that holds the member.
func (p *Partition) relocate(r *room, m *bus.Member, c *bus.Command) bus.Event {
	p.unhold(r, m.Gateway)
	m.Gateway = p.hold(r, c.Gateway)
	m.Inc, m.Proven, m.Seq = c.Inc, c.Proven, c.Seq
	e := p.event(r, bus.Moved, m)
	e.Seq, e.Inc, e.Dead = m.Seq, m.Inc, c.Dead
	return e
}
