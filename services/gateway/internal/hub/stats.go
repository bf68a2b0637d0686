package hub

// Stats is what a hub holds at a moment.
type Stats struct {
	// Sessions are the clients that are connected.
	Sessions int
	// Rooms are the rooms that are followed, Requests the commands without an answer, and Announcements those without a
	// correction.
	Rooms, Requests, Announcements int
	// Held are signals that wait for the news they depend on, Owed those among them that are to be acknowledged to another
	// gateway, and Unacked those to others that may have to be sent again.
	Held, Owed, Unacked int
	// Detached are the clients without a connection whose sessions are kept, Parting the memberships that went elsewhere and
	// have not been heard of there, and KeptBytes what is kept for all sessions, in bytes.
	Detached, Parting int
	KeptBytes         int64
}

// Stats counts. It looks at everything once, a partition at a time.
func (h *Hub) Stats() Stats {
	s := Stats{Sessions: h.Sessions()}
	for n := range h.parts {
		h.parts[n].addTo(&s)
	}
	h.links.addTo(&s)
	s.Detached, s.KeptBytes = h.detached(), h.keptBytes.Load()
	return s
}

func (h *Hub) detached() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.byID {
		s.keep.mu.Lock()
		if s.keep.link == nil {
			n++
		}
		s.keep.mu.Unlock()
	}
	return n
}

func (p *partition) addTo(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Rooms += len(p.rooms)
	s.Requests += len(p.requests)
	s.Announcements += len(p.announcements)
	for _, r := range p.rooms {
		s.Held += len(r.held)
		s.Parting += len(r.parting)
	}
}

func (ls *links) addTo(s *Stats) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.out {
		l.mu.Lock()
		s.Unacked += len(l.unacked)
		l.mu.Unlock()
	}
	for _, in := range ls.in {
		s.Owed += len(in.holding)
	}
}
