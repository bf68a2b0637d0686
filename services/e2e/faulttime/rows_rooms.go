package faulttime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalling/services/e2e/lab"
)

const (
	// warmUp is how long the probes run before a fault.
	warmUp = 300 * time.Millisecond
	// hang is how long a process hangs.
	hang = 5 * time.Second
)

// probed lets something happen while a crowd sends commands and signals, and returns what they saw of it.
func (w *world) probed(ctx context.Context, tag string, happen func(ctx context.Context, c *crowd, p *probes) error) (*probes, error) {
	c, err := w.newCrowd(ctx, tag)
	if err != nil {
		return nil, err
	}
	defer c.close()
	p := c.probe(ctx, false)
	defer p.stop()
	if err := p.goOn(ctx, c); err != nil {
		return nil, err
	}
	if !pause(ctx, warmUp) {
		return nil, ctx.Err()
	}
	p.reset()
	if err := happen(ctx, c, p); err != nil {
		return nil, err
	}
	if err := p.goOn(ctx, c); err != nil {
		return nil, err
	}
	p.stop()
	return p, c.undisturbed()
}

// roomsRow does something to an instance of two, in turn, and waits until the other one has all partitions.
func roomsRow(hurt func(ctx context.Context, w *world, victim *lab.Process) error) func(context.Context, int, func(...Value)) error {
	return func(ctx context.Context, runs int, note func(...Value)) error {
		return each(ctx, layout{rooms: 2}, runs, func(ctx context.Context, w *world, i int) error {
			p, err := w.probed(ctx, fmt.Sprint(i), func(ctx context.Context, _ *crowd, _ *probes) error {
				return hurt(ctx, w, w.rooms[i%2])
			})
			if err != nil {
				return err
			}
			return p.noteWaits(note)
		})
	}
}

// noteWaits notes how long commands and signals took, where all commands must have worked.
func (p *probes) noteWaits(note func(...Value)) error {
	commands, signals, unavailable := p.longest()
	if unavailable > 0 {
		return fmt.Errorf("%d commands were answered unavailable", unavailable)
	}
	note(Value{command, commands}, Value{signal, signals})
	return nil
}

func killRooms(ctx context.Context, w *world, victim *lab.Process) error {
	if err := victim.Kill(); err != nil {
		return err
	}
	return w.owned(ctx)
}

func stopRooms(ctx context.Context, w *world, victim *lab.Process) error {
	code, err := victim.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code)
	}
	if err != nil {
		return err
	}
	return w.owned(ctx)
}

func hangRooms(ctx context.Context, _ *world, victim *lab.Process) error {
	if err := victim.Pause(); err != nil {
		return err
	}
	if !pause(ctx, hang) {
		return ctx.Err()
	}
	return victim.Resume()
}

// startRow starts a second instance beside one that has everything.
func startRow(ctx context.Context, runs int, note func(...Value)) error {
	return each(ctx, layout{rooms: 2}, runs, func(ctx context.Context, w *world, i int) error {
		if err := stopRooms(ctx, w, w.rooms[i%2]); err != nil {
			return err
		}
		p, err := w.probed(ctx, fmt.Sprint(i), func(ctx context.Context, _ *crowd, _ *probes) error { return w.restore(ctx) })
		if err != nil {
			return err
		}
		return p.noteWaits(note)
	})
}

var errNobodyRefused = errors.New("no command was answered unavailable")

// returnRow kills the only instance until commands are given up, and starts it again.
func returnRow(ctx context.Context, runs int, note func(...Value)) error {
	return each(ctx, layout{rooms: 1}, runs, func(ctx context.Context, w *world, i int) error {
		var back time.Time
		p, err := w.probed(ctx, fmt.Sprint(i), func(ctx context.Context, c *crowd, p *probes) error {
			if err := w.rooms[0].Kill(); err != nil {
				return err
			}
			for p.refused() < len(c.rooms) {
				if !pause(ctx, 100*time.Millisecond) {
					return errNobodyRefused
				}
			}
			back = time.Now()
			return w.rooms[0].Start(ctx)
		})
		if err != nil {
			return err
		}
		_, signals, _ := p.longest()
		note(Value{command, p.resumed(back)}, Value{signal, signals})
		return nil
	})
}

// refused is how many commands were answered unavailable.
func (p *probes) refused() int {
	_, _, unavailable := p.longest()
	return unavailable
}
