package service

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHeapPaceFollowsTheLoad(t *testing.T) {
	const mib = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		var set []int
		var collections atomic.Int64
		p := newHeapPacer(func(percent int) { set = append(set, percent) }, func() { collections.Add(1) })
		pace := func() int {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.percent
		}
		step := func(after time.Duration, live uint64, want int, why string) {
			t.Helper()
			time.Sleep(after)
			p.collected(live)
			if got := pace(); got != want {
				t.Errorf("%s: %d %%, want %d", why, got, want)
			}
		}
		calm := func(want int64, why string) {
			t.Helper()
			before, percent := collections.Load(), pace()
			time.Sleep(quietAfter - time.Millisecond)
			synctest.Wait()
			if collections.Load() != before || pace() != percent {
				t.Errorf("%s: %d collections more, %d %% before it was quiet", why, collections.Load()-before, pace())
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := collections.Load() - before; got != want || pace() != 100 {
				t.Errorf("%s: %d collections when it was quiet, want %d, %d %%", why, got, want, pace())
			}
		}
		step(quietAfter, 3*mib, 100, "rare collections")
		step(quietAfter, 3*mib, 100, "rare collections")
		calm(0, "rare collections")
		step(100*time.Millisecond, 3*mib, 100, "one after a long time")
		step(100*time.Millisecond, 3*mib, 200, "frequent ones, and a heap that counts as the least one")
		step(time.Second, 4*mib, 200, "as busy as before")
		step(time.Second, 5*mib, 200, "about the same heap")
		step(time.Second, 6*mib, 133, "a larger one")
		step(time.Second, 40*mib, 100, "one whose double is more than what is spare")
		step(100*time.Millisecond, math.MaxUint64, 100, "a huge one")
		step(100*time.Millisecond, 0, 200, "an empty one")
		calm(1, "a busy process")
		step(0, 3*mib, 100, "the one that it made itself")
		calm(0, "its own")
		step(100*time.Millisecond, 3*mib, 100, "busy again")
		step(100*time.Millisecond, 3*mib, 200, "busy again")
		calm(1, "busy again")
		step(0, 40*mib, 100, "its own")
		step(time.Second, 40*mib, 100, "a heap that grows, at the ordinary pace")
		calm(1, "what was left of that")
		if set[len(set)-1] != 100 {
			t.Errorf("set %v", set)
		}
	})
}

var litter []byte

func TestHeapOfABusyProcessIsPaced(t *testing.T) {
	t.Cleanup(func() { debug.SetGCPercent(ordinaryPercent) })
	debug.SetGCPercent(ordinaryPercent)
	p := newHeapPacer(func(percent int) { debug.SetGCPercent(percent) }, debug.FreeOSMemory)
	p.watch()
	percent := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	for deadline := time.Now().Add(20 * time.Second); ; {
		for range 1000 {
			litter = make([]byte, 4096)
		}
		metrics.Read(percent)
		if percent[0].Value.Uint64() > ordinaryPercent {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the pace did not change")
		}
	}
	for deadline := time.Now().Add(20 * time.Second); percent[0].Value.Uint64() > ordinaryPercent; metrics.Read(percent) {
		if time.Now().After(deadline) {
			t.Fatal("the pace did not change back")
		}
		runtime.Gosched()
	}
}
