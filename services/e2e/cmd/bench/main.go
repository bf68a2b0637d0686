// Command bench measures what the product costs.
//
//	bench                    a short set, compared with the committed figures
//	bench -compare           the product in one process, as separate services, and the Node peer, in turn: tables with ratios and bars
//	bench -compare -full     the same with all works and longer rounds
//	bench -only commands,mesh  these works only
//	bench -save              writes what was measured to the file of figures, and the tables to the page
//	bench -page              measures nothing, and writes the tables of the file of figures to the page
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

	"signalling/services/e2e/bench"
	"signalling/services/e2e/figures"
	"signalling/services/e2e/lab"
)

type options struct {
	compare, full, save, page bool
	rounds                    int
	duration                  time.Duration
	only, targets             string
	figures, document         string // files
}

const folder = "services/e2e/bench"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var o options
	flag.BoolVar(&o.compare, "compare", false, "measure the Node peer and the separate services too, and print ratios and bars")
	flag.BoolVar(&o.full, "full", false, "all works, and longer rounds")
	flag.BoolVar(&o.save, "save", false, "keep the figures, and write the tables to the page")
	flag.BoolVar(&o.page, "page", false, "measure nothing, write the tables to the page")
	flag.IntVar(&o.rounds, "rounds", 0, "how often each target is measured (default 5; 3 without -compare)")
	flag.DurationVar(&o.duration, "duration", 0, "how long each round takes (default 1 s, with -full 2 s)")
	flag.StringVar(&o.only, "only", "", "comma-separated `ids` of works: "+ids(bench.Works))
	flag.StringVar(&o.targets, "targets", "", "comma-separated `names` of targets: node, one, split")
	flag.StringVar(&o.figures, "figures", "", "the file of figures (default "+folder+"/figures.json)")
	flag.StringVar(&o.document, "document", "", "the page (default "+folder+"/README.md)")
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

func run(ctx context.Context, o options) error {
	if err := o.complete(); err != nil {
		return err
	}
	committed, err := bench.ReadFigures(o.figures)
	if err != nil {
		return err
	}
	if o.page {
		return bench.Page.Update(o.document, committed.Markdown())
	}
	works, err := o.works()
	if err != nil {
		return err
	}
	b, err := o.bench(ctx)
	if err != nil {
		return err
	}
	now := &bench.Figures{Works: map[string]*bench.Rounds{}}
	if err := b.Measure(ctx, works, now); err != nil {
		return err
	}
	if o.compare {
		fmt.Println(now.Markdown())
	} else {
		fmt.Println(now.Compare(committed))
	}
	if !o.save {
		return nil
	}
	committed.Merge(now)
	if err := figures.Write(o.figures, committed); err != nil {
		return err
	}
	return bench.Page.Update(o.document, committed.Markdown())
}

// complete fills in what was not given.
func (o *options) complete() error {
	root, err := lab.Repository()
	if err != nil {
		return err
	}
	if o.figures == "" {
		o.figures = filepath.Join(root, folder, "figures.json")
	}
	if o.document == "" {
		o.document = filepath.Join(root, folder, "README.md")
	}
	if o.rounds == 0 {
		o.rounds = 5
		if !o.compare {
			o.rounds = 3
		}
	}
	if o.duration == 0 {
		o.duration = time.Second
		if o.full {
			o.duration = 2 * time.Second
		}
	}
	return nil
}

func (o *options) works() (works []bench.Work, err error) {
	var names []string
	if o.only != "" {
		names = strings.Split(o.only, ",")
	}
	all, ok := bench.Find(names)
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
		Targets: []bench.Target{bench.One}, Rounds: o.rounds, Duration: o.duration, Warm: o.duration, Gateways: 2, Log: os.Stderr,
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
