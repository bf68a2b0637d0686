package natscluster_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// flow is one of the things that go on all the time: the commands of a client, or the signals between two.
type flow struct {
	signals bool // else commands
	name    string
}

// fault is something that happened to the system, and what became of the flows since.
type fault struct {
	// begun is the moment before, over the one after which it had certainly happened.
	begun, over time.Time

	mu      sync.Mutex // guards what follows
	missing map[flow]bool
	longest map[bool]time.Duration // by flow.signals
	resumed chan struct{}          // closed when none is missing
}

// newFault is called when it has happened.
func newFault(begun time.Time, flows []flow) *fault {
	f := &fault{
		begun: begun, over: time.Now(),
		missing: map[flow]bool{}, longest: map[bool]time.Duration{}, resumed: make(chan struct{}),
	}
	for _, flow := range flows {
		f.missing[flow] = true
	}
	return f
}

// passed notes that a command was answered, or a signal arrived, that was sent at some time. Only what was sent after the
// fault counts: it has gone all the way again.
func (f *fault) passed(flow flow, sent time.Time) {
	now := time.Now()
	if f == nil || sent.Before(f.over) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.missing[flow] {
		return
	}
	delete(f.missing, flow)
	f.longest[flow.signals] = max(f.longest[flow.signals], now.Sub(f.begun))
	if len(f.missing) == 0 {
		close(f.resumed)
	}
}

// wait waits until everything goes on, and returns how long the slowest command and signal took since the fault.
func (f *fault) wait(ctx context.Context) (commands, signals time.Duration, err error) {
	select {
	case <-f.resumed:
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("these do not go on: %v: %w", slices.Collect(maps.Keys(f.missing)), err)
	}
	return f.longest[false], f.longest[true], err
}
