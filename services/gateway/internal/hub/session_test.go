package hub

import (
	"errors"
	"testing"

	"signalling/api/client"
)

// A reader that handles commands while its connection is being closed must not be paced: it has to find that out.
func TestNobodyIsPacedAfterTheClose(t *testing.T) {
	w := newBench(t)
	s := w.h.Connect("alice", "", new(sink))
	w.h.CloseAll(client.CloseGoingAway)
	for n := range w.h.cfg.MaxPending + 1 {
		c := client.Command{Op: client.RoomJoin, Room: []byte{'r', byte('0' + n)}}
		s.Handle(&c, nil)
	}
	s.Flush()
	if got := w.h.Stats().Requests; got != w.h.cfg.MaxPending+1 {
		t.Errorf("%d commands are on their way", got)
	}
	s.End()
}

// All calls of End return when the session has ended.
func TestEndTwice(t *testing.T) {
	w := newBench(t)
	s := w.room(t, 1)[0]
	first, second := make(chan int), make(chan int)
	p := partitionOf(w.h, benchRoom)
	p.mu.Lock()
	for _, done := range []chan int{first, second} {
		go func() {
			s.End()
			done <- w.h.Stats().Requests
		}()
	}
	p.mu.Unlock()
	if a, b := <-first, <-second; a != 1 || b != 1 {
		t.Errorf("%d and %d leaves, want one", a, b)
	}
}

// A session that is known to be elsewhere is not to be had here any more, also while it is being ended.
func TestNobodyGetsASessionThatYields(t *testing.T) {
	w := newBench(t)
	s := w.h.kept("alice", "", nil)
	w.h.enter(s)
	w.h.mu.Lock() // so that it cannot end
	s.yield("elsewhere")
	s.keep.mu.Lock()
	err := s.keep.admits(new(claimant), 1)
	s.keep.mu.Unlock()
	w.h.mu.Unlock()
	if !errors.Is(err, errUnsure) {
		t.Errorf("got %v", err)
	}
	s.End()
}
