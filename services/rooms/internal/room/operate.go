package room

import (
	"cmp"
	"slices"

	"signalling/api/bus"
	"signalling/api/operate"
)

// What operators see and do. Nothing of a policy's secrets leaves here.

// List lists the rooms that a question asks for.
func (p *Partition) List(q *operate.Question) operate.RoomList {
	list := operate.NewListing(q)
	for _, r := range p.rooms {
		if list.Wants(r.name, len(r.members)) {
			list.Add(p.summary(r))
		}
	}
	return list.List()
}

func (p *Partition) summary(r *room) operate.Summary {
	s := operate.Summary{
		Name: r.name, Partition: bus.Partition(r.name), Members: len(r.members), Owner: r.owner, Waiting: p.waits(r),
	}
	s.SetPolicy(r.policy)
	return s
}

// Look shows a room and a page of its members. It returns false if there is no such room.
func (p *Partition) Look(q *operate.Question) (operate.RoomState, bool) {
	r := p.rooms[q.Room]
	if r == nil {
		return operate.RoomState{}, false
	}
	s := operate.RoomState{Summary: p.summary(r), Epoch: p.epoch, Version: r.version}
	s.SetPolicy(r.policy)
	s.Page(q, func(yield func(*bus.Member) bool) {
		for i := range r.members {
			if !yield(&r.members[i]) {
				return
			}
		}
	})
	return s, true
}

// Memberships lists the rooms in which a client is, at most limit of them, and no more than an answer has.
func (p *Partition) Memberships(client string, limit int) (all []operate.Membership) {
	for _, r := range p.rooms {
		if i := r.find(client); i >= 0 && len(all) < limit {
			all = append(all, operate.Membership{
				Room: r.name, Partition: bus.Partition(r.name), Member: operate.MemberOf(&r.members[i]), Owner: r.owner == client,
			})
		}
	}
	slices.SortFunc(all, func(a, b operate.Membership) int { return cmp.Compare(a.Room, b.Room) })
	return operate.FitMemberships(all)
}

// Remove removes a member because an operator wants it, and for as long as the room exists. The removal of the owner does to
// the room what its leaving does. It returns false if there is no such member.
func (p *Partition) Remove(name, client string) (bus.Event, bool) {
	r := p.rooms[name]
	if r == nil {
		return bus.Event{}, false
	}
	i := r.find(client)
	if i < 0 {
		return bus.Event{}, false
	}
	e := p.removeOne(r, i, false)
	if !r.closed {
		p.adopt(r, ban(r.policy, client), &e)
	}
	return e, true
}

// Count returns how many members a room has, 0 if there is none.
func (p *Partition) Count(name string) int {
	if r := p.rooms[name]; r != nil {
		return len(r.members)
	}
	return 0
}
