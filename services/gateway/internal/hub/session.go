package hub

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalling/api/bus"
	"signalling/api/client"
)

// Session is one client, whichever door it came through.
type Session struct {
	id      string
	display string // its display identity, "" if it has none
	h       *Hub
	conn    Conn

	ending sync.Once
	out    *outbox // of the commands since the last Flush; the door's goroutine's
	keep   *keeper // conn, if the session may outlive its connection; else nil
	since  int64   // when the session began here, in seconds since 1970

	received uint64        // messages of the client; the door's goroutine's
	sent     atomic.Uint64 // events, answers and signals that were queued for the client

	mu      sync.Mutex // guards what follows; taken after a partition's mutex, never before
	ended   bool
	closing bool          // its connection is being closed: nothing more is read
	rooms   []*replica    // where it is a member or has commands on their way
	pending int           // commands that are not answered yet
	paced   chan struct{} // closed when the reader may go on; nil if it does not wait
}

// Connect makes a session for a client that a door has let in. id must never have been used before. display is its display
// identity, which other members are told; "" for none.
func (h *Hub) Connect(id, display string, conn Conn) *Session {
	s := &Session{id: id, display: display, h: h, conn: conn, since: time.Now().Unix()}
	h.enter(s)
	return s
}

// enter adds a session. It returns false for one that came in while all others were told to go; it is told too.
func (h *Hub) enter(s *Session) bool {
	h.mu.Lock()
	h.sessions[s] = struct{}{}
	if s.keep != nil {
		h.byID[s.id] = s
	}
	code := h.closing
	h.mu.Unlock()
	if code != 0 {
		s.close(code)
	}
	return code == 0
}

// ID is the client's id.
func (s *Session) ID() string { return s.id }

// Display is the client's display identity, "" if it has none.
func (s *Session) Display() string { return s.display }

// Close closes the client's connection. The door then calls End.
func (s *Session) Close(code client.CloseCode) { s.close(code) }

// Counts tells how many messages came from the client and how many were queued for it. It is the door's to call, from
// the goroutine that calls Handle.
func (s *Session) Counts() (received, sent uint64) {
	if k := s.keep; k != nil { // another connection may count already
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.received, s.sent.Load()
	}
	return s.received, s.sent.Load()
}

// close closes the client's connection. A reader that is paced goes on, to find that out.
func (s *Session) close(code client.CloseCode) {
	s.conn.Close(code)
	s.stopReading()
}

// stopReading lets a reader that is paced go on, to find out that its connection is closed.
func (s *Session) stopReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.wake()
}

// End takes the client out of its rooms. A door calls it when the connection has ended or is given up; more than once
// does no harm, and all calls return when it is done. Nothing is sent to the session's Conn afterwards.
func (s *Session) End() { s.ending.Do(s.end) }

func (s *Session) end() {
	if s.keep != nil {
		s.keep.end()
	}
	s.mu.Lock()
	rooms := s.rooms
	s.ended, s.rooms = true, nil
	s.wake()
	s.mu.Unlock()
	s.h.mu.Lock()
	delete(s.h.sessions, s)
	if s.h.byID[s.id] == s {
		delete(s.h.byID, s.id)
	}
	s.h.mu.Unlock()
	out := s.h.outbox()
	for _, r := range rooms {
		r.p.mu.Lock()
		r.desert(s, out)
		r.p.mu.Unlock()
	}
	out.release()
}

// desert takes an ended session out of the room. A join or create that is still on its way is followed by a leave when it
// is answered.
func (r *replica) desert(s *Session, out *outbox) {
	m := r.find(s.id)
	member := m != nil && m.session == s
	if member {
		m.session = nil
		r.locals--
	}
	q := r.queues[s]
	if q != nil {
		s.settled(len(q.waiting))
		q.waiting = nil
	}
	if member && (q == nil || (q.current.op != bus.Leave && q.current.op != bus.Move)) {
		r.p.leaveFor(r, s.id, out)
	}
	r.release(out)
}

// leaveFor sends a leave that nobody waits for. If it fails the next announcement will do.
func (p *partition) leaveFor(r *replica, id string, out *outbox) {
	p.begin(&request{
		r: r, client: id, op: bus.Leave, lost: true, deadline: time.Now().Add(p.h.cfg.CommandTimeout),
	}, out)
}

// remember notes that the session has something to do with the room. It returns false if the session has ended.
func (s *Session) remember(r *replica) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && !slices.Contains(s.rooms, r) {
		s.rooms = append(s.rooms, r)
	}
	return !s.ended
}

// full says whether the session may not enter one room more. r is nil if the room is not known here.
func (s *Session) full(r *replica) bool {
	limit := s.h.cfg.MaxRooms
	if limit == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rooms) >= limit && !slices.Contains(s.rooms, r)
}

// Rooms is how many rooms the session is in, or has commands for on their way.
func (s *Session) Rooms() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rooms)
}

// forget undoes remember.
func (s *Session) forget(r *replica) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.rooms, r); i >= 0 {
		last := len(s.rooms) - 1
		s.rooms[i] = s.rooms[last]
		s.rooms[last] = nil
		s.rooms = s.rooms[:last]
	}
}

// hasEnded reports whether End was called.
func (s *Session) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// took counts a command that is not answered yet.
func (s *Session) took() {
	s.mu.Lock()
	s.pending++
	s.mu.Unlock()
}

// settled counts n commands that were answered or given up.
func (s *Session) settled(n int) {
	s.mu.Lock()
	s.pending -= n
	if s.pending < s.h.cfg.MaxPending {
		s.wake()
	}
	s.mu.Unlock()
}

// wake lets a waiting reader go on. mu is held.
func (s *Session) wake() {
	if s.paced != nil {
		close(s.paced)
		s.paced = nil
	}
}

func (s *Session) outbox() *outbox {
	if s.out == nil {
		s.out = s.h.outbox()
	}
	return s.out
}

// Flush sends what the commands since the last Flush have caused. A door calls it when it has no more commands at hand,
// before it waits for more, so that frames for one client that come from one read leave in one write.
func (s *Session) Flush() {
	if out := s.out; out != nil {
		s.out = nil
		out.release()
	}
}

// maxUnflushed bounds what waits for a Flush.
const maxUnflushed = 64

// bound flushes once much waits for it.
func (s *Session) bound(out *outbox) {
	if len(out.conns)+len(out.commands)+len(out.links) >= maxUnflushed {
		s.Flush()
	}
}

// pace blocks a door's reader while MaxPending commands of its client are not answered yet: a client that does not
// wait for answers is slowed down by TCP, and nobody else is. Each command is answered within CommandTimeout. It does not
// wait once the hub has closed the connection.
func (s *Session) pace(out *outbox) {
	s.bound(out)
	s.mu.Lock()
	var full chan struct{}
	if s.pending >= s.h.cfg.MaxPending && !s.ended && !s.closing {
		if s.paced == nil {
			s.paced = make(chan struct{})
		}
		full = s.paced
	}
	s.mu.Unlock()
	if full != nil {
		s.h.m.paced.Inc()
		s.Flush()
		<-full
	}
}

// Answer answers a message that is no command for the hub.
func (s *Session) Answer(ref []byte, e client.Event) {
	s.received++
	if e, ok := e.(*client.Error); ok {
		s.h.m.refused(e)
	}
	out := s.outbox()
	out.answer(s, ref, e)
	s.bound(out)
}
