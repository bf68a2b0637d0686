package faulttime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"signalling/pkg/client"
	"signalling/services/e2e/lab"
)

// keepSessions are the settings of gateways whose clients may come back.
var keepSessions = []string{"GATEWAY_RESUME_WINDOW=60s", "GATEWAY_RESUME_SECRET=0123456789abcdef0123456789abcdef"}

// resumeRow kills a gateway that keeps sessions. Its clients come back at the other one as soon as they notice.
func resumeRow(ctx context.Context, runs int, note func(...Value)) error {
	return each(ctx, layout{rooms: 2, gatewayEnv: keepSessions}, runs, func(ctx context.Context, w *world, i int) error {
		c, err := w.newCrowd(ctx, fmt.Sprint(i))
		if err != nil {
			return err
		}
		defer func() { c.close() }()
		victim := i % gateways
		start := time.Now()
		if err := w.gateways[victim].Kill(); err != nil {
			return err
		}
		back, err := w.comeBack(ctx, c, victim)
		if err != nil {
			return err
		}
		if err := c.together(ctx); err != nil {
			return err
		}
		all := time.Now()
		if err := c.undisturbed(); err != nil {
			return err
		}
		note(Value{own, back.Sub(start)}, Value{asked, all.Sub(start)})
		return nil
	})
}

// comeBack waits until all clients of a gateway have their sessions at the other one, and returns when the last had.
func (w *world) comeBack(ctx context.Context, c *crowd, gateway int) (last time.Time, err error) {
	type result struct {
		was, now *person
		at       time.Time
		err      error
	}
	n, results := 0, make(chan result)
	for _, p := range c.people {
		if p.gateway == gateway {
			n++
			go func() {
				now, err := w.resume(ctx, p)
				results <- result{p, now, time.Now(), err}
			}()
		}
	}
	for range n {
		r := <-results
		if r.err != nil {
			err = errors.Join(err, r.err)
			continue
		}
		c.replace(r.was, r.now)
		if r.at.After(last) {
			last = r.at
		}
	}
	return last, err
}

// resume takes the session of a person whose connection ends to the other gateway.
func (w *world) resume(ctx context.Context, p *person) (*person, error) {
	select {
	case <-p.Done():
	case <-ctx.Done():
		return nil, errors.New("a connection does not end")
	}
	p.leave()
	session := p.Session()
	if session == nil {
		return nil, fmt.Errorf("no session is left after %w", p.Err())
	}
	other := (p.gateway + 1) % gateways
	url, err := lab.ClientURL(ctx, w.gateways[other])
	if err != nil {
		return nil, err
	}
	for {
		now, err := dialWith(ctx, url, other, &client.Options{EventQueue: eventQueue, Resume: session})
		switch {
		case err == nil && (now.Resumed() == nil || now.ID() != p.ID()):
			now.leave()
			return nil, fmt.Errorf("%s came back as %s: %+v", p.ID(), now.ID(), now.Resumed())
		case err == nil:
			return now, nil
		}
		select {
		case <-time.After(10*time.Millisecond + rand.N(10*time.Millisecond)): //nolint:gosec // G404: chance is enough
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// replace puts a person's next connection in the place of the one before.
func (c *crowd) replace(was, now *person) {
	c.people[slices.Index(c.people, was)] = now
	for _, r := range c.rooms {
		if r.owner == was {
			r.owner = now
		}
		if r.member == was {
			r.member = now
		}
	}
}

// together checks that everybody is with whom it was.
func (c *crowd) together(ctx context.Context) error {
	for _, r := range c.rooms {
		for _, couple := range [][2]*person{{r.owner, r.member}, {r.member, r.owner}} {
			roster, err := couple[0].Join(ctx, r.name)
			if err != nil {
				return err
			}
			if roster.OwnerID != r.owner.ID() || !slices.Equal(roster.Clients, []string{couple[1].ID()}) {
				return fmt.Errorf("a member of room %q was told %+v", r.name, roster)
			}
		}
	}
	return nil
}
