package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"signalling/api/bus"
	"signalling/services/e2e/storm"
)

// Incident is a fault that was injected.
type Incident struct {
	Fault, Place string
	From, To     time.Time

	gateway int
	clients bool // what it does is done to connections of clients
}

// injector injects faults at random, some of them at once.
type injector struct {
	world  *World
	faults []fault
	rng    *rand.Rand
	pause  time.Duration // mean time between two
	plan   []Step        // instead of chance

	mu        sync.Mutex // guards what follows
	incidents []*Incident
	busy      map[string]bool // by place
	errs      []error
	undone    sync.WaitGroup
}

// maxAtOnce is how many faults there are at most at a time: with more there would be nothing left to go wrong.
const maxAtOnce = 3

// run injects until ctx ends, or the plan does, and returns when all is undone.
func (j *injector) run(ctx context.Context) error {
	j.busy = map[string]bool{}
	next := j.random
	if j.plan != nil {
		next = j.planned
	}
	for next(ctx) {
	}
	j.undone.Wait()
	return errors.Join(j.errs...)
}

// random injects any fault after any time. It returns false at the end.
func (j *injector) random(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(j.rng.Int64N(2 * int64(j.pause)))):
	}
	f := j.faults[j.rng.IntN(len(j.faults))]
	j.inject(ctx, f, f.lasting(j.rng))
	return true
}

// planned makes the next step of the plan, and a pause after the last. It returns false at the end.
func (j *injector) planned(ctx context.Context) bool {
	pause := j.pause
	if len(j.plan) > 0 {
		pause = j.plan[0].After
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
	}
	if len(j.plan) == 0 {
		return false
	}
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == j.plan[0].Fault })
	j.inject(ctx, faults[i], j.plan[0].Lasting)
	j.undone.Wait()
	j.plan = j.plan[1:]
	return true
}

// inject does one fault, and lets it be undone later.
func (j *injector) inject(ctx context.Context, f fault, lasting time.Duration) {
	targets := f.targets(j.world)
	t := targets[j.rng.IntN(len(targets))]
	if !j.reserve(t.place) {
		return
	}
	incident := &Incident{Fault: f.name, Place: t.place, From: time.Now(), gateway: t.gateway, clients: t.clients}
	if err := t.do(); err != nil {
		j.fail(fmt.Errorf("%s of %s: %w", f.name, t.place, err))
	}
	j.mu.Lock()
	j.incidents = append(j.incidents, incident)
	j.mu.Unlock()
	j.undone.Go(func() {
		select {
		case <-time.After(lasting):
		case <-ctx.Done():
		}
		if err := t.undo(context.WithoutCancel(ctx)); err != nil {
			j.fail(fmt.Errorf("after %s of %s: %w", f.name, t.place, err))
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		incident.To = time.Now()
		delete(j.busy, t.place)
	})
}

// reserve keeps other faults away from a place and, because they would fail, from the connections of a process that is
// down.
func (j *injector) reserve(place string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.busy[place] || len(j.busy) >= maxAtOnce {
		return false
	}
	j.busy[place] = true
	return true
}

func (j *injector) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.errs = append(j.errs, err)
}

// aftermath is how long after its end a fault can still end memberships: what it has held up comes late.
const aftermath = 15 * time.Second

// excuse is a storm.Excuse by what was injected. Rooms have no part in it: nobody is dropped for their sake.
func (j *injector) excuse(start time.Time, gateways int) storm.Excuse {
	return func(gateway int, _ string, from, to time.Duration) (time.Duration, bool) {
		return j.first(func(i *Incident) (time.Duration, bool) {
			since := i.From.Sub(start)
			return since, i.concerns(gateway%gateways) && since <= to && i.To.Add(aftermath).Sub(start) >= from
		})
	}
}

// hurt is excuse for what happened to gateways, and to their connections to NATS: that alone can take what they know of
// sessions. Those of clients with them do not.
func (j *injector) hurt(start time.Time, gateways int) storm.Excuse {
	return func(gateway int, _ string, from, to time.Duration) (time.Duration, bool) {
		return j.first(func(i *Incident) (time.Duration, bool) {
			since := i.From.Sub(start)
			return since, i.hurts(gateway%gateways) && since <= to && i.To.Add(aftermath).Sub(start) >= from
		})
	}
}

// excuseSessions is a storm.Excuse where sessions are kept: what happens to gateways, or to connections, ends no membership.
// One thing does: the room's partition changes hands while a gateway is away, or while members of one that is gone may still
// come back, and the new owner knows only those that living gateways announce (PROTOCOL.md, 2.6).
func (j *injector) excuseSessions(start time.Time, gateways int, all []takeover) storm.Excuse {
	return func(gateway int, room string, from, to time.Duration) (time.Duration, bool) {
		return j.first(func(i *Incident) (time.Duration, bool) {
			if !i.hurts(gateway % gateways) {
				return 0, false
			}
			begin := max(i.From.Sub(start), from) - slack
			end := min(i.To.Add(Window).Sub(start), to) + slack
			for _, t := range all {
				if at := t.at.Sub(start); t.partition == bus.Partition(room) && at >= begin && at <= end {
					return max(0, at-slack), true
				}
			}
			return 0, false
		})
	}
}

// excuseDoubt is what excuses that a session could not be found in time: rooms or NATS were in a bad way, and a gateway too.
func (j *injector) excuseDoubt(start time.Time, gateways int) storm.Excuse {
	hurt := j.hurt(start, gateways)
	return func(gateway int, room string, from, to time.Duration) (time.Duration, bool) {
		since, ok := hurt(gateway, room, from, to)
		if !ok {
			return 0, false
		}
		return j.first(func(i *Incident) (time.Duration, bool) {
			central := i.gateway == none || i.gateway == all
			return since, central && i.From.Sub(start) <= to && i.To.Add(aftermath).Sub(start) >= since
		})
	}
}

// slack is by how much the times of different processes, and of what one of them did and logged, may differ.
const slack = 50 * time.Millisecond

// first is what find returns of the first incident for which that is ok, in the order of their beginnings.
func (j *injector) first(find func(*Incident) (time.Duration, bool)) (since time.Duration, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, i := range j.incidents {
		if since, ok := find(i); ok {
			return max(0, since), true
		}
	}
	return 0, false
}

// concerns says whether the incident is one of a gateway, or of all.
func (i *Incident) concerns(gateway int) bool { return i.gateway == all || i.gateway == gateway }

// hurts is concerns but for what happens to connections of clients.
func (i *Incident) hurts(gateway int) bool { return i.concerns(gateway) && !i.clients }
