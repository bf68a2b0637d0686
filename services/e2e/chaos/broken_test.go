package chaos_test

import (
	"strconv"
	"testing"
	"time"

	"signalling/services/e2e/chaos"
	"signalling/services/e2e/labtest"
)

// plans are faults of which each takes something else to get over.
var plans = map[string]chaos.Round{
	// An owner hangs, is followed by another one, and goes on.
	"fencing": {Plan: []chaos.Step{{Fault: "rooms-pause", After: time.Second, Lasting: 5 * time.Second}}},
	// An owner is killed, and the one that follows it knows only what it is told.
	"announce": {Plan: []chaos.Step{{Fault: "rooms-kill", After: time.Second, Lasting: 5 * time.Second}}},
	// Clients lose their connections and come back, and somebody else with what they came back with before.
	"replay": {Resume: true, Plan: []chaos.Step{
		{Fault: "clients-cut", After: time.Second, Lasting: 100 * time.Millisecond},
		{Fault: "clients-cut", After: time.Second, Lasting: 100 * time.Millisecond},
		{Fault: "clients-cut", After: time.Second, Lasting: 100 * time.Millisecond},
	}},
	// A gateway cannot be reached, and clients that it has let in again have asked elsewhere before, and given that up.
	"latest": {Resume: true, Forgetful: 50, Plan: []chaos.Step{
		{Fault: "gateway-stall", After: time.Second, Lasting: 3500 * time.Millisecond},
		{Fault: "gateway-stall", After: time.Second, Lasting: 3500 * time.Millisecond},
		{Fault: "gateway-stall", After: time.Second, Lasting: 3500 * time.Millisecond},
		{Fault: "gateway-stall", After: time.Second, Lasting: 3500 * time.Millisecond},
	}},
	// Commands are carried out, and the answers are lost.
	"retry": {Plan: []chaos.Step{
		{Fault: "gateway-lose", After: time.Second, Lasting: 700 * time.Millisecond},
		{Fault: "gateway-lose", After: 500 * time.Millisecond, Lasting: 700 * time.Millisecond},
		{Fault: "gateway-lose", After: 500 * time.Millisecond, Lasting: 700 * time.Millisecond},
	}},
}

// TestTheCheckerNotices shows that the laboratory finds violations: without fencing, without announcements, without retries
// that are idempotent, with tokens that are good for ever, and with connections that take a session from a later one. The
// services are built with the tag chaosbreak, and each of these is taken away in turn. With all of them, the same faults are no
// violation.
func TestTheCheckerNotices(t *testing.T) {
	for name, plan := range plans {
		for _, broken := range []string{"", name} {
			t.Run(name+" broken="+strconv.FormatBool(broken != ""), func(t *testing.T) {
				w := brokenWorld(t, broken, plan.Resume) // one after the other: they may have to be built
				t.Parallel()
				violations := 0
				for seed := range uint64(maxRounds) {
					if violations = tryPlan(t, w, plan, seed, broken != ""); violations > 0 || broken == "" {
						break // once is enough
					}
				}
				if (broken != "") != (violations > 0) {
					t.Errorf("%d violations", violations)
				}
			})
		}
	}
}

// maxRounds bounds the attempts to make something show: which commands a fault meets is chance. It was always the first so
// far, but a machine may be busy.
const maxRounds = 30

func tryPlan(t *testing.T, w *chaos.World, plan chaos.Round, seed uint64, broken bool) (violations int) {
	t.Helper()
	round := plan
	round.Seed, round.Duration, round.Pause = seed+1, 30*time.Second, 2*time.Second
	// Rooms that often do not exist, so that many creates work.
	round.Clients, round.SocketIO, round.Rooms = 12, 3, 24
	if broken {
		round.Patience = 4 * time.Second
	}
	result, err := round.Run(labtest.Context(t), w)
	if err != nil {
		t.Fatalf("%v\n%v", err, result)
	}
	t.Log(result)
	return len(result.Violations)
}

func brokenWorld(t *testing.T, broken string, sessions bool) *chaos.World {
	t.Helper()
	l := labtest.NewTaggedLab(t, "chaosbreak")
	env := []string{"CHAOS_BREAK=" + broken}
	if broken != "" {
		env = append(env, "ROOMS_RECOVERY_WINDOW=1s") // or it takes long until a broken one has waited in vain
	}
	if sessions {
		env = append(env, chaos.Sessions()...)
	}
	w, err := chaos.NewWorld(labtest.BuildContext(t), l, chaos.Size{Rooms: 2, Gateways: 2}, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}
