package resume

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
)

var rollingClients = flag.Int("rolling.clients", 40, "clients that signal while everything is restarted")

// Everything is restarted, one after another, under clients of both doors that signal all the while: nobody is told that
// anybody has left, no command fails, and each signal arrives once and in order.
func TestRollingRestart(t *testing.T) {
	f := newFleet(t, "60s")
	all := newCrowd(t, f, *rollingClients, false)
	all.flows()
	f.roll(t, all)
	all.end()
	if n := all.resumed.Load(); n < int64(*rollingClients) {
		t.Errorf("only %d sessions were resumed", n)
	}
	t.Logf("%d clients, %d sessions resumed, %d signals delivered, %d commands answered, %d wrong",
		len(all.members), all.resumed.Load(), all.delivered(), all.commands.Load(), all.wrong.Load())
}

// Without sessions the same clients see each other leave: the test above can fail.
func TestRollingRestartWithoutSessions(t *testing.T) {
	f := newFleet(t, "0s")
	all := newCrowd(t, f, 4, true)
	all.flows()
	f.restart(t, f.gateways[0])
	for deadline := time.Now().Add(labtest.Patience); all.wrong.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody has noticed the restart of a gateway that keeps no sessions")
		}
	}
}

// fleet is everything twice, and NATS three times.
type fleet struct {
	*natscluster.Site
	rooms, gateways []*lab.Process
}

func newFleet(t *testing.T, window string) *fleet {
	t.Helper()
	l := labtest.NewLab(t)
	must(t, l.Build(labtest.BuildContext(t), lab.NATSServer, lab.Rooms, lab.Gateway))
	nodes, err := natscluster.New(l, 3)
	must(t, err)
	f := &fleet{Site: nodes}
	ctx := labtest.Context(t)
	must(t, f.Start(ctx))
	for i := range 2 {
		f.rooms = append(f.rooms, f.Rooms(fmt.Sprintf("rooms-%d", i+1), "ROOMS_OWNERSHIP=kv", "ROOMS_OWNERSHIP_REPLICAS=3"))
	}
	for i := range 2 {
		f.gateways = append(f.gateways, f.Gateway(fmt.Sprintf("gateway-%d", i+1), "GATEWAY_RESUME_WINDOW="+window, secret))
	}
	must(t, lab.Revive(ctx, append(append([]*lab.Process(nil), f.rooms...), f.gateways...)))
	return f
}

// URL is the native door of the i-th gateway, counted from 0 and round. It fails while that does not run.
func (f *fleet) URL(ctx context.Context, i int) (string, error) {
	return lab.ClientURL(ctx, f.gateways[i%len(f.gateways)])
}

// roll restarts everything, each process once all is well after the one before.
func (f *fleet) roll(t *testing.T, all *crowd) {
	t.Helper()
	processes := make([]*lab.Process, 0, len(f.Nodes)+len(f.rooms)+len(f.gateways))
	for _, n := range f.Nodes {
		processes = append(processes, n.Process)
	}
	processes = append(append(processes, f.rooms...), f.gateways...)
	for _, p := range processes {
		all.silence.Store(0)
		start := time.Now()
		f.restart(t, p)
		took := time.Since(start)
		all.flows()
		t.Logf("| %s | %.1f s | %.1f s |", p.Name, took.Seconds(), time.Duration(all.silence.Load()).Seconds())
	}
}

// restart ends a process as an operator does, and starts it again.
func (f *fleet) restart(t *testing.T, p *lab.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*labtest.Patience)
	defer cancel()
	if code, err := p.Stop(ctx); err != nil || code != 0 {
		t.Fatalf("%s ended with %d, %v", p.Name, code, err)
	}
	must(t, p.Start(ctx))
	for _, n := range f.Nodes {
		must(t, n.Healthy(ctx))
	}
}
