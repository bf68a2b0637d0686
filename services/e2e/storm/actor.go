package storm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"signalling/pkg/client"
)

// actor is one of the crowd. It has one connection at a time and uses it for several commands at once.
type actor struct {
	storm *Storm
	n     int
	rng   *rand.Rand
	now   *participant
}

// act makes the actor's steps, until they are all made or stop is closed.
func (a *actor) act(ctx context.Context, stop <-chan struct{}) error {
	var ops sync.WaitGroup
	defer func() { ops.Wait() }()
	free := make(chan struct{}, a.storm.cfg.Pipeline)
	for step := 0; step != a.storm.cfg.Steps; step++ {
		if a.now == nil || a.now.over() {
			if err := a.connect(ctx); err != nil {
				return err
			}
		}
		do := a.choose(a.storm.rooms[a.rng.IntN(len(a.storm.rooms))])
		select {
		case free <- struct{}{}:
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		p := a.now
		ops.Go(func() {
			do(ctx, p)
			<-free
		})
		if a.rng.IntN(1000) < a.storm.cfg.Drops {
			if a.now.lasting == nil {
				ops.Wait() // else too few commands would be answered
			}
			a.drop()
		}
		if !a.think(stop) {
			return nil
		}
	}
	return nil
}

// think waits before the next step. It returns false if that is not to be made.
func (a *actor) think(stop <-chan struct{}) bool {
	if a.storm.cfg.Think == 0 {
		return true
	}
	select {
	case <-time.After(time.Duration(a.rng.Int64N(2 * int64(a.storm.cfg.Think)))):
		return true
	case <-stop:
		return false
	}
}

// choose picks the next thing to do.
func (a *actor) choose(room string) func(context.Context, *participant) {
	switch x := a.rng.IntN(100); {
	case x < 25:
		return func(ctx context.Context, p *participant) {
			a.storm.note(p, Create, room, func() error { return p.Create(ctx, room) })
		}
	case x < 65:
		return func(ctx context.Context, p *participant) {
			a.storm.note(p, Join, room, func() error { return p.Join(ctx, room) })
		}
	case x < 85:
		return func(ctx context.Context, p *participant) {
			a.storm.note(p, Leave, room, func() error { return p.Leave(ctx, room) })
		}
	default:
		other := a.rng.Uint64()
		return func(ctx context.Context, p *participant) {
			if target := p.neighbour(room, other); target != "" {
				a.storm.unexpected(p, p.signal(ctx, room, target))
			}
		}
	}
}

func (a *actor) connect(ctx context.Context) error {
	p, err := a.storm.connect(ctx, a.n+a.rng.IntN(2), a.n < a.storm.cfg.SocketIO)
	if err != nil {
		return err
	}
	a.now = p
	return nil
}

// drop ends the connection in one of the ways in which connections end.
func (a *actor) drop() {
	p := a.now
	switch {
	case p.lasting != nil && a.rng.IntN(4) > 0:
		p.reset()
		return // it comes back
	case p.lasting == nil && a.rng.IntN(2) == 0:
		p.reset()
	default:
		p.leave()
	}
	a.now = nil
}

// note carries out a command and records it.
func (s *Storm) note(p *participant, kind Kind, room string, do func() error) {
	op := Op{Client: p.ID(), Kind: kind, Room: room, Call: time.Since(s.start)}
	s.mu.Lock()
	s.waiting[&op] = struct{}{}
	s.mu.Unlock()
	err := do()
	s.mu.Lock()
	delete(s.waiting, &op)
	op.Return = time.Since(s.start)
	op.Result = resultOf(kind, err)
	s.ops = append(s.ops, op)
	s.mu.Unlock()
	s.unexpected(p, err)
}

func resultOf(kind Kind, err error) Result {
	switch {
	case err == nil:
		return OK
	case kind == Create && errors.Is(err, client.ErrRoomExists),
		kind == Join && errors.Is(err, client.ErrRoomNotExists),
		kind == Leave && errors.Is(err, client.ErrNotInRoom):
		return No
	}
	return Unknown
}

// unexpected records an error that is none of the contract's answers, unless the connection has ended.
func (s *Storm) unexpected(p *participant, err error) {
	coded, isCoded := errors.AsType[*client.Error](err)
	switch {
	case err == nil, errors.Is(err, client.ErrRoomExists), errors.Is(err, client.ErrRoomNotExists),
		errors.Is(err, client.ErrNotInRoom), errors.Is(err, client.ErrClosed):
		return
	case isCoded && s.cfg.Tolerate != nil && s.cfg.Tolerate(coded):
		return
	case !isCoded && s.cfg.TolerateEnds && !errors.Is(err, client.ErrProtocol) && !errors.Is(err, client.ErrEventsUnread):
		return // the connection has ended; Problems asks for the cause
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, fmt.Sprintf("%s: %v", p.ID(), err))
}
