package hub

import (
	"bytes"

	"signalling/api/bus"
	"signalling/api/client"
)

// guarded is what a command of a room with options has beside the room: few have it.
type guarded struct {
	target             string
	password, ownerKey string
	settings           *bus.Settings
}

// guardedOf takes over what the command has of it, nil if it has nothing. Passwords and keys do not go further than here.
func guardedOf(c *client.Command) *guarded {
	if c.Op != client.RoomKick && c.Options == nil && c.Password == nil && c.OwnerKey == nil {
		return nil
	}
	room := string(c.Room)
	g := &guarded{target: string(c.TargetID), settings: settingsOf(room, c.Options)}
	if c.Password != nil {
		g.password = bus.Proof(room, c.Password)
	}
	if c.OwnerKey != nil {
		g.ownerKey = bus.Proof(room, c.OwnerKey)
	}
	return g
}

func settingsOf(room string, o *client.RoomOptions) *bus.Settings {
	if o == nil {
		return nil
	}
	s := &bus.Settings{Metadata: o.Metadata}
	if s.NoMetadata = string(bytes.TrimSpace(o.Metadata)) == "null"; s.NoMetadata {
		s.Metadata = nil
	}
	switch o.OnOwnerLost {
	case client.CloseRoom:
		s.SetOwnerLost = true
	case client.AwaitOwner:
		s.SetOwnerLost, s.OwnerLost = true, bus.AwaitOwner
	case client.TransferRoom:
		s.SetOwnerLost, s.OwnerLost = true, bus.Transfer
	}
	if s.NoCapacity = o.Capacity == client.NoLimit; !s.NoCapacity {
		s.Capacity = uint64(o.Capacity) // #nosec G115 -- at least 0
	}
	if o.Locked != nil {
		s.Lock, s.Unlock = *o.Locked, !*o.Locked
	}
	s.Password, s.NoPassword = proofOf(room, o.Password)
	s.OwnerKey, s.NoOwnerKey = proofOf(room, o.OwnerKey)
	return s
}

func proofOf(room string, secret *string) (proof string, remove bool) {
	switch {
	case secret == nil:
		return "", false
	case *secret == "":
		return "", true
	}
	return bus.Proof(room, *secret), false
}

// stateOf is what clients are told of a policy; nil if that is the same as for a plain room.
func stateOf(p *bus.Policy) *client.RoomState {
	if p == nil || plain(p) {
		return nil
	}
	s := &client.RoomState{
		OnOwnerLost: client.CloseRoom, Capacity: int(p.Capacity), // #nosec G115 -- a number of members
		Locked: p.Locked, Password: p.Password != "", Metadata: p.Metadata,
	}
	switch p.OwnerLost {
	case bus.CloseOnLoss:
	case bus.AwaitOwner:
		s.OnOwnerLost = client.AwaitOwner
	case bus.Transfer:
		s.OnOwnerLost = client.TransferRoom
	}
	return s
}

// plain says that the policy has nothing that clients are told of.
func plain(p *bus.Policy) bool {
	return p.OwnerLost == bus.CloseOnLoss && p.Capacity == 0 && !p.Locked && p.Password == "" && p.Metadata == nil
}

// sameState says that clients are told the same of both. Policies that come from one change are the same anyway.
func sameState(a, b *bus.Policy) bool {
	if a == b {
		return true
	}
	var x, y bus.Policy
	if a != nil {
		x = *a
	}
	if b != nil {
		y = *b
	}
	return x.OwnerLost == y.OwnerLost && x.Capacity == y.Capacity && x.Locked == y.Locked &&
		(x.Password == "") == (y.Password == "") && bytes.Equal(x.Metadata, y.Metadata)
}

// updated is the event for a policy.
func updated(room string, p *bus.Policy) *client.RoomUpdated {
	s := stateOf(p)
	if s == nil {
		s = &client.RoomState{OnOwnerLost: client.CloseRoom}
	}
	return &client.RoomUpdated{Room: room, Options: s}
}

// govern takes over owner and policy, and tells the sessions what has changed, except those who wait for just that answer.
// A nil policy and an empty owner mean no change.
func (r *replica) govern(owner string, policy *bus.Policy, out *outbox) {
	if owner != "" && owner != r.owner {
		r.owner = owner
		r.tell(deliveredOwner, &client.OwnerChanged{Room: r.name, OwnerID: owner}, out)
	}
	if policy == nil {
		return
	}
	same := sameState(r.policy, policy)
	if r.policy = policy; !same {
		r.tellUpdated(out)
	}
}

func (r *replica) tellUpdated(out *outbox) {
	if r.locals == 0 {
		return
	}
	b, told := &Broadcast{Event: updated(r.name, r.policy)}, 0
	for i := range r.members {
		if s := r.members[i].session; s != nil && !r.updating(s) {
			told++
			out.deliver(s, b)
		}
	}
	r.p.h.m.delivered(deliveredUpdated, told)
}

// updating says that the session's own update is on its way, whose answer will tell it the same, and notes that it has
// not been told yet.
func (r *replica) updating(s *Session) bool {
	q := r.queues[s]
	if q == nil || q.current.op != bus.Update {
		return false
	}
	q.current.applied = true
	return true
}

// tellLate tells a session what was kept from it for the sake of an answer that has become another one.
func (q *request) tellLate(e client.Event, out *outbox) {
	if _, told := e.(*client.RoomUpdated); q.op == bus.Update && q.applied && !told && q.r.live {
		q.r.p.h.m.delivered(deliveredUpdated, 1)
		out.event(q.session, updated(q.r.name, q.r.policy))
	}
}

// onKicked ends a kick that has worked. The caller is told of the target's leaving as everybody is.
func (p *partition) onKicked(q *request, out *outbox) {
	r := q.r
	if r.live && r.find(q.guarded.target) != nil {
		r.repair(causeAnswer, out) // the event was missed; the difference is told when it comes
	}
	p.finish(q, &client.ClientKicked{Room: r.name, ClientID: q.guarded.target}, out)
}

// onUpdated ends an update that has worked.
func (p *partition) onUpdated(q *request, a *bus.Answer, out *outbox) {
	r := q.r
	if r.live && r.stamp.Less(a.Stamp) {
		r.repair(causeAnswer, out)
	}
	p.finish(q, updated(r.name, a.Policy), out)
}

// onNotThere ends a kick or an update of a client that is not in the room.
func (p *partition) onNotThere(q *request, out *outbox) {
	if m := q.r.local(q.session); m != nil {
		q.r.repair(causeAnswer, out)
	}
	p.finish(q, &client.NotInRoom{Room: q.r.name}, out)
}
