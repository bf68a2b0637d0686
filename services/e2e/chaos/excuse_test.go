package chaos

import (
	"slices"
	"testing"
	"time"

	"signalling/api/bus"
	"signalling/services/e2e/labtest"
)

// Each instance logs what it takes over, so that takeovers can tell which partitions have changed hands.
func TestTakeoversAreLogged(t *testing.T) {
	ctx := labtest.BuildContext(t)
	w, err := NewWorld(ctx, labtest.NewLab(t), Size{Rooms: 2, Gateways: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := w.owners(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := w.takeovers([]int{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	for n := range bus.Partitions {
		if !slices.ContainsFunc(all, func(x takeover) bool { return x.partition == n && time.Since(x.at) < time.Hour }) {
			t.Errorf("of partition %d no takeover was logged", n)
		}
	}
}

// A membership of a session can end by itself only where its room's partition has changed hands, at a time when its gateway may
// have been away.
func TestExcuseSessions(t *testing.T) {
	const (
		gateways = 3
		second   = time.Second
	)
	start := time.Now()
	at := start.Add
	j := &injector{incidents: []*Incident{
		{Fault: "gateway-kill", gateway: 1, From: at(5 * second), To: at(6 * second)},
		{Fault: "clients-cut", gateway: 2, From: at(5 * second), To: at(6 * second), clients: true},
		{Fault: "rooms-kill", gateway: none, From: at(7 * second), To: at(8 * second)},
	}}
	mine := bus.Partition("mine")
	excuse := j.excuseSessions(start, gateways, []takeover{
		{mine, at(3 * second)}, {mine, at(9 * second)}, {mine, at(40 * second)}, {(mine + 1) % bus.Partitions, at(7 * second)},
	})
	for _, tt := range []struct {
		name     string
		gateway  int
		from, to time.Duration
		since    time.Duration // 0: no excuse
	}{
		{"its partition changed hands while the gateway was gone", 1, 0, 12 * second, 9*second - slack},
		{"the same gateway, counted on", 1 + gateways, 0, 12 * second, 9*second - slack},
		{"the membership ended before", 1, 0, 8 * second, 0},
		{"the membership began later", 1, 10 * second, 30 * second, 0},
		{"and the next change was too late", 1, 30 * second, 50 * second, 0},
		{"another gateway", 0, 0, 12 * second, 0},
		{"a gateway whose clients were cut off", 2, 0, 12 * second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			since, ok := excuse(tt.gateway, "mine", tt.from, tt.to)
			if since != tt.since || ok != (tt.since != 0) {
				t.Errorf("since %v, %v; want %v", since, ok, tt.since)
			}
		})
	}
	if _, ok := j.hurt(start, gateways)(2, "", 0, 12*second); ok {
		t.Error("a gateway is hurt by what happens to its clients")
	}
	if _, ok := j.excuse(start, gateways)(2, "", 0, 12*second); !ok {
		t.Error("what happens to clients does not excuse the end of a connection")
	}
}
