package hub

import (
	"slices"
	"time"

	"signalling/api/bus"
	"signalling/api/operate"
)

// Inspect shows a client's session to an operator. It returns false if the client is not here.
func (h *Hub) Inspect(id string) (operate.Session, bool) {
	s := h.session(id)
	if s == nil {
		return operate.Session{}, false
	}
	view := operate.Session{
		Client: s.id, Gateway: h.id, Display: s.display, Connected: true, Since: time.Unix(s.since, 0).UTC(), Sent: s.sent.Load(), Rooms: []string{},
	}
	if k := s.keep; k != nil {
		k.mu.Lock()
		view.Connected, view.Sent = k.link != nil, k.sent
		k.mu.Unlock()
	}
	view.Waiting, view.WaitingBytes = s.conn.Pending()
	s.mu.Lock()
	for _, r := range s.rooms {
		view.Rooms = append(view.Rooms, r.name)
	}
	s.mu.Unlock()
	slices.Sort(view.Rooms)
	return view, true
}

// session returns the session of a client, nil if it has none here.
func (h *Hub) session(id string) *Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.byID[id]; s != nil {
		return s
	}
	for s := range h.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

// Look shows the rooms that this gateway follows, as a question asks for them, and the question's room if it names one.
func (h *Hub) Look(q *operate.Question) (operate.RoomList, *operate.RoomState) {
	all := operate.NewListing(q)
	for n := range h.parts {
		h.parts[n].list(all)
	}
	list := all.List()
	list.Partition = -1
	if q.Room == "" {
		return list, nil
	}
	return list, partitionOf(h, q.Room).look(q)
}

// list adds the rooms that are wanted.
func (p *partition) list(all *operate.Listing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, r := range p.rooms {
		if r.live && all.Wants(name, len(r.members)) {
			all.Add(r.summary())
		}
	}
}

// summary is the room as this gateway knows it. The partition's mutex is held.
func (r *replica) summary() operate.Summary {
	s := operate.Summary{
		Name: r.name, Partition: r.p.n, Members: len(r.members), Owner: r.owner, Waiting: r.indexOf(r.owner) < 0, Here: r.locals,
	}
	s.SetPolicy(r.policy)
	return s
}

// look shows a room, nil if it is not known here.
func (p *partition) look(q *operate.Question) *operate.RoomState {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[q.Room]
	if r == nil || !r.live {
		return nil
	}
	s := &operate.RoomState{Summary: r.summary(), Epoch: r.stamp.Epoch, Version: r.stamp.Version}
	s.SetPolicy(r.policy)
	s.Page(q, func(yield func(*bus.Member) bool) {
		for i := range r.members {
			if !yield(&r.members[i].Member) {
				return
			}
		}
	})
	return s
}
