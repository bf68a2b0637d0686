package room

import (
	"cmp"
	"slices"

	"signalling/api/bus"
)

// MaxMembers is the largest number of members that a room may be allowed: the roster of a room is sent in one message,
// which this keeps under bus.MaxPartBytes, the display identities not counted: see bus.MaxDisplaysBytes.
const MaxMembers = 4096

// Limits bound what one partition takes. The zero value means the largest values.
type Limits struct {
	// MembersPerRoom is how many members a room may have, from 1 to MaxMembers. A join beyond it is refused.
	MembersPerRoom int
	// Rooms is how many rooms the partition may have; 0 means any number. A create beyond it is refused. Rooms that gateways
	// report to a new owner are there already, and are never refused.
	Rooms int
	// OwnerGrace is how long a room waits for its owner if its policy says so, in milliseconds.
	OwnerGrace int64
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
	// waiting are the rooms that wait for their owner, with the time at which they give up. See Expire.
	waiting map[*room]int64
	// round marks the rooms that the current announcement names.
	round uint64
}

// room is one room from its creation to its end.
type room struct {
	name    string
	born    bus.Stamp
	version uint64
	// owner is a member, unless the room waits for it.
	owner string
	// policy is nil for a plain room. It is replaced, never changed.
	policy *bus.Policy
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
	return bus.Roster{Stamp: p.stamp(r), Born: r.born, Owner: r.owner, Members: r.members, Policy: r.policy}
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

// displays is the size of all display identities in the room.
func (r *room) displays() (n int) {
	for i := range r.members {
		n += bus.DisplaySize(r.members[i].Display)
	}
	return n
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
	m.Gateway = p.hold(r, m.Gateway)
	r.members = append(r.members, m)
	p.members++
}

// hold counts a member of the room for its gateway. It returns the gateway: one copy of the string for all members.
func (p *Partition) hold(r *room, gateway string) string {
	h := p.holders[gateway]
	if h == nil {
		h = &holder{gateway: gateway, rooms: map[*room]int{}}
		p.holders[gateway] = h
	}
	h.rooms[r]++
	return h.gateway
}

// forget takes a member that has been or will be removed from the room's slice out of everything else.
func (p *Partition) forget(r *room, m *bus.Member) {
	p.members--
	p.unhold(r, m.Gateway)
}

// unhold undoes hold.
func (p *Partition) unhold(r *room, gateway string) {
	h := p.holders[gateway]
	if h.rooms[r]--; h.rooms[r] > 0 {
		return
	}
	if delete(h.rooms, r); len(h.rooms) == 0 {
		delete(p.holders, gateway)
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

// removeOne removes the member at place i, and the room with it if it is the owner or the last, unless the room's policy
// keeps it. lost says that the member did not ask to leave.
func (p *Partition) removeOne(r *room, i int, lost bool) bus.Event {
	m := r.members[i]
	owner := m.Client == r.owner
	loss := bus.AwaitOwner // what is kept without an owner goes on without one
	if owner {
		loss = r.loss(lost)
	}
	if loss == bus.CloseOnLoss || len(r.members) == 1 {
		return p.end(r, &m)
	}
	e := p.drop(r, i)
	if owner {
		p.orphan(r, loss, r.members[0].Client, &e)
	}
	return e
}

// drop removes the member at place i and nothing else.
func (p *Partition) drop(r *room, i int) bus.Event {
	m := r.members[i]
	p.forget(r, &m)
	r.members = slices.Delete(r.members, i, i+1)
	return p.event(r, bus.Left, &m)
}

// orphan is what becomes of a room that goes on without its owner, whose leaving e tells.
func (p *Partition) orphan(r *room, loss bus.OwnerLost, heir string, e *bus.Event) {
	if loss == bus.Transfer {
		p.give(r, heir, e)
	} else {
		p.await(r)
	}
}

// end closes the room because its owner m has gone, or whoever else kept it.
func (p *Partition) end(r *room, m *bus.Member) bus.Event {
	for i := range r.members {
		p.forget(r, &r.members[i])
	}
	r.members, r.closed = nil, true
	delete(p.rooms, r.name)
	delete(p.waiting, r)
	return p.event(r, bus.Closed, m)
}

// removeAll removes the members that gone picks, in one pass, and appends what happened to events: that the room has
// closed, if its owner is among them and its policy does not keep it, or nobody is left; and otherwise that each has left.
// None of them has asked to leave.
func (p *Partition) removeAll(r *room, gone func(*bus.Member) bool, events []bus.Event) []bus.Event {
	i := r.find(r.owner)
	lost := i >= 0 && gone(&r.members[i])
	heir, loss := "", bus.AwaitOwner
	if lost {
		loss = r.loss(true)
	}
	if i < 0 || lost {
		stays := slices.IndexFunc(r.members, func(m bus.Member) bool { return !gone(&m) })
		if loss == bus.CloseOnLoss || stays < 0 {
			m := r.members[max(i, 0)]
			return append(events, p.end(r, &m))
		}
		heir = r.members[stays].Client
	}
	owner := r.owner // it may change on the way
	r.members = slices.DeleteFunc(r.members, func(m bus.Member) bool {
		if !gone(&m) {
			return false
		}
		p.forget(r, &m)
		e := p.event(r, bus.Left, &m)
		if m.Client == owner {
			p.orphan(r, loss, heir, &e)
		}
		events = append(events, e)
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
