package faulttime

import (
	"context"
	"fmt"
	"time"
)

// away is how long NATS is away, and cutOff how long a gateway is cut off from it: longer than rooms waits for a gateway.
const (
	away   = time.Second
	cutOff = 8 * time.Second
)

// leavers are members of the crowd's rooms who leave while something is away: one at each of some gateways.
type leavers struct {
	people []*person
	left   map[*room]*person
}

// join lets a leaver join each room of the crowd.
func (w *world) join(ctx context.Context, c *crowd, at []int) (*leavers, error) {
	l := &leavers{left: map[*room]*person{}}
	for _, gateway := range at {
		p, err := w.connect(ctx, gateway)
		if err != nil {
			return nil, err
		}
		l.people = append(l.people, p)
	}
	for i, r := range c.rooms {
		p := l.people[i%len(at)]
		l.left[r] = p
		if _, err := p.Join(ctx, r.name); err != nil {
			return nil, err
		}
	}
	_, err := c.lastTold(ctx, func(r *room) string { return joined(r.name, l.left[r].ID()) })
	return l, err
}

// lastTold waits until owner and member of each room were told one thing, and nothing else, forgets it, and returns when the
// last was.
func (c *crowd) lastTold(ctx context.Context, what func(*room) string) (last time.Time, err error) {
	return c.told(ctx, func(p *person, r *room) string {
		if r.owner == p || r.member == p {
			return what(r)
		}
		return ""
	})
}

func (l *leavers) leave() {
	for _, p := range l.people {
		p.leave()
	}
}

// restartRow kills NATS and starts it again.
func restartRow(ctx context.Context, runs int, note func(...Value)) error {
	return each(ctx, layout{rooms: 2}, runs, func(ctx context.Context, w *world, i int) error {
		return w.repaired(ctx, fmt.Sprint(i), []int{0, 1}, note, (*probes).resumed, func(leave func()) (time.Time, error) {
			if err := w.nats.Kill(); err != nil {
				return time.Time{}, err
			}
			leave()
			if !pause(ctx, away) {
				return time.Time{}, ctx.Err()
			}
			err := w.nats.Start(ctx)
			return time.Now(), err
		})
	})
}

// dropRow breaks a gateway's connection to NATS.
func dropRow(ctx context.Context, runs int, note func(...Value)) error {
	return each(ctx, layout{rooms: 2, proxied: true}, runs, func(ctx context.Context, w *world, i int) error {
		victim := i % gateways
		return w.repaired(ctx, fmt.Sprint(i), []int{1 - victim}, note, waitedSince, func(leave func()) (time.Time, error) {
			start := time.Now()
			w.buses[victim].Cut()
			w.buses[victim].Heal()
			leave()
			return start, nil
		})
	})
}

// waitedSince is the longest that a command took.
func waitedSince(p *probes, _ time.Time) time.Duration {
	commands, _, _ := p.longest()
	return commands
}

// repaired lets NATS go away for some, and leavers leave meanwhile, and notes how long after its return, which happen
// returns, all was well.
func (w *world) repaired(
	ctx context.Context, tag string, at []int, note func(...Value),
	measure func(*probes, time.Time) time.Duration, happen func(leave func()) (time.Time, error),
) error {
	c, err := w.newCrowd(ctx, tag)
	if err != nil {
		return err
	}
	defer c.close()
	l, err := w.join(ctx, c, at)
	if err != nil {
		return err
	}
	defer l.leave()
	p := c.probe(ctx, true)
	defer p.stop()
	if err := p.goOn(ctx, c); err != nil {
		return err
	}
	p.reset()
	back, err := happen(l.leave)
	if err != nil {
		return err
	}
	if err := p.goOn(ctx, c); err != nil {
		return err
	}
	told, err := c.lastTold(ctx, func(r *room) string { return left(r.name, l.left[r].ID()) })
	if err != nil {
		return err
	}
	p.stop()
	note(Value{command, measure(p, back)}, Value{others, max(0, told.Sub(back))})
	return c.undisturbed()
}

// cutRow cuts a gateway off for so long that its members are given up.
func cutRow(ctx context.Context, runs int, note func(...Value)) error {
	return each(ctx, layout{rooms: 2, proxied: true}, runs, func(ctx context.Context, w *world, i int) error {
		c, err := w.newCrowd(ctx, fmt.Sprint(i))
		if err != nil {
			return err
		}
		defer c.close()
		victim := i % gateways
		start := time.Now()
		w.buses[victim].Cut()
		defer w.buses[victim].Heal()
		told, err := c.lost(ctx, victim)
		if err != nil {
			return err
		}
		if rest := cutOff - time.Since(start); rest > 0 && !pause(ctx, rest) {
			return ctx.Err()
		}
		w.buses[victim].Heal()
		back := time.Now()
		out, err := c.expelled(ctx, victim)
		if err != nil {
			return err
		}
		note(Value{others, told.Sub(start)}, Value{own, out.Sub(back)})
		return c.undisturbed()
	})
}

// expelled waits until the clients of a gateway were told that they are in none of their rooms any more, and returns when
// the last was.
func (c *crowd) expelled(ctx context.Context, gateway int) (last time.Time, err error) {
	return c.told(ctx, func(p *person, r *room) string {
		if p.gateway == gateway && (r.owner == p || r.member == p) {
			return closed(r.name)
		}
		return ""
	})
}
