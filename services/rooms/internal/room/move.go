package room

import "signalling/api/bus"

// move makes another gateway the one that holds a member, because the client's session was resumed there. The member keeps
// its place in the join order, and clients are not told. A gateway moves a member to itself to have its new count known:
// from then on an older token is worth nothing here.
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
		m.Inc, m.Seq = c.Inc, max(m.Seq, c.Seq)
		return p.done(r, c), bus.Event{}
	case m.Gateway != c.From || m.Inc >= c.Inc:
		return p.result(bus.Elsewhere), bus.Event{}
	}
	p.unhold(r, m.Gateway)
	m.Gateway = p.hold(r, c.Gateway)
	m.Inc, m.Seq = c.Inc, c.Seq
	e := p.event(r, bus.Moved, m)
	e.Seq, e.Inc, e.Dead = m.Seq, m.Inc, c.Dead
	return p.done(r, c), e
}

// find lists the memberships of the clients.
func (p *Partition) find(clients []string) bus.Answer {
	a := p.result(bus.Done)
	asked := make(map[string]struct{}, len(clients))
	for _, c := range clients {
		asked[c] = struct{}{}
	}
	for _, r := range p.rooms {
		for i := range r.members {
			m := &r.members[i]
			if _, ok := asked[m.Client]; ok {
				a.Found = append(a.Found, bus.Found{Client: m.Client, Room: r.name, Gateway: m.Gateway, Inc: m.Inc})
			}
		}
	}
	return a
}
