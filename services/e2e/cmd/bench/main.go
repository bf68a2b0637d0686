// Command bench measures what the product costs.
//
//	bench                    a short set, compared with the committed figures
//	bench -compare           the product in one process, as separate services, and the Node peer, in turn: tables with ratios and bars
//	bench -compare -full     the same with all works and longer rounds
//	bench -only commands,mesh  these works only
//	bench -growth            how costs grow with load, clients, rooms and gateways; -only load,room for some of the curves
//	bench -profiles          what our processes spend their time on at each work
//	bench -profiles -pgo DIR   … and gives what the compiler can optimise by; bench -guided DIR/one.pgo measures what that does
//	bench -allocations       what the hot paths allocate
//	bench … -save            keeps what was measured beside the package, and writes it to the page
//	bench -page              measures nothing, and writes the page
//
// Run it from the repository's folder, on a machine that has nothing else to do: what it prints are CPU times and memory
// of the servers, which the load shares the machine with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/pprof/profile"

	"signalling/services/e2e/bench"
	"signalling/services/e2e/lab"
)

type options struct {
	compare, full, growth, profiles, allocations, save, page bool
	rounds                                                   int
	duration                                                 time.Duration
	only, targets                                            string
	folder, pgo, guided                                      string
}

const folder = "services/e2e/bench"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.BoolVar(&o.compare, "compare", false, "measure the Node peer and the separate services too, and print ratios and bars")
	flag.BoolVar(&o.full, "full", false, "all works, and longer rounds")
	flag.BoolVar(&o.growth, "growth", false, "measure curves of growth instead of works")
	flag.BoolVar(&o.profiles, "profiles", false, "take CPU profiles of our processes at each work instead of measuring")
	flag.BoolVar(&o.allocations, "allocations", false, "count what the hot paths allocate instead of measuring")
	flag.StringVar(&o.pgo, "pgo", "", "with -profiles: a `folder` that gets what the compiler can use: all profiles of a target as one file")
	flag.StringVar(&o.guided, "guided", "", "measure what optimising by the profile in this `file` does instead")
	flag.BoolVar(&o.save, "save", false, "keep the figures, and write them to the page")
	flag.BoolVar(&o.page, "page", false, "measure nothing, write the page")
	flag.IntVar(&o.rounds, "rounds", 0, "how often each target is measured (default 5; 3 without -compare)")
	flag.DurationVar(&o.duration, "duration", 0, "how long each round takes (default 1 s, with -full and -growth 2 s)")
	flag.StringVar(&o.only, "only", "", "comma-separated `ids` of works: "+ids(bench.Works)+"; or of curves: "+curveIDs())
	flag.StringVar(&o.targets, "targets", "", "comma-separated `names` of targets: node, one, split")
	flag.StringVar(&o.folder, "folder", "", "where the files of figures and the page are (default "+folder+")")
	flag.Parse()
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func ids(works []bench.Work) string {
	var all []string
	for i := range works {
		all = append(all, works[i].ID)
	}
	return strings.Join(all, ",")
}

func curveIDs() string {
	var all []string
	for i := range bench.Curves {
		all = append(all, bench.Curves[i].ID)
	}
	return strings.Join(all, ",")
}

func run(ctx context.Context, o options) error {
	if err := o.complete(); err != nil {
		return err
	}
	kept, err := bench.ReadKept(o.folder)
	if err != nil {
		return err
	}
	if o.page {
		return kept.Write()
	}
	b, err := o.bench(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.growth:
		err = o.measureGrowth(ctx, b, kept)
	case o.profiles:
		err = o.takeProfiles(ctx, b, kept)
	case o.guided != "":
		err = o.measureGuided(ctx, b, kept)
	case o.allocations:
		kept.Allocations, err = bench.CountAllocations(ctx, allocationRounds, os.Stderr)
	default:
		err = o.measureWorks(ctx, b, kept)
	}
	if err != nil || !o.save {
		return err
	}
	return kept.Write()
}

// allocationRounds are enough for what is allocated once to be nothing.
const allocationRounds = 20000

func (o *options) measureWorks(ctx context.Context, b *bench.Bench, kept *bench.Kept) error {
	works, err := o.works()
	if err != nil {
		return err
	}
	now := bench.NewFigures()
	if err := b.Measure(ctx, works, now); err != nil {
		return err
	}
	if o.compare {
		fmt.Println(now.Markdown())
	} else {
		fmt.Println(now.Compare(kept.Figures))
	}
	kept.Figures.Merge(now)
	return nil
}

func (o *options) measureGuided(ctx context.Context, b *bench.Bench, kept *bench.Kept) (err error) {
	works, err := o.works()
	if err != nil {
		return err
	}
	if b.GuidedBy, err = filepath.Abs(o.guided); err != nil {
		return err
	}
	b.Targets = []bench.Target{bench.One, bench.Guided}
	now := bench.NewFigures()
	if err := b.Measure(ctx, works, now); err != nil {
		return err
	}
	fmt.Println(now.Guided())
	kept.Guided.Merge(now)
	return nil
}

func (o *options) measureGrowth(ctx context.Context, b *bench.Bench, kept *bench.Kept) error {
	curves, ok := bench.FindCurves(o.names())
	if !ok {
		return fmt.Errorf("there are only these curves: %s", curveIDs())
	}
	now := bench.NewFigures()
	for i := range curves {
		if err := b.Measure(ctx, curves[i].Works(), now); err != nil {
			return err
		}
	}
	fmt.Println(now.Growth())
	kept.Growth.Merge(now)
	return nil
}

func (o *options) takeProfiles(ctx context.Context, b *bench.Bench, kept *bench.Kept) error {
	works, err := o.works()
	if err != nil {
		return err
	}
	all := map[bench.Target][]*profile.Profile{}
	err = b.TakeProfiles(ctx, works, kept.Profiles, func(t bench.Target, p *profile.Profile) {
		all[t] = append(all[t], p)
	})
	if err != nil || o.pgo == "" {
		return err
	}
	for t, profiles := range all {
		if err := writeProfile(filepath.Join(o.pgo, string(t)+".pgo"), profiles); err != nil {
			return err
		}
	}
	return nil
}

func writeProfile(path string, profiles []*profile.Profile) error {
	merged, err := profile.Merge(profiles)
	if err != nil {
		return err
	}
	f, err := os.Create(path) //nolint:gosec // G304: the caller's file
	if err != nil {
		return err
	}
	return errors.Join(merged.Write(f), f.Close())
}

// complete fills in what was not given.
func (o *options) complete() error {
	root, err := lab.Repository()
	if err != nil {
		return err
	}
	if o.folder == "" {
		o.folder = filepath.Join(root, folder)
	}
	if o.growth || o.profiles {
		o.compare = true
	}
	if o.rounds == 0 {
		o.rounds = 5
		if !o.compare || o.growth {
			o.rounds = 3
		}
	}
	if o.duration == 0 {
		o.duration = time.Second
		if o.full || o.growth {
			o.duration = 2 * time.Second
		}
	}
	return nil
}

func (o *options) names() []string {
	if o.only == "" {
		return nil
	}
	return strings.Split(o.only, ",")
}

func (o *options) works() (works []bench.Work, err error) {
	all, ok := bench.Find(o.names())
	if !ok {
		return nil, fmt.Errorf("there are only these works: %s", ids(bench.Works))
	}
	for i := range all {
		if o.full || o.only != "" || !all[i].Large {
			works = append(works, all[i])
		}
	}
	return works, nil
}

func (o *options) bench(ctx context.Context) (*bench.Bench, error) {
	b := &bench.Bench{
		Targets: []bench.Target{bench.One}, Rounds: o.rounds, Duration: o.duration, Warm: o.duration, Profile: 5 * time.Second, Log: os.Stderr,
	}
	if o.compare {
		b.Targets = bench.Targets
	}
	if o.targets != "" {
		b.Targets = nil
		for t := range strings.SplitSeq(o.targets, ",") {
			b.Targets = append(b.Targets, bench.Target(t))
		}
	}
	for _, t := range b.Targets {
		switch t {
		case bench.One, bench.Split:
		case bench.Node:
			if err := bench.InstallNode(ctx, os.Stderr); err != nil {
				return nil, err
			}
		default:
			return nil, errors.New("targets are node, one and split")
		}
	}
	return b, nil
}
