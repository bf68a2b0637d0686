// Package slots has timers for many connections that need no great accuracy: heartbeats, idle limits, the ends of tokens. All
// that is due in the same slot of time is done together by one goroutine, in one wake of the process. A timer lies in the
// value that it belongs to and costs no allocation, no goroutine and no timer of the runtime's.
package slots

import (
	"container/heap"
	"sync"
	"time"
)

// Task is what a Timer is for. Due is called by one goroutine for all timers of a slot, one after the other, so it must not
// wait for anything.
type Task interface{ Due() }

// Clock has the timers. It needs no start and no end.
type Clock struct {
	width time.Duration
	base  time.Time

	mu    sync.Mutex       // guards what follows, and all timers
	first map[int64]*Timer // of each slot; nil for one that has become empty
	order slotHeap         // the numbers of the slots in first
	timer *time.Timer
	next  int64 // the slot that timer is set for; 0 for none
	busy  bool  // fire is at work, and sets the timer afterwards
}

// Timer is one of a clock's. The zero value is ready for use and not running. It must not be copied.
type Timer struct {
	task       Task
	slot       int64 // 0: not running
	prev, next *Timer
}

// NewClock returns a clock with slots of the width. A timer fires at the end of its slot, at most a width late.
func NewClock(width time.Duration) *Clock {
	return &Clock{width: max(width, time.Millisecond), base: time.Now(), first: make(map[int64]*Timer)}
}

// widest is the widest slot of Width.
const widest = 250 * time.Millisecond

// Width is the width of slots for heartbeats: wide enough that one wake serves many, and so narrow that being late by it
// hardly matters.
func Width(interval, timeout time.Duration) time.Duration {
	const parts = 20
	return min(interval/parts, timeout/parts, widest)
}

// Set starts the timer, or starts it anew: the task is due once after d, unless Stop comes first.
func (c *Clock) Set(t *Timer, d time.Duration, task Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(t)
	t.task = task
	t.slot = int64((time.Since(c.base) + max(d, 0) + c.width - 1) / c.width)
	t.slot = max(t.slot, 1)
	head, known := c.first[t.slot]
	if !known {
		heap.Push(&c.order, t.slot)
	}
	if head != nil {
		head.prev = t
	}
	t.next = head
	c.first[t.slot] = t
	c.arm()
}

// Stop stops the timer. A task that is being done at the moment may still be going on when it returns.
func (c *Clock) Stop(t *Timer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(t)
}

// remove takes the timer out of its slot. mu is held.
func (c *Clock) remove(t *Timer) {
	if t.slot == 0 {
		return
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		c.first[t.slot] = t.next
	}
	*t = Timer{}
}

// arm sets the runtime's timer for the first slot that has timers. mu is held.
func (c *Clock) arm() {
	if c.busy {
		return
	}
	for len(c.order) > 0 && c.first[c.order[0]] == nil {
		c.drop()
	}
	switch {
	case len(c.order) == 0 || c.order[0] == c.next:
		return
	case c.next != 0 && c.order[0] > c.next:
		return // it fires for nothing, once
	}
	c.next = c.order[0]
	wait := time.Duration(c.next)*c.width - time.Since(c.base)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.fire)
		return
	}
	c.timer.Reset(wait)
}

// drop forgets the first slot, which is empty. mu is held.
func (c *Clock) drop() { delete(c.first, heap.Pop(&c.order).(int64)) }

// fire does what is due.
func (c *Clock) fire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy { // a late Reset has fired it again; it is armed anew at the end of what goes on
		return
	}
	c.next, c.busy = 0, true
	now := int64(time.Since(c.base) / c.width)
	for len(c.order) > 0 && c.order[0] <= now {
		slot := c.order[0]
		// Tasks may set and stop timers of the same slot: one after the other is taken out.
		for t := c.first[slot]; t != nil; t = c.first[slot] {
			task := t.task
			c.remove(t)
			c.mu.Unlock()
			task.Due()
			c.mu.Lock()
		}
		c.drop()
	}
	c.busy = false
	c.arm()
}

// slotHeap orders the numbers of slots.
type slotHeap []int64

// Len implements heap.Interface.
func (h *slotHeap) Len() int { return len(*h) }

// Less implements heap.Interface.
func (h *slotHeap) Less(i, j int) bool { return (*h)[i] < (*h)[j] }

// Swap implements heap.Interface.
func (h *slotHeap) Swap(i, j int) { (*h)[i], (*h)[j] = (*h)[j], (*h)[i] }

// Push implements heap.Interface.
func (h *slotHeap) Push(x any) { *h = append(*h, x.(int64)) }

// Pop implements heap.Interface.
func (h *slotHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
