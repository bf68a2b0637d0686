package hub

import (
	"context"
	"sync"
	"time"

	"signalling/api/bus"
)

// findDelay is how long those that ask for clients are collected, because when a gateway dies all of its clients come.
const findDelay = 20 * time.Millisecond

// maxFind bounds the clients of one question, so that the answer fits a message also where all of them are in one partition.
const maxFind = 1024

// finding is a question to all partitions: in which rooms are these clients?
type finding struct {
	clients []string
	done    chan struct{} // closed when all have answered or one could not

	mu      sync.Mutex // guards what follows; taken after a partition's mutex
	missing int        // partitions that have not answered
	found   map[string][]bus.Found
	failed  bool
}

// finder collects those that ask.
type finder struct {
	mu   sync.Mutex // guards next
	next *finding
}

// find returns the memberships of a client at all owners.
func (h *Hub) find(ctx context.Context, id string) ([]bus.Found, error) {
	f := h.finder.join(h, id)
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, errBusy
	case <-h.ctx.Done():
		return nil, errBusy
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		return nil, errBusy
	}
	return f.found[id], nil
}

func (fs *finder) join(h *Hub, id string) *finding {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.next
	if f == nil {
		f = &finding{done: make(chan struct{}), missing: bus.Partitions, found: make(map[string][]bus.Found)}
		fs.next = f
		time.AfterFunc(findDelay, func() { fs.ask(h, f) })
	}
	f.clients = append(f.clients, id)
	if len(f.clients) == maxFind {
		fs.next = nil // the timer asks
	}
	return f
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
		if p.stopped {
			f.answer(nil, false)
		} else {
			q := &request{op: bus.Find, seq: p.nextSeq(), find: f, deadline: deadline}
			p.requests[q.seq] = q
			p.post(q, out)
		}
		p.mu.Unlock()
	}
	out.release()
}

// answer takes one partition's answer.
func (f *finding) answer(found []bus.Found, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range found {
		f.found[x.Client] = append(f.found[x.Client], x)
	}
	f.failed = f.failed || !ok
	if f.missing--; f.missing == 0 {
		close(f.done)
	}
}

// onFound takes the answer to a question.
func (p *partition) onFound(q *request, a *bus.Answer) {
	if a.Result == bus.Retry {
		p.retry(q.seq)
		return
	}
	p.drop(q)
	q.find.answer(a.Found, a.Result == bus.Done)
}
