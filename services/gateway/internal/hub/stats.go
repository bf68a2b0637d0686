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
}

// Stats counts. It looks at everything once, a partition at a time.
func (h *Hub) Stats() Stats {
	s := Stats{Sessions: h.Sessions()}
	for n := range h.parts {
		h.parts[n].addTo(&s)
	}
	h.links.addTo(&s)
	return s
}

func (p *partition) addTo(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Rooms += len(p.rooms)
	s.Requests += len(p.requests)
	s.Announcements += len(p.announcements)
	for _, r := range p.rooms {
		s.Held += len(r.held)
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
