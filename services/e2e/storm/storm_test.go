package storm_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/check"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/linear"
	"signalling/services/e2e/storm"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// seed is that of the environment's E2E_SEED, or another one each time.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("E2E_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("to do this again: E2E_SEED=%d", n)
	return n
}

// Rule 4: what a member knows is true: the clients of its room-joined, plus every later client-joined, less every later
// client-left, is exactly the membership. Each change is told once and in the same order to every member. A joiner sees no
// event from before its own room-joined. This holds across gateways.
func TestRule4_Storm(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		storms := storm.New(storm.Config{
			Seed: seed(t), Clients: 30, Rooms: 20, Steps: 200, Pipeline: 4, SocketIO: 10, Drops: 20, Prefix: s.Room() + "/",
			URL: func(i int) (string, error) { return s.URL(labtest.Context(t), i) },
		})
		defer storms.Close()
		if err := storms.Run(labtest.Context(t), nil); err != nil {
			t.Fatal(err)
		}
		if err := storms.Settle(labtest.Context(t)); err != nil {
			t.Error(err)
		}
		for _, problem := range storms.Problems(storm.NoExcuse) {
			t.Error(problem)
		}
		all := storms.Histories()
		r := check.Histories(all)
		violations := slices.Concat(r.Violations, check.Quiescent(all, check.Strict))
		if len(violations) > 0 {
			t.Errorf("%d violations:\n%s", len(violations), strings.Join(violations, "\n"))
		}
		for room, ops := range storms.Linear(storm.NoExcuse) {
			if verdict := linear.Check(ops); verdict != linear.Possible {
				t.Errorf("room %q: what came of its commands is %s: %v", room, verdict, linear.Shorten(ops))
			}
		}
		t.Logf("%d commands of %d connections; %d lives of rooms, %d stints, %d compared, %d unplaced",
			len(storms.Ops()), len(all), r.Lives, r.Stints, r.Compared, r.Unplaced)
		if r.Compared < 500 || r.Unplaced*10 > r.Compared {
			t.Errorf("only %d stints were compared, %d could not be placed: this shows nothing", r.Compared, r.Unplaced)
		}
	})
}
