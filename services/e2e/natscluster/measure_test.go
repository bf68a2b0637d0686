package natscluster_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
)

var losses = flag.Int("losses", 0, "how often TestMeasureLosses kills a node; 0 skips it")

// TestMeasureLosses kills nodes under load and prints how long it took until all commands and signals went on, as rows of a
// Markdown table.
func TestMeasureLosses(t *testing.T) {
	if *losses == 0 {
		t.Skip("a measurement, for by hand: go test ./services/e2e/natscluster -run Measure -losses 20 -timeout 30m -v")
	}
	p := startProduct(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*losses)*labtest.Patience)
	defer cancel()
	l := newLoad(t, ctx, p.gateways)
	var all []loss
	for i := range *losses {
		out := p.lose(t, l, p.victim(t, i))
		t.Log(out)
		all = append(all, out)
	}
	if problems := l.judge(); len(problems) > 0 {
		t.Errorf("%d problems:\n%s", len(problems), listed(problems))
	}
	t.Log(l.summary())
	fmt.Println("| the node that is killed | times | commands answered again, median / worst | signals arrive again, median / worst | commands answered `unavailable`, median / worst |")
	fmt.Println("|---|---|---|---|---|")
	for _, kind := range kinds {
		fmt.Print(row(kind.name, slices.DeleteFunc(slices.Clone(all), func(l loss) bool { return !kind.has(l) })))
	}
}

// kinds are what a killed node can have been.
var kinds = []struct {
	name string
	has  func(loss) bool
}{
	{"any", func(loss) bool { return true }},
	{"leads the bucket, and a rooms instance is connected to it", func(l loss) bool { return l.led && l.rooms > 0 }},
	{"leads the bucket, and no rooms instance is connected to it", func(l loss) bool { return l.led && l.rooms == 0 }},
	{"does not lead, and a rooms instance is connected to it", func(l loss) bool { return !l.led && l.rooms > 0 }},
	{"does not lead, and no rooms instance is connected to it", func(l loss) bool { return !l.led && l.rooms == 0 }},
}

// victim alternates between the node that leads the bucket and the one with most connections.
func (p *product) victim(t *testing.T, i int) *natscluster.Node {
	t.Helper()
	if i%2 == 0 {
		n, err := p.Named(p.leader(t))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var most *natscluster.Node
	connections := -1
	for _, n := range p.Nodes {
		names, err := n.Connected(labtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) > connections {
			most, connections = n, len(names)
		}
	}
	return most
}

func row(name string, all []loss) string {
	if len(all) == 0 {
		return ""
	}
	commands := middleAndWorst(all, func(l loss) time.Duration { return l.commands })
	signals := middleAndWorst(all, func(l loss) time.Duration { return l.signals })
	unavailable := middleAndWorst(all, func(l loss) int64 { return l.unavailable })
	return fmt.Sprintf("| %s | %d | %v / %v | %v / %v | %d / %d |\n", name, len(all),
		commands[0].Round(time.Millisecond), commands[1].Round(time.Millisecond),
		signals[0].Round(time.Millisecond), signals[1].Round(time.Millisecond), unavailable[0], unavailable[1])
}

// middleAndWorst are the median and the largest of some values.
func middleAndWorst[T int64 | time.Duration](all []loss, value func(loss) T) [2]T {
	values := make([]T, len(all))
	for i, l := range all {
		values[i] = value(l)
	}
	slices.Sort(values)
	return [2]T{(values[(len(values)-1)/2] + values[len(values)/2]) / 2, values[len(values)-1]}
}
