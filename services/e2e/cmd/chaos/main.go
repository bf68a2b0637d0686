// Command chaos runs the fault laboratory of package chaos: rounds of a storm of clients with faults, each round with the
// next seed, until the time is over or a round has a violation.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"signalling/services/e2e/chaos"
	"signalling/services/e2e/lab"
)

type options struct {
	round    chaos.Round
	size     chaos.Size
	duration time.Duration
	race     bool
	onward   bool
	env      []string
	verbose  bool
}

func main() {
	var o options
	flag.Uint64Var(&o.round.Seed, "seed", 1, "seed of the first round; each round has the next")
	flag.DurationVar(&o.duration, "duration", 5*time.Minute, "how long to begin new rounds")
	flag.DurationVar(&o.round.Duration, "round", 15*time.Second, "how long faults are injected in a round")
	flag.DurationVar(&o.round.Pause, "pause", 700*time.Millisecond, "mean time between two faults")
	flag.IntVar(&o.round.Clients, "clients", 24, "clients at once")
	flag.IntVar(&o.round.SocketIO, "socketio", 8, "how many of them use the Socket.IO door")
	flag.IntVar(&o.round.Rooms, "names", 12, "names of rooms that they use")
	flag.IntVar(&o.size.Rooms, "rooms", 3, "instances of the rooms service")
	flag.IntVar(&o.size.Gateways, "gateways", 3, "gateways")
	flag.BoolVar(&o.round.Resume, "resume", false, "sessions outlive their connections: clients lose these more often and come back")
	flag.BoolVar(&o.race, "race", false, "build the services with the race detector")
	flag.BoolVar(&o.onward, "onward", false, "go on after a violation")
	flag.BoolVar(&o.verbose, "v", false, "print the services' logs")
	flag.Func("faults", "comma-separated `names` of the faults to inject (default all: "+strings.Join(chaos.FaultNames(), ",")+")",
		func(s string) error {
			o.round.Faults = strings.Split(s, ",")
			return chaos.CheckFaults(o.round.Faults)
		})
	flag.Func("env", "`NAME=value` for the environment of all services; may be given several times", func(s string) error {
		o.env = append(o.env, s)
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "chaos: %v\n", err)
		os.Exit(1)
	}
}

var errViolations = errors.New("there were violations")

func run(ctx context.Context, o options) error {
	settings := lab.Options{Race: o.race}
	if o.verbose {
		settings.Mirror = os.Stderr
	}
	l, err := lab.New(settings)
	if err != nil {
		return err
	}
	defer l.Close()
	if o.round.Resume {
		o.env = append(chaos.Sessions(), o.env...)
	}
	w, err := chaos.NewWorld(ctx, l, o.size, o.env...)
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Printf("%d rooms, %d gateways, %d clients; faults: %s\n", o.size.Rooms, o.size.Gateways, o.round.Clients, names(o.round))
	return rounds(ctx, o, l, w)
}

// evidenceLines are the lines of each service's log that are kept of a round with violations.
const evidenceLines = 20_000

// keep keeps what is too long to print.
func keep(seed uint64, result *chaos.Result, l *lab.Lab, before lab.Mark) {
	evidence := fmt.Sprintf("%v\n%s\nwhat the services logged:\n%s", result, result.Evidence, l.Tails(before, evidenceLines))
	path := filepath.Join(os.TempDir(), fmt.Sprintf("chaos-%d.txt", seed))
	if err := os.WriteFile(path, []byte(evidence), 0o600); err == nil {
		fmt.Printf("what was recorded and logged is in %s\n", path)
	}
}

func names(r chaos.Round) string {
	if len(r.Faults) == 0 {
		return "all"
	}
	return strings.Join(r.Faults, ", ")
}

func rounds(ctx context.Context, o options, l *lab.Lab, w *chaos.World) error {
	var settled []time.Duration
	bad := 0
	for start := time.Now(); time.Since(start) < o.duration && ctx.Err() == nil; o.round.Seed++ {
		before := l.Mark()
		result, err := o.round.Run(ctx, w)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			keep(o.round.Seed, result, l, before)
			return fmt.Errorf("seed %d: %w\n%v", o.round.Seed, err, result)
		}
		result.Violations = append(result.Violations, l.Problems(before)...)
		fmt.Printf("seed %d: %v\n", o.round.Seed, result)
		settled = append(settled, result.Settled)
		if len(result.Violations) > 0 {
			bad++
			keep(o.round.Seed, result, l, before)
			fmt.Printf("what the services logged last:\n%s", l.Tails(before, 15))
			if !o.onward {
				break
			}
		}
	}
	slices.Sort(settled)
	if n := len(settled); n > 0 {
		fmt.Printf("%d rounds, %d with violations; well after %.1f s (median), %.1f s (worst)\n",
			n, bad, settled[n/2].Seconds(), settled[n-1].Seconds())
	}
	if bad > 0 {
		return errViolations
	}
	return nil
}
