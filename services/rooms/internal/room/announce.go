package room

import (
	"slices"

	"signalling/api/bus"
)

// Announce compares what a gateway holds with what is known here; a is the whole announcement, with the rooms of all its
// parts. Members of the gateway that it does not hold any more are removed: the events tell, in the order to publish
// them. The corrections tell the gateway how the announced rooms are after that; there is at least one, and each fits a
// message. Their rosters belong to the partition and are valid until its next change.
func (p *Partition) Announce(a *bus.Announce) ([]bus.Event, []bus.Correction) {
	var events []bus.Event
	p.round++
	for i := range a.Rooms {
		if r := p.rooms[a.Rooms[i].Room]; r != nil {
			r.named = p.round
			events = p.removeAll(r, absentFrom(a, &a.Rooms[i]), events)
		}
	}
	if a.Full {
		for _, r := range p.roomsOf(a.Gateway) {
			if r.named != p.round {
				events = p.removeAll(r, absentFrom(a, nil), events)
			}
		}
	}
	return events, p.corrections(a)
}

// absentFrom picks the members that the gateway would have announced if it still held them. A nil room is one that it
// did not name.
func absentFrom(a *bus.Announce, ar *bus.AnnouncedRoom) func(*bus.Member) bool {
	var held func(string) bool
	if ar != nil {
		held = holds(ar)
	}
	return func(m *bus.Member) bool {
		return m.Gateway == a.Gateway && m.Seq <= a.AsOf && (held == nil || !held(m.Client))
	}
}

// holds tells whether the gateway holds the client in the room, or cannot tell yet.
func holds(ar *bus.AnnouncedRoom) func(client string) bool {
	const few = 16
	if n := len(ar.Members) + len(ar.Unsettled); n > few {
		set := make(map[string]struct{}, n)
		for i := range ar.Members {
			set[ar.Members[i].Client] = struct{}{}
		}
		for _, c := range ar.Unsettled {
			set[c] = struct{}{}
		}
		return func(client string) bool {
			_, ok := set[client]
			return ok
		}
	}
	return func(client string) bool {
		for i := range ar.Members {
			if ar.Members[i].Client == client {
				return true
			}
		}
		return slices.Contains(ar.Unsettled, client)
	}
}

// corrections answers an announcement in parts of at most bus.MaxPartBytes, a room that is larger alone in one.
func (p *Partition) corrections(a *bus.Announce) []bus.Correction {
	parts := []bus.Correction{{Epoch: p.epoch}}
	size := 0
	for i := range a.Rooms {
		c := p.correct(&a.Rooms[i])
		last := &parts[len(parts)-1]
		if n := maxSize(&c); size+n > bus.MaxPartBytes && len(last.Rooms) > 0 {
			parts = append(parts, bus.Correction{Epoch: p.epoch, Part: last.Part + 1})
			last, size = &parts[len(parts)-1], n
		} else {
			size += n
		}
		last.Rooms = append(last.Rooms, c)
	}
	parts[len(parts)-1].Last = true
	return parts
}

func (p *Partition) correct(ar *bus.AnnouncedRoom) bus.CorrectedRoom {
	r := p.rooms[ar.Room]
	if r == nil {
		return bus.CorrectedRoom{Room: ar.Room, Gone: true}
	}
	roster := p.roster(r)
	if ar.Born == r.born && ar.Digest == roster.Digest() {
		return bus.CorrectedRoom{Room: ar.Room, Same: true, Roster: bus.Roster{Stamp: roster.Stamp, Born: r.born}}
	}
	return bus.CorrectedRoom{Room: ar.Room, Roster: roster}
}

// maxSize bounds the encoded size of c: a byte of a name may take six, an id is plain.
func maxSize(c *bus.CorrectedRoom) int {
	const fields, numbers = 160, 90
	n := fields + 6*len(c.Room) + len(c.Owner) + c.Policy.MaxSize()
	for i := range c.Members {
		m := &c.Members[i]
		n += numbers + len(m.Client) + len(m.Gateway) + bus.DisplaySize(m.Display)
	}
	return n
}
