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
		step(time.Second, 3*mib, 100, "rare collections")
		step(300*time.Millisecond, 3*mib, 100, "rare collections")
		step(100*time.Millisecond, 3*mib, 800, "frequent ones, and a heap that counts as the least one")
		step(time.Second, 4*mib, 800, "as busy as before")
		step(time.Second, 5*mib, 800, "about the same heap")
		step(time.Second, 8*mib, 400, "a larger one")
		step(time.Second, 40*mib, 100, "one whose double is more than what is spare")
		step(100*time.Millisecond, math.MaxUint64, 100, "a huge one")
		step(100*time.Millisecond, 0, 800, "an empty one")
		time.Sleep(quietAfter - time.Millisecond)
		synctest.Wait()
		if collections.Load() != 0 || pace() != 800 {
			t.Errorf("%d collections, %d %% before it was quiet", collections.Load(), pace())
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if collections.Load() != 1 || pace() != 100 {
			t.Errorf("%d collections, %d %% when it was quiet", collections.Load(), pace())
		}
		step(0, 3*mib, 100, "the one that it made itself")
		step(100*time.Millisecond, 3*mib, 800, "busy again")
		time.Sleep(quietAfter)
		synctest.Wait()
		if got := pace(); collections.Load() != 2 || got != 100 || set[len(set)-1] != got {
			t.Errorf("%d collections, set %v", collections.Load(), set)
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
