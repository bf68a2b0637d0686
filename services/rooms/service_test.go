package rooms_test

import (
	"context"
	"testing"
	"time"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natsembed"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms"
)

// running is a service under test.
type running struct {
	*rooms.Service
	stop context.CancelFunc
	done chan error
}

// start runs a service until stop or the end of the test.
func start(t *testing.T, cfg rooms.Config, opts rooms.Options) *running {
	t.Helper()
	opts.Logger, opts.NoAdmin = natstest.Logger(t), true
	s, err := rooms.New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{s, cancel, make(chan error, 1)}
	go func() { r.done <- s.Run(ctx) }()
	t.Cleanup(func() { r.end(t) })
	return r
}

// end stops the service and waits for it.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		r.done <- nil // for the next end
	case <-time.After(natstest.Timeout):
		t.Fatal("Run did not return")
	}
}

// ready waits until all partitions serve.
func (r *running) ready(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(natstest.Timeout)
	for r.Ready(t.Context()) != nil {
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %v", r.Ready(t.Context()))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func fresh(t *testing.T, srv *natsembed.Server) *running {
	t.Helper()
	r := start(t, rooms.Config{}, rooms.Options{InProcess: srv.Provider(), Fresh: true})
	r.ready(t)
	return r
}

func TestEventsComeBeforeAnswers(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		a.follow("lobby")
		created := a.must(bus.Done, bus.Create, "lobby", "owner")
		if created.Owner != "owner" || len(created.Members) != 1 || created.Born != created.Stamp || created.Epoch == 0 {
			t.Errorf("created: %+v", created)
		}
		b.follow("lobby")
		joined := b.must(bus.Done, bus.Join, "lobby", "guest")
		// The event of the join was sent before its answer, and to the joiner's gateway too.
		for _, g := range []*fakeGateway{a, b} {
			if e := g.eventsOf("lobby", 1)[0]; e.Kind != bus.Joined || e.Client != "guest" || e.Gateway != b.id || e.Stamp != joined.Stamp || e.Version != created.Version+1 {
				t.Errorf("event %+v after answer %+v", e, joined)
			}
		}
		b.must(bus.Done, bus.Leave, "lobby", "guest")
		b.must(bus.NotIn, bus.Leave, "lobby", "guest")
		b.must(bus.Exists, bus.Create, "lobby", "guest")
		b.must(bus.NotExists, bus.Join, "cellar", "guest")
		a.must(bus.Done, bus.Leave, "lobby", "owner")
		if e := b.eventsOf("lobby", 3)[2]; e.Kind != bus.Closed || e.Client != "owner" {
			t.Errorf("last event %+v", e)
		}
	})
}
