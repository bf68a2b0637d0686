package natstest

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Bubble is synctest.Test for code that uses NATS: f runs in a bubble whose
// clock moves when everything in it waits. Start the server inside with [Run];
// a real network does not work in a bubble.
//
// nats.go keeps its timers in a pool that all connections of the process
// share (for Request, Flush and NextMsg with a duration, and within every
// reconnect), and a timer that leaves its bubble crashes the test binary.
// Bubble therefore empties the pool before and after. It cannot do so for
// tests that run meanwhile: no test of the package may be parallel.
//
// Goroutines of a bubble take turns on one processor: two that set timers
// which are due at once corrupt the race detector's own memory
// (https://go.dev/issue/78156), which ends the test binary.
func Bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	emptyPools()
	synctest.Test(t, f)
	// The bubble's goroutines have all ended, so nothing is given back later.
	emptyPools()
}

// emptyPools drops the contents of every sync.Pool: the first collection
// retires them, the second frees what was retired.
func emptyPools() {
	runtime.GC()
	runtime.GC()
}
