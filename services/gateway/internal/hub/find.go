package hub

import (
	"context"
	"sync"
	"time"

	"signalling/api/bus"
)

// findDelay is how long those that ask for clients are collected, because when a gateway dies all of its clients come.
const findDelay = 20 * time.Millisecond

// maxFind bounds the clients of one question, and with them its bytes. Those of the answer are bounded by the owner, which
// says whom to ask for again.
const maxFind = 1024

// finding is a question to all partitions: in which rooms are these clients?
type finding struct {
	clients []string // each once; they do not change once it is asked

	mu     sync.Mutex // guards what follows; taken after a partition's mutex
	sought map[string]*sought
}

// sought is one client of a finding, of whose mutex it is a part until done is closed.
type sought struct {
	done    chan struct{} // closed when all partitions have answered or could not
	missing int           // partitions that have done neither
	found   []bus.Found
	err     error
}

// finder collects those that ask.
type finder struct {
	mu   sync.Mutex // guards next
	next *finding
}

// find returns the memberships of a client at all owners.
func (h *Hub) find(ctx context.Context, id string) ([]bus.Found, error) {
	s := h.finder.join(h, id)
	select {
	case <-s.done:
		return s.found, s.err
	case <-ctx.Done():
		return nil, errBusy
	case <-h.ctx.Done():
		return nil, errBusy
	}
}

func (fs *finder) join(h *Hub, id string) *sought {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.next
	if f == nil {
		f = &finding{sought: make(map[string]*sought)}
		fs.next = f
		time.AfterFunc(findDelay, func() { fs.ask(h, f) })
	}
	s := f.join(id)
	if len(f.clients) == maxFind {
		fs.next = nil // the timer asks
	}
	return s
}

func (f *finding) join(id string) *sought {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sought[id]
	if s == nil {
		s = &sought{done: make(chan struct{}), missing: bus.Partitions}
		f.sought[id] = s
		f.clients = append(f.clients, id)
	}
	return s
}

func (fs *finder) ask(h *Hub, f *finding) {
	fs.mu.Lock()
	if fs.next == f {
		fs.next = nil
	}
	fs.mu.Unlock()
	out := h.outbox()
	deadline := time.Now().Add(h.cfg.CommandTimeout)
	for n := range h.parts {
		p := &h.parts[n]
		p.mu.Lock()
		p.find(f, f.clients, deadline, out)
		p.mu.Unlock()
	}
	out.release()
}

// find asks the partition's owner for clients of a finding.
func (p *partition) find(f *finding, clients []string, deadline time.Time, out *outbox) {
	if p.stopped {
		f.answer(clients, nil, errBusy)
		return
	}
	q := &request{op: bus.Find, seq: p.nextSeq(), find: f, clients: clients, deadline: deadline}
	p.requests[q.seq] = q
	p.post(q, out)
}

// answer takes what one partition has of clients, or why that is not known.
func (f *finding) answer(clients []string, found []bus.Found, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range found {
		if s := f.sought[x.Client]; s != nil && s.missing > 0 {
			s.found = append(s.found, x)
		}
	}
	for _, c := range clients {
		s := f.sought[c]
		if err != nil {
			s.err = err
		}
		if s.missing--; s.missing == 0 {
			close(s.done)
		}
	}
}

// onFound takes the answer to a question.
func (p *partition) onFound(q *request, a *bus.Answer, out *outbox) {
	switch a.Result {
	case bus.Done:
		p.drop(q)
		q.find.answer(q.clients, a.Found, nil)
	case bus.Partial:
		p.drop(q)
		p.onPartial(q, a, out)
	case bus.Retry:
		p.retry(q.seq)
	default:
		p.drop(q)
		q.find.answer(q.clients, nil, errBusy)
	}
}

// onPartial asks again for the clients that had no place in the answer. If that is all of them, each has more memberships
// than a message takes, and cannot be helped.
func (p *partition) onPartial(q *request, a *bus.Answer, out *outbox) {
	known, again := q.split(a.Again)
	q.find.answer(known, a.Found, nil)
	if len(known) > 0 {
		p.find(q.find, again, q.deadline, out)
		return
	}
	p.h.log.Warn("clients are in too many rooms to be found", "partition", p.n, "clients", len(again))
	q.find.answer(again, nil, errEnded)
}

// split parts the clients that were asked for from those that must be asked for again.
func (q *request) split(left []string) (known, again []string) {
	of := make(map[string]bool, len(left))
	for _, c := range left {
		of[c] = true
	}
	for _, c := range q.clients {
		if of[c] {
			again = append(again, c)
		} else {
			known = append(known, c)
		}
	}
	return known, again
}
