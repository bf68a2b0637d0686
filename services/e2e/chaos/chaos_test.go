package chaos_test

import (
	"testing"
	"time"

	"signalling/services/e2e/chaos"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// A short run with a fixed seed. A long one, with seeds of your choice: make chaos.
func TestChaos(t *testing.T) {
	l := labtest.NewLab(t)
	w, err := chaos.NewWorld(labtest.BuildContext(t), l, chaos.Size{Rooms: 3, Gateways: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	for seed := range uint64(1) {
		round := chaos.Round{
			Seed: seed + 1, Duration: 8 * time.Second, Pause: 500 * time.Millisecond,
			Clients: 15, SocketIO: 5, Rooms: 8,
		}
		result, err := round.Run(t.Context(), w)
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", round.Seed, err, result)
		}
		t.Logf("seed %d: %v", round.Seed, result)
		if len(result.Violations) > 0 {
			t.Errorf("seed %d: %d violations", round.Seed, len(result.Violations))
		}
		if result.Commands < 100 || len(result.Incidents) == 0 || result.Undecided > round.Rooms/2 { // ten times as many, where nothing else runs
			t.Errorf("seed %d: this shows nothing", round.Seed)
		}
	}
}

// TestChaosWithSessions is a short run with a fixed seed in which clients lose their connections and take up their sessions.
// A long one: make chaos CHAOS=-resume.
func TestChaosWithSessions(t *testing.T) {
	l := labtest.NewLab(t)
	w, err := chaos.NewWorld(labtest.BuildContext(t), l, chaos.Size{Rooms: 2, Gateways: 3}, chaos.Sessions()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	round := chaos.Round{
		Seed: 1, Duration: 8 * time.Second, Pause: 500 * time.Millisecond, Clients: 15, SocketIO: 5, Rooms: 8, Resume: true,
		Faults: []string{"gateway-kill", "gateway-stop", "gateway-pause", "gateway-cut", "clients-cut", "clients-stall", "rooms-stop"},
	}
	result, err := round.Run(t.Context(), w)
	if err != nil {
		t.Fatalf("%v\n%v", err, result)
	}
	t.Log(result)
	if len(result.Violations) > 0 {
		t.Errorf("%d violations", len(result.Violations))
	}
	if result.Commands < 100 || result.Resumed < 10 || len(result.Incidents) == 0 { // ten times as many, where nothing else runs
		t.Error("this shows nothing")
	}
}
