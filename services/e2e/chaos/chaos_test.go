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
