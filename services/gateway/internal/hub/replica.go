package hub

import (
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/client"
)

// replica is a room as this gateway knows it. It exists while the gateway has members in the room or commands for it on
// their way, and for as long it is subscribed to the room's events. Its partition's mutex guards it.
type replica struct {
	p    *partition
	name string
	sub  *nats.Subscription

	// live says that the fields below are the room as of stamp. Otherwise events pass unseen: the answer that makes the
	// first member brings the room whole.
	live    bool
	stamp   bus.Stamp
	since   uint64 // the newest request when stamp was reached
	born    bus.Stamp
	owner   string
	policy  *bus.Policy    // nil for a plain room; replaced, never changed
	members []member       // in join order
	index   map[string]int // of members, by client, once there are many
	locals  int            // members with a session

	// ended is the stamp of the room's last end, for an answer that was overtaken by it.
	ended bus.Stamp
	// queues hold the commands of sessions for this room: one on its way, the others behind it.
	queues map[*Session]*queue
	// held are signals that came before the news they depend on.
	held      []heldSignal
	heldBytes int
	returned  int // of held: came back, because their targets have moved
	// parting are clients whose sessions went elsewhere, until that is heard of or the time has passed.
	parting map[string]time.Time
	// detours are members for whom signals are on their way to where they were before.
	detours map[string]detour
	// repairing is the number of the partial announcement on its way, 0 if there is none.
	repairing uint64
}

// member is a client in the room. session is set for clients of this gateway that have been told that they are members.
type member struct {
	bus.Member
	session *Session
	joined  int64 // when session became a member, in ns, until its first signal; 0 if nobody wants to know
}

// indexFrom is the number of members from which on they are looked up in a map.
const indexFrom = 16

// replica returns the room's replica, made and subscribed if need be. The subscription precedes, on the same connection,
// any request that the caller sends, so no event after the answer is missed.
func (p *partition) replica(room string) (*replica, error) {
	if r := p.rooms[room]; r != nil {
		return r, nil
	}
	sub, err := p.h.nc.ChanSubscribe(bus.EventSubject(bus.Token(room)), p.h.inbox)
	if err != nil {
		return nil, err
	}
	r := &replica{p: p, name: room, sub: sub}
	p.rooms[room] = r
	return r, nil
}

// release forgets the replica once nobody needs it. What is held for it has no target here any more.
func (r *replica) release(out *outbox) {
	if r.locals > 0 || len(r.queues) > 0 || len(r.parting) > 0 || r.p.rooms[r.name] != r {
		return
	}
	delete(r.p.rooms, r.name)
	delete(r.p.restless, r)
	_ = r.sub.Unsubscribe() // fails only when the connection is closed for good
	for i := range r.held {
		r.refuse(&r.held[i], false, out)
	}
	r.held, r.heldBytes = nil, 0
}

// advance notes how new the view of the room is.
func (r *replica) advance(to bus.Stamp) { r.stamp, r.since = to, r.p.asOf() }

func (r *replica) find(id string) *member {
	if i := r.indexOf(id); i >= 0 {
		return &r.members[i]
	}
	return nil
}

func (r *replica) findBytes(id []byte) *member {
	if r.index != nil {
		if i, ok := r.index[string(id)]; ok {
			return &r.members[i]
		}
		return nil
	}
	for i := range r.members {
		if r.members[i].Client == string(id) {
			return &r.members[i]
		}
	}
	return nil
}

// clientOf is the client of the id: the string is the member's, if it is one.
func (r *replica) clientOf(id []byte) string {
	if m := r.findBytes(id); m != nil {
		return m.Client
	}
	return string(id)
}

func (r *replica) indexOf(id string) int {
	if r.index != nil {
		if i, ok := r.index[id]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(r.members, func(m member) bool { return m.Client == id })
}

func (r *replica) add(m bus.Member) {
	r.members = append(r.members, member{Member: m})
	switch {
	case r.index != nil:
		r.index[m.Client] = len(r.members) - 1
	case len(r.members) > indexFrom:
		r.reindex(0)
	}
}

func (r *replica) remove(i int) {
	if r.index != nil {
		delete(r.index, r.members[i].Client)
	}
	if r.members[i].session != nil {
		r.detach(&r.members[i])
	}
	r.members = slices.Delete(r.members, i, i+1)
	if r.index != nil {
		r.reindex(i)
	}
}

func (r *replica) reindex(from int) {
	if r.index == nil {
		r.index = make(map[string]int, 2*len(r.members))
	}
	for i := from; i < len(r.members); i++ {
		r.index[r.members[i].Client] = i
	}
}

// attach makes the session a member that has been told so.
func (r *replica) attach(m *member, s *Session) {
	if m.session == nil {
		r.locals++
	}
	m.session = s
	if r.p.h.cfg.Negotiations {
		m.joined = time.Now().UnixNano()
	}
}

func (r *replica) detach(m *member) {
	s := m.session
	m.session = nil
	r.locals--
	if r.queues[s] == nil {
		s.forget(r)
	}
}

// local returns the member that the session is, or nil.
func (r *replica) local(s *Session) *member {
	if m := r.find(s.id); r.live && m != nil && m.session == s {
		return m
	}
	return nil
}

// adopt takes over the owner's roster if it is newer than what is known. Sessions are told the difference.
func (r *replica) adopt(roster *bus.Roster, out *outbox) {
	switch {
	case !r.live:
		r.live = true
		r.advance(roster.Stamp)
		r.born, r.owner, r.policy = roster.Born, roster.Owner, roster.Policy
		r.members, r.index = make([]member, 0, len(roster.Members)), nil
		for _, m := range roster.Members {
			r.add(m)
		}
		r.settleHeld(out)
	case r.born != roster.Born:
		if r.born.Less(roster.Born) {
			r.end(r.stamp, "", out)
			r.adopt(roster, out)
		}
	case r.stamp.Less(roster.Stamp):
		r.reconcile(roster, out)
		r.settleHeld(out)
	}
}

// reconcile tells the sessions the difference between what is known and the owner's roster, and takes that over.
func (r *replica) reconcile(roster *bus.Roster, out *outbox) {
	r.advance(roster.Stamp)
	truth := make(map[string]uint64, len(roster.Members))
	for i := range roster.Members {
		truth[roster.Members[i].Client] = roster.Members[i].Since
	}
	r.leftExcept(func(m *member) bool { _, there := truth[m.Client]; return there }, out)
	if !r.begins(roster) {
		// Some have left and come back, and stand where they do not stand for others.
		r.leftExcept(func(m *member) bool { return truth[m.Client] == m.Since }, out)
	}
	for _, m := range roster.Members {
		if known := r.find(m.Client); known == nil {
			r.joined(m, out)
		} else if known.Gateway == m.Gateway {
			known.Member = m
		} else {
			r.relocate(known, m, false, out)
		}
	}
	r.sortAs(roster)
	r.govern(roster.Owner, roster.Policy, out)
}

// leftExcept removes the members that do not stay.
func (r *replica) leftExcept(stays func(*member) bool, out *outbox) {
	for i := 0; i < len(r.members); {
		if stays(&r.members[i]) {
			i++
		} else {
			r.left(i, out)
		}
	}
}

// begins says whether the members are the first ones of the roster, in its order.
func (r *replica) begins(roster *bus.Roster) bool {
	if len(r.members) > len(roster.Members) {
		return false
	}
	for i := range r.members {
		if r.members[i].Client != roster.Members[i].Client {
			return false
		}
	}
	return true
}

// sortAs brings the members into the roster's order.
func (r *replica) sortAs(roster *bus.Roster) {
	sorted := make([]member, 0, len(roster.Members))
	for i := range roster.Members {
		sorted = append(sorted, *r.find(roster.Members[i].Client))
	}
	r.members = sorted
	if r.index != nil {
		r.reindex(0)
	}
}

// joined adds a member and tells the others. One of this gateway that nobody here waits for came in by a join that was given
// up or repeated; the owner is told that it is not here.
func (r *replica) joined(m bus.Member, out *outbox) {
	if m.Gateway == r.p.h.id && r.p.requests[m.Seq] == nil {
		r.p.doubt()
	}
	r.tell(deliveredJoined, arrival(r.name, &m), out)
	r.add(m)
}

// arrival is the event of a new member.
func arrival(room string, m *bus.Member) *client.ClientJoined {
	return &client.ClientJoined{Room: room, ClientID: m.Client, Display: m.Display}
}

// left removes the member at i and tells the others. A session that did not ask to leave is told that it was removed.
func (r *replica) left(i int, out *outbox) {
	id, s := r.members[i].Client, r.members[i].session
	r.remove(i)
	delete(r.parting, id)
	delete(r.detours, id)
	if s != nil && !r.leaving(s) {
		r.p.h.m.delivered(deliveredClosed, 1)
		out.event(s, &client.RoomLeft{Room: r.name, Kicked: true})
	}
	r.tell(deliveredLeft, &client.ClientLeft{Room: r.name, ClientID: id}, out)
}

// leaving says that the session's own leave is on its way, and notes that it has worked.
func (r *replica) leaving(s *Session) bool {
	q := r.queues[s]
	if q == nil || q.current.op != bus.Leave {
		return false
	}
	q.current.applied = true
	return true
}

// end closes the room for the sessions here: all are told that they were removed, except by itself, if it asked for it. An
// empty by means that it is not known who closed the room: whoever has asked to leave may have left before, and waits for
// its answer.
func (r *replica) end(at bus.Stamp, by string, out *outbox) {
	if r.ended.Less(at) {
		r.ended = at
	}
	b := &Broadcast{Event: &client.RoomLeft{Room: r.name, Kicked: true}}
	members := r.members
	r.live, r.members, r.index, r.policy, r.parting, r.detours = false, nil, nil, nil, nil, nil
	told := 0
	for i := range members {
		s := members[i].session
		if s == nil {
			continue
		}
		r.detach(&members[i])
		if (by == "" || members[i].Client == by) && r.leaving(s) {
			continue
		}
		told++
		out.deliver(s, b)
	}
	r.p.h.m.delivered(deliveredClosed, told)
	r.settleHeld(out)
}

// tell sends the event to all members here.
func (r *replica) tell(what delivered, e client.Event, out *outbox) {
	if r.locals == 0 {
		return
	}
	b, told := &Broadcast{Event: e}, 0
	for i := range r.members {
		if s := r.members[i].session; s != nil {
			told++
			out.deliver(s, b)
		}
	}
	r.p.h.m.delivered(what, told)
}

// roster is the replica as the owner would send it.
func (r *replica) roster() bus.Roster {
	v := bus.Roster{Stamp: r.stamp, Born: r.born, Owner: r.owner, Policy: r.policy, Members: make([]bus.Member, 0, len(r.members))}
	for i := range r.members {
		v.Members = append(v.Members, r.members[i].Member)
	}
	return v
}
