package slots

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type noted struct {
	timer Timer
	due   []time.Duration
	start time.Time
	then  func()
}

func (n *noted) Due() {
	n.due = append(n.due, time.Since(n.start))
	if n.then != nil {
		n.then()
	}
}

func TestTimersFireAtTheEndOfTheirSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const first = 100 * time.Millisecond
		c := NewClock(first)
		for d, want := range map[time.Duration]time.Duration{
			0: first, -time.Second: first, 1: first, first: first, first + 1: 2 * first, time.Hour: time.Hour,
		} {
			n := &noted{start: time.Now()}
			c := NewClock(first)
			c.Set(&n.timer, d, n)
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if len(n.due) != 1 || n.due[0] != want {
				t.Errorf("after %v: due %v, want %v", d, n.due, want)
			}
		}
		n := &noted{start: time.Now()}
		c.Set(&n.timer, 0, n)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(n.due) != 1 || n.due[0] > first {
			t.Errorf("due %v", n.due)
		}
	})
}

func TestTimersAreSetAnewAndStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(time.Second)
		var all [5]noted
		for i := range all {
			all[i].start = time.Now()
		}
		all[0].then = func() { c.Stop(&all[4].timer) } // the later ones of a slot come first
		all[4].then = func() { c.Set(&all[4].timer, 10*time.Second, &all[4]) }
		for i := range all {
			c.Set(&all[i].timer, 10*time.Second, &all[i])
		}
		c.Stop(&all[1].timer)
		c.Stop(&all[1].timer)
		c.Set(&all[2].timer, 20*time.Second, &all[2])
		c.Set(&all[3].timer, 5*time.Second, &all[3])
		time.Sleep(time.Minute)
		synctest.Wait()
		for i, want := range [5]time.Duration{10 * time.Second, 0, 20 * time.Second, 5 * time.Second, 10 * time.Second} {
			if len(all[i].due) > 1 || (len(all[i].due) == 1) != (want > 0) || want > 0 && all[i].due[0] != want {
				t.Errorf("timer %d was due %v, want %v", i, all[i].due, want)
			}
		}
	})
}

type counted struct {
	timer Timer
	n     *atomic.Int64
}

func (c *counted) Due() { c.n.Add(1) }

func TestManyTimersAtOnce(t *testing.T) {
	c := NewClock(time.Millisecond)
	var fired atomic.Int64
	var wg sync.WaitGroup
	const each = 500
	var kept atomic.Int64
	for range 4 {
		wg.Go(func() {
			timers := make([]counted, each)
			for i := range timers {
				timers[i].n = &fired
				c.Set(&timers[i].timer, time.Hour, &timers[i])
			}
			for i := range timers {
				if rand.N(3) == 0 {
					c.Stop(&timers[i].timer)
					continue
				}
				kept.Add(1)
				c.Set(&timers[i].timer, rand.N(20*time.Millisecond), &timers[i])
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(10 * time.Second); fired.Load() != kept.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d have fired, want %d", fired.Load(), kept.Load())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for slot, first := range c.first {
		if first != nil {
			t.Errorf("slot %d has timers left", slot)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	c := NewClock(250 * time.Millisecond)
	var fired atomic.Int64
	timers := make([]counted, 10000)
	for i := range timers {
		timers[i].n = &fired
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Set(&timers[i%len(timers)].timer, 25*time.Second, &timers[i%len(timers)])
		i++
	}
	for i := range timers {
		c.Stop(&timers[i].timer)
	}
}

// The runtime's timer may fire again while tasks are being done: no timer is lost.
func TestTwoFiresAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(time.Hour)
		var first, later Timer
		second := make(chan struct{})
		done := false
		c.Set(&first, time.Hour, taskFunc(func() {
			go func() {
				c.fire()
				close(second)
			}()
			<-second
		}))
		c.Set(&later, 5*time.Hour, taskFunc(func() { done = true }))
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if !done {
			t.Error("a timer is lost")
		}
	})
}

type taskFunc func()

// Due implements Task.
func (f taskFunc) Due() { f() }
