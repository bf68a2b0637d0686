package limit

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRates(t *testing.T) {
	for text, want := range map[string]Rate{
		"20": {20, 20}, "20:200": {20, 200}, "0": {}, "0:0": {}, "256KiB:4MiB": {256 << 10, 4 << 20}, "1:1": {1, 1},
		"0.1:5": {0.1, 5}, "1.5:1": {1.5, 1}, "0.001:1099511627776": {0.001, 1 << 40},
	} {
		var r, again Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
			t.Errorf("%s is written as %s", text, r)
		}
	}
	for _, text := range []string{"", "x", "-1", "1:", ":1", "1:0", "0:1", "1:2:3", "1.5", "1:1.5", "0.0001:1", "NaN:1", "Inf:1", "-0.5:1", "1e99:1", "99999999999999999999", "2000GiB"} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %+v", text, r)
		}
	}
}

func TestABucket(t *testing.T) {
	l := New(Rate{PerSecond: 10, Burst: 3})
	var b Bucket
	take := func(at time.Duration, n int, want time.Duration) {
		t.Helper()
		if got := l.Take(&b, at, n); got != want {
			t.Errorf("%d at %v: wait %v, want %v", n, at, got, want)
		}
	}
	const ms = time.Millisecond
	now := 5 * time.Second // whatever the clock says
	for range 3 {
		take(now, 1, 0)
	}
	take(now, 1, 100*ms)
	take(now, 2, 200*ms)
	take(now+99*ms, 1, ms)
	take(now+100*ms, 1, 0)
	take(now+100*ms, 1, 100*ms)
	if b.Full(now+399*ms) || !b.Full(now+400*ms) {
		t.Error("it is full when the burst is back")
	}
	take(now+time.Minute, 3, 0)
	take(now+time.Minute, 1, 100*ms)
	take(now+2*time.Minute, 50, 0) // more than it ever holds: let through once it is full
	take(now+2*time.Minute+4900*ms, 1, 0)
	take(now+2*time.Minute+4700*ms, 1, 200*ms)
}

func TestOff(t *testing.T) {
	l := New(Rate{})
	var b Bucket
	for range 1000 {
		if l.Take(&b, 0, 1<<30) != 0 || !l.Off() || !b.Full(0) {
			t.Fatal("no limit limits")
		}
	}
}

// A new bucket is full by the clock, also in a bubble.
func TestTheClockIsPositive(t *testing.T) {
	if Now() <= 0 {
		t.Error(Now())
	}
	synctest.Test(t, func(t *testing.T) {
		if Now() <= 0 {
			t.Error(Now())
		}
	})
}

// Over a long time the rate is what it says, however often is tried.
func TestTheRateIsKept(t *testing.T) {
	for _, r := range []Rate{{0.5, 2}, {1, 1}, {7, 100}, {1000, 10}, {1 << 20, 1 << 22}} {
		l := New(r)
		var b Bucket
		size := int(max(r.PerSecond/1000, 1))
		taken := int64(0)
		const seconds = 20
		for now := time.Duration(0); now < seconds*time.Second; now += 100 * time.Microsecond {
			if l.Take(&b, now, size) == 0 {
				taken += int64(size)
			}
		}
		if want := int64(r.PerSecond*seconds) + r.Burst; taken > want+int64(size) || taken < want*98/100-int64(size) {
			t.Errorf("%v: %d in %d s, want %d", r, taken, seconds, want)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	l := New(Rate{PerSecond: 100, Burst: 1000})
	var bucket Bucket
	b.ReportAllocs()
	for b.Loop() {
		l.Take(&bucket, Now(), 1)
	}
}
