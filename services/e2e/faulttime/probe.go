package faulttime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"signalling/pkg/client"
)

const (
	commandPause = 20 * time.Millisecond
	signalPause  = 40 * time.Millisecond
)

// probes are commands and signals without end: in each room its member asks to join again, which is answered by the
// partition's owner and changes nothing, and the owner signals to the member.
type probes struct {
	cancel context.CancelFunc
	acting sync.WaitGroup
	// guests says that there may be others in the rooms.
	guests bool

	mu sync.Mutex // guards what follows
	// commands and signals are the longest that one took since reset.
	commands, signals time.Duration
	unavailable       int
	// answered are the times of all answers in each room, and sent is when the last command was sent that was answered.
	answered map[*room][]time.Time
	sent     map[*room]time.Time
	changed  chan struct{} // closed and replaced at each answer
	problem  error
}

// probe begins. It must be stopped.
func (c *crowd) probe(ctx context.Context, guests bool) *probes {
	ctx, cancel := context.WithCancel(ctx)
	p := &probes{cancel: cancel, guests: guests, sent: map[*room]time.Time{}, answered: map[*room][]time.Time{}, changed: make(chan struct{})}
	for _, person := range c.people {
		person.mu.Lock()
		person.signals = p.arrived
		person.mu.Unlock()
	}
	for _, r := range c.rooms {
		p.acting.Go(func() { p.ask(ctx, r) })
		p.acting.Go(func() { p.signal(ctx, r) })
	}
	return p
}

func (p *probes) stop() {
	p.cancel()
	p.acting.Wait()
}

// reset forgets what was measured.
func (p *probes) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands, p.signals, p.unavailable = 0, 0, 0
}

func (p *probes) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.problem == nil {
		p.problem = err
	}
}

func pause(ctx context.Context, mean time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(mean/2 + rand.N(mean)): //nolint:gosec // G404: chance is enough
		return true
	}
}

// ask lets the room's member ask who is there.
func (p *probes) ask(ctx context.Context, r *room) {
	for pause(ctx, commandPause) {
		sent := time.Now()
		roster, err := r.member.Join(ctx, r.name)
		now := time.Now()
		refused, isRefused := errors.AsType[*client.Error](err)
		switch {
		case ctx.Err() != nil:
			return
		case isRefused && refused.Code == client.Unavailable:
			p.mu.Lock()
			p.unavailable++
			p.mu.Unlock()
			continue
		case err != nil:
			p.fail(fmt.Errorf("a command was answered %w", err))
			return
		case len(roster.Clients) < 1 || roster.Clients[0] != r.owner.ID() || (len(roster.Clients) > 1 && !p.guests):
			p.fail(fmt.Errorf("a member of room %q was told %+v", r.name, roster))
			return
		}
		p.note(r, sent, now)
	}
}

func (p *probes) note(r *room, sent, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commands = max(p.commands, now.Sub(sent))
	p.sent[r] = sent
	p.answered[r] = append(p.answered[r], now)
	close(p.changed)
	p.changed = make(chan struct{})
}

// signal lets the room's owner say what time it is.
func (p *probes) signal(ctx context.Context, r *room) {
	for pause(ctx, signalPause) {
		if err := r.owner.Signal(ctx, r.name, r.member.ID(), time.Now().UnixNano()); err != nil && ctx.Err() == nil {
			p.fail(fmt.Errorf("a signal could not be sent: %w", err))
			return
		}
	}
}

func (p *probes) arrived(s *client.SignalReceive) {
	var at int64
	if _, err := fmt.Sscan(string(s.Data), &at); err != nil {
		p.fail(fmt.Errorf("a signal arrived as %s", s.Data))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signals = max(p.signals, time.Since(time.Unix(0, at)))
}

// goOn waits until in all rooms a command was answered that was sent from now on.
func (p *probes) goOn(ctx context.Context, c *crowd) error {
	since := time.Now()
	for {
		p.mu.Lock()
		missing, changed, problem := 0, p.changed, p.problem
		for _, r := range c.rooms {
			if p.sent[r].Before(since) {
				missing++
			}
		}
		p.mu.Unlock()
		switch {
		case problem != nil:
			return problem
		case missing == 0:
			return nil
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // a problem changes nothing
		case <-ctx.Done():
			return fmt.Errorf("in %d rooms no command is answered: %w", missing, ctx.Err())
		}
	}
}

// longest returns the longest that a command and a signal took, and how many commands were answered with unavailable.
func (p *probes) longest() (commands, signals time.Duration, unavailable int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.commands, p.signals, p.unavailable
}

// resumed is how long after a time the last room had its first answer.
func (p *probes) resumed(since time.Time) (last time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.answered {
		if i := slices.IndexFunc(all, func(at time.Time) bool { return !at.Before(since) }); i >= 0 {
			last = max(last, all[i].Sub(since))
		}
	}
	return last
}
