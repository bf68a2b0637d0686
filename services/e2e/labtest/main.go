package labtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalling/services/e2e/lab"
)

// Patience bounds every wait of a test: far more than anything takes on a busy machine, and far less than the time that a
// test run has.
const Patience = 60 * time.Second

// buildPatience bounds the first start, which may build everything.
const buildPatience = 8 * time.Minute

// Main runs the tests of a package, and then ends the sites that they shared. Call it from TestMain.
func Main(m *testing.M) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		labs.closeAll()
		os.Exit(1)
	}()
	code := m.Run()
	if err := labs.stopAll(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "the shared sites: %v\n", err)
		code = 1
	}
	labs.closeAll()
	signal.Stop(interrupted)
	if code == 0 {
		code = leaks()
	}
	os.Exit(code)
}

// leaks looks for goroutines that a test has left.
func leaks() int {
	err := goleak.Find(
		goleak.IgnoreTopFunction("signalling/services/e2e/lab.serveStarts"), // lives as long as the process
		goleak.IgnoreTopFunction("signalling/services/e2e/labtest.Main.func1"),
		goleak.IgnoreTopFunction("os/signal.signal_recv"), // the runtime's own
		goleak.IgnoreTopFunction("os/signal.loop"),
	)
	if err != nil {
		fmt.Fprintf(os.Stderr, "goroutines are left: %v\n", err)
		return 1
	}
	return 0
}

// labs are all labs of this test process.
var labs allLabs

type allLabs struct {
	mu  sync.Mutex // guards all
	all []*lab.Lab
}

func (l *allLabs) add(tags string) (*lab.Lab, error) {
	n, err := lab.New(lab.Options{Race: race, Tags: tags})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, n)
	return n, nil
}

func (l *allLabs) snapshot() []*lab.Lab {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*lab.Lab(nil), l.all...)
}

// stopAll stops what still runs as an operator would: that, too, is a test.
func (l *allLabs) stopAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	var errs []error
	for _, n := range l.snapshot() {
		before := n.Mark()
		err := n.StopAll(ctx)
		for _, p := range n.Problems(before) {
			err = errors.Join(err, errors.New(p))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%w\n%s", err, n.Tails(before, 50)))
		}
	}
	return errors.Join(errs...)
}

func (l *allLabs) closeAll() {
	var all sync.WaitGroup
	for _, n := range l.snapshot() {
		all.Go(n.Close)
	}
	all.Wait()
}

// Context is the test's context with Patience as its deadline.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// BuildContext is Context for a first start, which may build everything.
func BuildContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	t.Cleanup(cancel)
	return ctx
}
