package room

import (
	"cmp"
	"slices"

	"signalling/api/bus"
)

// memberships are those of one client that was asked for.
type memberships struct {
	client string
	found  []bus.Found
	size   int // in a message
}

// find lists the memberships of the clients, as many as a message takes. Those of a client come all or not at all, and
// clients with few come first.
func (p *Partition) find(clients []string) bus.Answer {
	all := p.membershipsOf(clients)
	slices.SortStableFunc(all, func(a, b *memberships) int { return cmp.Compare(a.size, b.size) })
	a, size := p.result(bus.Done), 0
	for _, m := range all {
		if size += m.size; size > bus.MaxPartBytes {
			a.Result = bus.Partial
			a.Again = append(a.Again, m.client)
			continue
		}
		a.Found = append(a.Found, m.found...)
	}
	return a
}

// membershipsOf collects what is known of the clients, in their order, each once.
func (p *Partition) membershipsOf(clients []string) []*memberships {
	all := make([]*memberships, 0, len(clients))
	asked := make(map[string]*memberships, len(clients))
	for _, c := range clients {
		if asked[c] == nil {
			asked[c] = &memberships{client: c}
			all = append(all, asked[c])
		}
	}
	var buf []byte
	for _, r := range p.rooms {
		for i := range r.members {
			m := &r.members[i]
			of := asked[m.Client]
			if of == nil {
				continue
			}
			f := bus.Found{Client: m.Client, Room: r.name, Gateway: m.Gateway, Inc: m.Inc, Proven: m.Proven, Display: m.Display}
			buf = f.Append(buf[:0])
			of.found, of.size = append(of.found, f), of.size+len(buf)+len(",")
		}
	}
	return all
}
