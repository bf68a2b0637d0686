package room

import (
	"cmp"
	"slices"

	"signalling/api/bus"
)

// MaxMembers is the largest number of members that a room may be allowed: the roster of a room is sent in one message,
// which this keeps under bus.MaxPartBytes.
const MaxMembers = 4096

// Limits bound what one partition takes. The zero value means the largest values.
type Limits struct {
	// MembersPerRoom is how many members a room may have, from 1 to MaxMembers. A join beyond it is refused.
	MembersPerRoom int
	// Rooms is how many rooms the partition may have; 0 means any number. A create beyond it is refused. Rooms that gateways
	// report to a new owner are there already, and are never refused.
	Rooms int
}

// Partition holds the rooms of one partition during one epoch.
type Partition struct {
	epoch   uint64
	limits  Limits
	rooms   map[string]*room
	holders map[string]*holder
	members int
	// counter is not less than any version that a room of this partition has or had.
	counter uint64
	// changed are the rooms with an event since the last call of Changed, each once.
	changed []*room
	// round marks the rooms that the current announcement names.
	round uint64
}

// room is one room from its creation to its end.
type room struct {
	name    string
	born    bus.Stamp
	version uint64
	owner   string
	// members are in join order, which is also that of their Since.
	members []bus.Member
	closed  bool
	// inChanged: the room is in Partition.changed.
	inChanged bool
	named     uint64
}

// holder is a gateway with members here.
type holder struct {
	gateway string
	// rooms has the number of the gateway's members in each room that has any.
	rooms map[*room]int
}

// New returns a partition without rooms.
func New(epoch uint64, limits Limits) *Partition {
	if limits.MembersPerRoom <= 0 || limits.MembersPerRoom > MaxMembers {
		limits.MembersPerRoom = MaxMembers
	}
	return &Partition{epoch: epoch, limits: limits, rooms: map[string]*room{}, holders: map[string]*holder{}}
}

// Epoch is the epoch that New or Rebuild was given.
func (p *Partition) Epoch() uint64 { return p.epoch }

// Rooms is how many rooms there are.
func (p *Partition) Rooms() int { return len(p.rooms) }

// Members is how many members all rooms have together.
func (p *Partition) Members() int { return p.members }

// Gateways is how many gateways have members here.
func (p *Partition) Gateways() int { return len(p.holders) }

func (p *Partition) stamp(r *room) bus.Stamp { return bus.Stamp{Epoch: p.epoch, Version: r.version} }

// roster returns the room as messages carry it. Its members are the room's own slice.
func (p *Partition) roster(r *room) bus.Roster {
	return bus.Roster{Stamp: p.stamp(r), Born: r.born, Owner: r.owner, Members: r.members}
}

// find returns the place of the client in the join order, or -1. Rooms are small, and whoever joins a large one is sent
// its whole roster anyway: an index would cost every room more than it would ever save.
func (r *room) find(client string) int {
	for i := range r.members {
		if r.members[i].Client == client {
			return i
		}
	}
	return -1
}

// open adds a room without members.
func (p *Partition) open(name, owner string, born bus.Stamp, version uint64) *room {
	r := &room{name: name, owner: owner, born: born, version: version}
	p.counter = max(p.counter, version)
	p.rooms[name] = r
	return r
}

// admit adds a member at the end of the join order, without an event.
func (p *Partition) admit(r *room, m bus.Member) {
	h := p.holders[m.Gateway]
	if h == nil {
		h = &holder{gateway: m.Gateway, rooms: map[*room]int{}}
		p.holders[m.Gateway] = h
	}
	m.Gateway = h.gateway // one copy of the string for all members
	h.rooms[r]++
	r.members = append(r.members, m)
	p.members++
}

// forget takes a member that has been or will be removed from the room's slice out of everything else.
func (p *Partition) forget(r *room, m *bus.Member) {
	p.members--
	h := p.holders[m.Gateway]
	if h.rooms[r]--; h.rooms[r] > 0 {
		return
	}
	if delete(h.rooms, r); len(h.rooms) == 0 {
		delete(p.holders, m.Gateway)
	}
}

// event gives the room its next version and returns the event that goes with it.
func (p *Partition) event(r *room, kind bus.Kind, m *bus.Member) bus.Event {
	r.version++
	p.counter = max(p.counter, r.version)
	if !r.inChanged {
		r.inChanged = true
		p.changed = append(p.changed, r)
	}
	return bus.Event{Room: r.name, Stamp: p.stamp(r), Kind: kind, Client: m.Client, Gateway: m.Gateway}
}

// removeOne removes the member at place i: from the room, or with the room if it is the owner.
func (p *Partition) removeOne(r *room, i int) bus.Event {
	m := r.members[i]
	if m.Client == r.owner {
		return p.end(r, &m)
	}
	p.forget(r, &m)
	r.members = slices.Delete(r.members, i, i+1)
	return p.event(r, bus.Left, &m)
}

// end closes the room because its owner m has gone.
func (p *Partition) end(r *room, m *bus.Member) bus.Event {
	for i := range r.members {
		p.forget(r, &r.members[i])
	}
	r.members, r.closed = nil, true
	delete(p.rooms, r.name)
	return p.event(r, bus.Closed, m)
}

// removeAll removes the members that gone picks, in one pass, and appends what happened to events: that the room has
// closed if its owner is among them, and otherwise that each has left.
func (p *Partition) removeAll(r *room, gone func(*bus.Member) bool, events []bus.Event) []bus.Event {
	if i := r.find(r.owner); i >= 0 && gone(&r.members[i]) {
		m := r.members[i]
		return append(events, p.end(r, &m))
	}
	r.members = slices.DeleteFunc(r.members, func(m bus.Member) bool {
		if !gone(&m) {
			return false
		}
		p.forget(r, &m)
		events = append(events, p.event(r, bus.Left, &m))
		return true
	})
	return events
}

// roomsOf lists the rooms with members of the gateway, oldest first.
func (p *Partition) roomsOf(gateway string) []*room {
	h := p.holders[gateway]
	if h == nil {
		return nil
	}
	rooms := make([]*room, 0, len(h.rooms))
	for r := range h.rooms {
		rooms = append(rooms, r)
	}
	slices.SortFunc(rooms, func(a, b *room) int {
		return cmp.Or(cmp.Compare(a.born.Epoch, b.born.Epoch), cmp.Compare(a.born.Version, b.born.Version), cmp.Compare(a.name, b.name))
	})
	return rooms
}

// Evict removes all members of a gateway that is no more, and returns what happened in the order to publish it.
func (p *Partition) Evict(gateway string) []bus.Event {
	var events []bus.Event
	for _, r := range p.roomsOf(gateway) {
		events = p.removeAll(r, func(m *bus.Member) bool { return m.Gateway == gateway }, events)
	}
	return events
}
