package natscluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
)

// bucket is where rooms keeps the ownerships.
const bucket = "sig_owners"

// product is the whole: three nodes, two rooms instances that share the partitions, two gateways.
type product struct {
	*natscluster.Site
	services []*lab.Process
	gateways []string // native doors
}

func startProduct(t testing.TB) *product {
	t.Helper()
	p := &product{Site: startSite(t, 3)}
	kv := []string{"ROOMS_OWNERSHIP=kv", "ROOMS_OWNERSHIP_REPLICAS=3"}
	gateways := []*lab.Process{p.Gateway("gateway-1"), p.Gateway("gateway-2")}
	p.services = append([]*lab.Process{p.Rooms("rooms-1", kv...), p.Rooms("rooms-2", kv...)}, gateways...)
	startAll(t, p.services...)
	for _, g := range gateways {
		url, err := lab.ClientURL(labtest.Context(t), g)
		if err != nil {
			t.Fatal(err)
		}
		p.gateways = append(p.gateways, url)
	}
	t.Cleanup(func() { p.checkLogs(t) })
	return p
}

// checkLogs looks for what the services were not allowed to do: a permission that they need is missing.
func (p *product) checkLogs(t testing.TB) {
	for _, s := range p.services {
		lines, _ := s.Log().Since(0)
		for _, line := range lines {
			if strings.Contains(strings.ToLower(line), "permissions violation") {
				t.Errorf("%s: %s", s.Name, line)
			}
		}
	}
}

// loss is what one loss of a node came to.
type loss struct {
	node              string
	led               bool // it led the bucket's stream
	rooms, gateways   int  // how many were connected to it
	commands, signals time.Duration
	unavailable       int64 // answers that the service is unavailable
}

func (l loss) String() string {
	return fmt.Sprintf("%s (leader of the bucket: %v, rooms: %d, gateways: %d): commands after %v, signals after %v, %d unavailable",
		l.node, l.led, l.rooms, l.gateways, l.commands.Round(time.Millisecond), l.signals.Round(time.Millisecond), l.unavailable)
}

// lose kills a node, waits until everything goes on, and lets it come back.
func (p *product) lose(t testing.TB, l *load, n *natscluster.Node) loss {
	t.Helper()
	out := loss{node: n.Name, led: p.leader(t) == n.Name}
	names, err := n.Connected(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "rooms") {
			out.rooms++
		} else {
			out.gateways++
		}
	}
	before := l.unavailable.Load()
	f, err := l.during(n.Process.Kill)
	if err != nil {
		t.Fatal(err)
	}
	if out.commands, out.signals, err = f.wait(labtest.Context(t)); err != nil {
		t.Errorf("%s was killed: %v", n.Name, err)
	}
	out.unavailable = l.unavailable.Load() - before
	if err := n.Process.Start(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if err := n.Healthy(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	return out
}

// leader waits until all nodes agree who leads the bucket's stream.
func (p *product) leader(t testing.TB) string {
	t.Helper()
	ctx := labtest.Context(t)
	for {
		var leaders []string
		for _, n := range p.Nodes {
			leader, err := n.Leader(ctx, bucket)
			if err != nil {
				t.Fatal(err)
			}
			leaders = append(leaders, leader)
		}
		if all := slices.Compact(leaders); len(all) == 1 && all[0] != "" {
			return all[0]
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the bucket's stream has no leader: %q", leaders)
		}
	}
}

// TestLossOfANode kills each node in turn, that which leads the bucket first, while clients join, leave and signal. Nobody
// is to notice.
func TestLossOfANode(t *testing.T) {
	p := startProduct(t)
	smoke(t, p.gateways[0], p.gateways[1])
	ctx, cancel := context.WithTimeout(t.Context(), 3*labtest.Patience)
	defer cancel()
	l := newLoad(t, ctx, p.gateways)
	first, err := p.Named(p.leader(t))
	if err != nil {
		t.Fatal(err)
	}
	nodes := append([]*natscluster.Node{first}, slices.DeleteFunc(slices.Clone(p.Nodes), func(n *natscluster.Node) bool { return n == first })...)
	for _, n := range nodes {
		t.Log(p.lose(t, l, n))
	}
	if problems := l.judge(); len(problems) > 0 {
		t.Errorf("%d problems:\n%s", len(problems), listed(problems))
	}
	t.Log(l.summary())
	smoke(t, p.gateways[1], p.gateways[0])
}
