package natscluster_test

import (
	"context"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natscluster"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// buildPatience bounds what may build programs first.
const buildPatience = 8 * time.Minute

// starting is a context for starts.
func starting(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	t.Cleanup(cancel)
	return ctx
}

// startSite starts nodes and nothing else.
func startSite(t testing.TB, nodes int) *natscluster.Site {
	t.Helper()
	l := labtest.NewLab(t)
	if err := l.Build(starting(t), lab.NATSServer, lab.Rooms, lab.Gateway); err != nil {
		t.Fatal(err)
	}
	s, err := natscluster.New(l, nodes)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

// startAll starts processes and waits until they are ready.
func startAll(t testing.TB, processes ...*lab.Process) {
	t.Helper()
	for _, p := range processes {
		if err := p.Launch(starting(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range processes {
		if err := p.Ready(labtest.Context(t)); err != nil {
			t.Fatal(err)
		}
	}
}
