package hub

import (
	"time"

	"signalling/api/bus"
	"signalling/api/client"
)

// moving is a membership that a resumed session brings along: its owner is told that the client is here now.
type moving struct {
	client string
	// inc and proven are the session's incarnations, as in bus.Member.
	inc, proven uint64
	from        string
	dead        bool
	// session is the one that is to be attached; nil if it is here already and only its count is told.
	session *Session
	// told is what the client was told of the room, nil if that is not known.
	told *bus.TakenRoom
}

// move begins a move. It leaves with the outbox.
func (p *partition) move(r *replica, m *moving, out *outbox) {
	now := time.Now()
	q := &request{
		r: r, session: m.session, client: m.client, op: bus.Move, seq: p.nextSeq(), move: m,
		deadline: now.Add(p.h.moveTimeout()),
	}
	p.requests[q.seq] = q
	p.post(q, out)
	if m.session != nil {
		if r.queues == nil {
			r.queues = make(map[*Session]*queue, 1)
		}
		r.queues[m.session] = &queue{current: q}
	}
}

// moveTimeout is how long a move may take: for as long as the others keep the client in the room.
func (h *Hub) moveTimeout() time.Duration { return max(h.cfg.CommandTimeout, h.cfg.Resume.Window) }

// onMove takes the owner's answer to a move.
func (p *partition) onMove(q *request, a *bus.Answer, out *outbox) {
	switch {
	case a.Result == bus.Retry:
		p.retry(q.seq)
	case q.session == nil && a.Result == bus.Elsewhere:
		p.announceSoon = true
		q.r.yields(q.client, q.move.inc)
		p.finish(q, nil, out)
	case q.session == nil:
		p.announceSoon = p.announceSoon || a.Result != bus.Done
		p.finish(q, nil, out)
	case a.Result == bus.Done:
		p.onMoved(q, a, out)
	case a.Result == bus.Elsewhere:
		p.notHere(q, out)
	default: // the room has ended, or the client's membership
		p.notMoved(q, out)
	}
}

// notHere ends a session that another gateway holds by right, unless its client has come back here since the move was asked for:
// it may be right now.
func (p *partition) notHere(q *request, out *outbox) {
	p.drop(q)
	s, m := q.session, *q.move
	if inc, proven := s.incs(); inc > m.inc {
		waiting := q.r.queues[s].waiting
		m.inc, m.proven = inc, proven
		p.move(q.r, &m, out)
		q.r.queues[s].waiting = waiting
		return
	}
	p.next(q.r, s, out)
	s.yield("")
}

// notMoved tells a client that it is not a member any more.
func (p *partition) notMoved(q *request, out *outbox) {
	p.drop(q)
	out.event(q.session, &client.RoomLeft{Room: q.r.name, Kicked: true})
	p.next(q.r, q.session, out)
}

// drop forgets a request without an answer.
func (p *partition) drop(q *request) {
	delete(p.requests, q.seq)
	q.stopTimer()
}

// onMoved makes the session a member here, and tells its client what has changed meanwhile.
func (p *partition) onMoved(q *request, a *bus.Answer, out *outbox) {
	r, s := q.r, q.session
	if s.hasEnded() {
		p.leaveFor(r, q.client, out)
		p.finish(q, nil, out)
		return
	}
	if a.Members == nil && (!r.live || r.stamp.Less(a.Stamp) || r.find(q.client) == nil) {
		p.askWhole(q, out)
		return
	}
	if a.Members != nil && r.ended.Less(a.Stamp) {
		for i := range a.Members {
			a.Members[i].Gateway = p.h.intern(a.Members[i].Gateway)
		}
		r.adopt(&a.Roster, out)
	}
	p.drop(q)
	m := r.find(q.client)
	if m == nil || (q.move.told != nil && q.move.told.Born != r.born) {
		if m != nil {
			p.leaveFor(r, q.client, out)
		}
		out.event(s, &client.RoomLeft{Room: r.name, Kicked: true})
		p.next(r, s, out)
		return
	}
	delete(r.parting, q.client) // it has come back
	r.attach(m, s)
	if _, proven := s.incs(); proven > q.move.proven {
		r.renew(m, out)
	}
	r.update(s, q.move.told, out)
	p.next(r, s, out)
	r.settleHeld(out)
}

// update tells a session the difference between what its client was told and the room as it is, or all if that is not
// known.
func (r *replica) update(s *Session, told *bus.TakenRoom, out *outbox) {
	if told == nil {
		out.answer(s, nil, r.picture(s.id))
		return
	}
	before := make(map[string]bool, len(told.Clients))
	for _, id := range told.Clients {
		before[id] = true
		if r.indexOf(id) < 0 {
			out.event(s, &client.ClientLeft{Room: r.name, ClientID: id})
		}
	}
	for i := range r.members {
		if m := &r.members[i].Member; !before[m.Client] && m.Client != s.id {
			out.event(s, arrival(r.name, m))
		}
	}
	if told.Owner != r.owner {
		out.event(s, &client.OwnerChanged{Room: r.name, OwnerID: r.owner})
	}
	if !sameState(told.Policy, r.policy) {
		out.event(s, updated(r.name, r.policy))
	}
}

// relocate notes that a member is at another gateway than before. Clients are not told.
func (r *replica) relocate(m *member, to bus.Member, dead bool, out *outbox) {
	from := m.Gateway
	m.Member = to
	switch from {
	case to.Gateway:
	case r.p.h.id:
		delete(r.parting, to.Client)
		r.overtaken(m, out)
	default:
		r.redirect(to.Client, from, dead)
	}
}

// overtaken is what becomes of a session here whose client was moved elsewhere. If its own incarnation is the newer one, the
// client has come back here since, and is moved back.
func (r *replica) overtaken(m *member, out *outbox) {
	s := m.session
	if s == nil {
		return
	}
	if inc, proven := s.incs(); inc > m.Inc {
		r.p.move(r, &moving{client: m.Client, inc: inc, proven: proven, from: m.Gateway}, out)
		return
	}
	r.detach(m)
	s.yield(m.Gateway)
}

// yields ends a session here that the owner does not move to here: its client has shown elsewhere that the token is old by
// which it came here. A newer incarnation is told of on its own.
func (r *replica) yields(id string, inc uint64) {
	m := r.find(id)
	if m == nil || m.session == nil {
		return
	}
	if now, _ := m.session.incs(); now == inc {
		s := m.session
		r.detach(m)
		s.yield("")
	}
}

// yield is supersede for who holds a partition's mutex: that takes those of others, and so takes a while. From now on nobody
// gets the session here.
func (s *Session) yield(to string) {
	if k := s.keep; k != nil {
		k.mu.Lock()
		k.yielded = true
		k.mu.Unlock()
	}
	go s.supersede(to)
}

// supersede ends a session whose client is elsewhere, without leaving its rooms. to is where it is, "" if that is not known.
func (s *Session) supersede(to string) {
	if to != "" {
		s.h.remember(s.id, &handed{takeKey{gateway: to}, nil, time.Now()})
	}
	s.conn.Close(client.CloseResumed)
	out := s.h.outbox()
	s.part(out)
	out.release()
	s.End()
}

// part takes the session out of its rooms here. Until it is heard of them elsewhere they are announced as before, and
// signals for them wait. Commands that are not answered yet are answered now: should one be carried out, the membership
// that comes of it ends again. It returns what the client was told of each room.
func (s *Session) part(out *outbox) []bus.TakenRoom {
	var rooms []bus.TakenRoom
	until := time.Now().Add(s.h.moveTimeout())
	for _, r := range s.replicas() {
		r.p.mu.Lock()
		if room, ok := r.partFrom(s); ok {
			rooms = append(rooms, room)
			if r.parting == nil {
				r.parting = make(map[string]time.Time, 1)
			}
			r.parting[s.id] = until
			r.p.restless[r] = struct{}{}
		}
		r.abandon(s, out)
		r.p.mu.Unlock()
	}
	return rooms
}

// partFrom takes the session out of the room here. A move that is on its way here is left to whoever takes the session next:
// whether it is carried out is not known.
func (r *replica) partFrom(s *Session) (room bus.TakenRoom, ok bool) {
	if m := r.local(s); m != nil {
		room = r.told(s.id)
		r.detach(m)
		return room, true
	}
	move := r.moveOf(s)
	if move == nil {
		return room, false
	}
	q := r.queues[s]
	room = bus.TakenRoom{Room: r.name}
	if move.told != nil {
		room = *move.told
	}
	room.From, room.Dead = move.from, move.dead
	r.p.drop(q.current)
	delete(r.queues, s)
	s.settled(1 + len(q.waiting))
	s.forget(r)
	return room, true
}

// moveOf is the session's move that is on its way, nil if there is none.
func (r *replica) moveOf(s *Session) *moving {
	if q := r.queues[s]; q != nil {
		return q.current.move
	}
	return nil
}

// abandon answers the session's commands that are not answered yet.
func (r *replica) abandon(s *Session, out *outbox) {
	q := r.queues[s]
	if q == nil {
		return
	}
	if !q.current.abandoned {
		q.current.abandoned = true
		out.answer(s, q.current.ref, unavailable)
	}
	for i := range q.waiting {
		out.answer(s, q.waiting[i].ref, unavailable)
	}
	s.settled(len(q.waiting))
	q.waiting = nil
}

// told is what a member here was told of the room.
func (r *replica) told(self string) bus.TakenRoom {
	t := bus.TakenRoom{
		Room: r.name, Known: true, Born: r.born, Owner: r.owner, Policy: r.policy, Clients: make([]string, 0, len(r.members)),
	}
	for i := range r.members {
		if id := r.members[i].Client; id != self {
			t.Clients = append(t.Clients, id)
		}
	}
	return t
}

// sweepParting takes out those that have not arrived elsewhere in time. Should they have, the owner knows better.
func (r *replica) sweepParting(now time.Time, out *outbox) {
	for id, until := range r.parting {
		if now.After(until) {
			delete(r.parting, id)
			r.p.leaveFor(r, id, out)
			r.release(out)
		}
	}
}

// arriving says that the client's session is here, and its move is on its way.
func (r *replica) arriving(id string) bool {
	for s := range r.queues {
		if s.id == id && s.keep != nil {
			return true
		}
	}
	return false
}
