package natscluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/check"
)

// note is the content of a signal.
type note struct {
	// N counts the signals of a sender to a target in a room, from 1.
	N int `json:"n"`
	// Sent is when, in ns since 1970.
	Sent int64 `json:"sent"`
	// Echo asks the target to send it back.
	Echo bool `json:"echo,omitempty"`
	// Flow says which flow it belongs to, if any.
	Flow string `json:"flow,omitempty"`
}

// stream is all signals of a sender to a target in a room. In a watcher's map one of the two is the other client.
type stream struct{ room, other string }

// watcher is a client that records what it sees and checks the signals that it gets.
type watcher struct {
	*client.Client
	load *load

	mu       sync.Mutex // guards what follows
	history  check.History
	sent     map[stream]int
	received map[stream]int
	echoes   chan struct{} // has room for one: an echo of ours has come back
}

func (l *load) connect(ctx context.Context, gateway int) (*watcher, error) {
	c, err := client.Dial(ctx, l.urls[gateway%len(l.urls)], &client.Options{EventQueue: 1 << 16})
	if err != nil {
		return nil, err
	}
	w := &watcher{
		Client: c, load: l, history: check.History{Client: c.ID()},
		sent: map[stream]int{}, received: map[stream]int{}, echoes: make(chan struct{}, 1),
	}
	l.watchers = append(l.watchers, w)
	l.recorders.Go(w.record)
	return w, nil
}

// record follows the connection to its end.
func (w *watcher) record() {
	for m := range w.Events() {
		w.mu.Lock()
		w.history.Seen = append(w.history.Seen, check.Seen{Event: m.Event, Answer: m.Answer})
		w.mu.Unlock()
		switch e := m.Event.(type) {
		case *client.SignalReceive:
			w.take(e)
		case *client.Error, *client.TargetNotFound, *client.NotInRoom:
			if !m.Answer {
				w.load.problem("%s: a signal met %s", w.ID(), m.Raw)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history.Ended = true
}

// take checks a signal: it must be the one after the last of its stream.
func (w *watcher) take(e *client.SignalReceive) {
	var n note
	if err := json.Unmarshal(e.Data, &n); err != nil {
		w.load.problem("%s: a signal arrived as %s", w.ID(), e.Data)
		return
	}
	w.mu.Lock()
	s := stream{e.Room, e.SenderID}
	w.received[s]++
	want := w.received[s]
	w.mu.Unlock()
	if n.N != want {
		w.load.problem("%s: signal %d of %s in %q arrived as number %d", w.ID(), n.N, e.SenderID, e.Room, want)
	}
	w.load.passed(flow{true, n.Flow}, time.Unix(0, n.Sent))
	switch {
	case n.Echo:
		w.signal(e.Room, e.SenderID, note{})
	case n.Flow == "":
		select {
		case w.echoes <- struct{}{}:
		default:
			w.load.problem("%s: more echoes came than signals were sent", w.ID())
		}
	}
}

// signal sends the next signal of a stream.
func (w *watcher) signal(room, target string, n note) {
	w.mu.Lock()
	defer w.mu.Unlock() // numbers are sent in their order
	w.sent[stream{room, target}]++
	n.N, n.Sent = w.sent[stream{room, target}], time.Now().UnixNano()
	if err := w.Signal(w.load.ctx, room, target, n); err != nil {
		w.load.problem("%s: sending a signal: %v", w.ID(), err)
	}
}

func (w *watcher) snapshot() check.History {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.history
	h.Seen = slices.Clip(h.Seen)
	return h
}

// arrived says how many signals came of a stream, left how many went.
func (w *watcher) arrived(s stream) int { w.mu.Lock(); defer w.mu.Unlock(); return w.received[s] }
func (w *watcher) left(s stream) int    { w.mu.Lock(); defer w.mu.Unlock(); return w.sent[s] }

// problem notes what must not happen.
func (l *load) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Sprintf("%v: ", time.Since(l.start).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}
