package hub

import (
	"sync"
	"time"

	"signalling/api/bus"
)

// partition is this gateway's view of one partition of the rooms.
type partition struct {
	h *Hub
	n int

	mu            sync.Mutex // guards what follows and all replicas; never held during a system call
	epoch         uint64     // the highest that was met
	count         uint64     // of requests
	rooms         map[string]*replica
	restless      map[*replica]struct{} // that may be repairing or holding signals
	requests      map[uint64]*request
	announcements map[uint64]*announcement
	announcing    uint64 // the full one on its way
	announceSoon  bool
	because       cause // of announceSoon
	nextAnnounce  time.Time
	negotiations  negotiations
	stopped       bool // nothing is to be sent again
}

func (p *partition) init(h *Hub, n int, now time.Time) {
	p.h, p.n = h, n
	p.rooms = make(map[string]*replica)
	p.restless = make(map[*replica]struct{})
	p.requests = make(map[uint64]*request)
	p.announcements = make(map[uint64]*announcement)
	p.nextAnnounce = h.nextAnnounce(now)
}

// stop forgets the requests, so that none is sent again.
func (p *partition) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	for seq, q := range p.requests {
		q.stopTimer()
		delete(p.requests, seq)
	}
}

// partitionOf returns the partition of a room.
func partitionOf[T string | []byte](h *Hub, room T) *partition { return &h.parts[bus.Partition(room)] }
