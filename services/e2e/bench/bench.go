package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"signalling/services/e2e/lab"
)

// Bench says how to measure.
type Bench struct {
	// Targets are measured in turn, round by round.
	Targets []Target
	// Rounds is how often each is measured. Works may have fewer.
	Rounds int
	// Duration is how long a round takes, for works that take as long as they are told to; Warm how long servers are loaded
	// before the first one.
	Duration, Warm time.Duration
	// Profile is how long a profile is.
	Profile time.Duration
	// GuidedBy is the file of the profile that Guided is optimised by.
	GuidedBy string
	// Between, if set, is called between rounds.
	Between func()
	// Log is told of the progress.
	Log io.Writer

	loadgen string
}

// Measure measures the works and adds their figures to f, in place of those that it has of the same works and targets.
func (b *Bench) Measure(ctx context.Context, works []Work, f *Figures) error {
	closeLab, err := b.build(ctx)
	if err != nil {
		return err
	}
	defer closeLab()
	for i := range works {
		samples, err := b.work(ctx, &works[i])
		if err != nil {
			return fmt.Errorf("%s: %w", works[i].ID, err)
		}
		f.put(&works[i], samples)
	}
	return nil
}

// build builds the programs, which are there until they are closed.
func (b *Bench) build(ctx context.Context) (closeLab func(), err error) {
	l, err := lab.New(lab.Options{})
	if err != nil {
		return nil, err
	}
	if b.loadgen, err = l.Path(ctx, lab.Loadgen); err == nil {
		err = l.Build(ctx, lab.Standalone, lab.Gateway, lab.Rooms, lab.NATSServer)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l.Close, nil
}

// work measures one work on all targets in turn: what disturbs the machine for a while disturbs all of them. Who comes first
// changes from round to round.
func (b *Bench) work(ctx context.Context, w *Work) (map[Target][]Result, error) {
	var targets []Target
	for _, t := range b.Targets {
		if w.On(t) {
			targets = append(targets, t)
		}
	}
	running := map[Target]*server{}
	defer func() {
		for _, s := range running {
			s.stop()
		}
	}()
	rounds := b.Rounds
	if w.Rounds > 0 {
		rounds = min(rounds, w.Rounds)
	}
	samples := map[Target][]Result{}
	for round := range rounds {
		for _, t := range targets {
			if running[t] == nil {
				s, err := b.start(ctx, t, w)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", t, err)
				}
				running[t] = s
				if err := b.warm(ctx, w, s); err != nil {
					return nil, fmt.Errorf("%s: %w", t, err)
				}
			}
			r, err := b.load(ctx, w, running[t], b.Duration)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t, err)
			}
			samples[t] = append(samples[t], r)
			if w.Fresh {
				running[t].stop()
				delete(running, t)
			}
			if b.Between != nil {
				b.Between()
			}
		}
		slices.Reverse(targets)
		_, _ = fmt.Fprintf(b.Log, "%s: round %d of %d\n", w.ID, round+1, rounds)
	}
	return samples, nil
}

// warm loads a server before it is measured, so that what compiles at run time has compiled.
func (b *Bench) warm(ctx context.Context, w *Work, s *server) error {
	if w.Fresh || b.Warm == 0 {
		return nil
	}
	_, err := b.load(ctx, w, s, b.Warm)
	return err
}

var errNothing = errors.New("nothing was measured")

// load puts the work's load on a server.
func (b *Bench) load(ctx context.Context, w *Work, s *server, d time.Duration) (r Result, err error) {
	args := []string{"-json", "-quiet", "-door", w.Door(), "-duration", d.String(), "-pid", pids(s.pids)}
	args = append(append(args, strings.Fields(w.Args)...), s.urls...)
	c := exec.CommandContext(ctx, b.loadgen, args...) //nolint:gosec // G204: all are ours
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		return r, fmt.Errorf("loadgen %s: %w\n%s", strings.Join(args, " "), err, log.String())
	}
	if err = json.Unmarshal(out.Bytes(), &r); err == nil && r.Operations == 0 {
		err = errNothing
	}
	return r, err
}

func pids(all []int) string {
	var text []string
	for _, pid := range all {
		text = append(text, strconv.Itoa(pid))
	}
	return strings.Join(text, ",")
}
