package faulttime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/proxy"
)

// gatewayRow ends a gateway, and waits until the clients of the other one were told.
func gatewayRow(end func(ctx context.Context, g *lab.Process) (ended time.Duration, err error)) func(context.Context, int, func(...Value)) error {
	return func(ctx context.Context, runs int, note func(...Value)) error {
		return each(ctx, layout{rooms: 2}, runs, func(ctx context.Context, w *world, i int) error {
			c, err := w.newCrowd(ctx, fmt.Sprint(i))
			if err != nil {
				return err
			}
			defer c.close()
			victim := i % gateways
			start := time.Now()
			ended, err := end(ctx, w.gateways[victim])
			if err != nil {
				return err
			}
			told, err := c.lost(ctx, victim)
			if err != nil {
				return err
			}
			gone, err := c.ends(ctx, victim)
			if err != nil {
				return err
			}
			note(Value{others, told.Sub(start)}, Value{own, gone.Sub(start)}, Value{exit, ended})
			return nil
		})
	}
}

func killGateway(_ context.Context, g *lab.Process) (time.Duration, error) {
	start := time.Now()
	err := g.Kill()
	return time.Since(start), err
}

func stopGateway(ctx context.Context, g *lab.Process) (time.Duration, error) {
	start := time.Now()
	code, err := g.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code)
	}
	return time.Since(start), err
}

// lost waits until everybody at the other gateway was told that the members of one are gone, checks that it was told nothing
// else, and returns when the last was.
func (c *crowd) lost(ctx context.Context, gateway int) (last time.Time, err error) {
	return c.told(ctx, func(p *person, r *room) string {
		switch {
		case p.gateway == gateway:
		case r.member == p:
			return closed(r.name)
		case r.owner == p:
			return left(r.name, r.member.ID())
		}
		return ""
	})
}

// ends waits until the connections at a gateway have ended, and returns when the last has, as far as it was noticed.
func (c *crowd) ends(ctx context.Context, gateway int) (last time.Time, err error) {
	for _, p := range c.people {
		if p.gateway != gateway {
			continue
		}
		select {
		case <-p.Done():
		case <-ctx.Done():
			return last, errors.New("a connection does not end")
		}
		p.reading.Wait()
		if p.ended.After(last) {
			last = p.ended
		}
	}
	return last, nil
}

// silentClients is how many clients' networks die at a time: each takes long.
const silentClients = 20

// silentRow stalls clients' connections, at different times after they were made.
func silentRow(ctx context.Context, runs int, note func(...Value)) error {
	batches := (runs + silentClients - 1) / silentClients
	return each(ctx, layout{rooms: 1}, batches, func(ctx context.Context, w *world, i int) error {
		var noting sync.Mutex
		errs := make([]error, silentClients)
		var all sync.WaitGroup
		for k := range silentClients {
			all.Go(func() {
				if !pause(ctx, time.Duration(k+1)*time.Second) {
					return
				}
				var took time.Duration
				took, errs[k] = w.silence(ctx, fmt.Sprintf("%d %d", i, k))
				noting.Lock()
				defer noting.Unlock()
				if errs[k] == nil {
					note(Value{others, took})
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
}

// silence lets a client join a room and its network die, and returns how long it took until the room's owner was told.
func (w *world) silence(ctx context.Context, name string) (time.Duration, error) {
	p, err := proxy.New(func() (string, error) { return w.gateways[0].Addr(ctx, "clients") })
	if err != nil {
		return 0, err
	}
	defer p.Close()
	owner, err := w.connect(ctx, 1)
	if err != nil {
		return 0, err
	}
	defer owner.leave()
	member, err := dial(ctx, "ws://"+p.Addr()+"/ws", 0, eventQueue)
	if err != nil {
		return 0, err
	}
	defer member.leave()
	if err := (&room{name, owner, member}).meet(ctx); err != nil {
		return 0, err
	}
	if _, err := owner.await(ctx, 1); err != nil {
		return 0, err
	}
	p.Stall()
	start := time.Now()
	told, err := owner.await(ctx, 2)
	if err != nil {
		return 0, err
	}
	return told.Sub(start), owner.check([]string{joined(name, member.ID()), left(name, member.ID())})
}
