package natsbus

import (
	"math"
	"testing"
	"time"
)

func TestReconnectDelay(t *testing.T) {
	for attempts, bounds := range map[int][2]time.Duration{
		0:             {25 * time.Millisecond, 75 * time.Millisecond},
		1:             {25 * time.Millisecond, 75 * time.Millisecond},
		2:             {50 * time.Millisecond, 150 * time.Millisecond},
		3:             {100 * time.Millisecond, 300 * time.Millisecond},
		4:             {MaxReconnectWait / 3, MaxReconnectWait},
		100:           {MaxReconnectWait / 3, MaxReconnectWait},
		math.MaxInt32: {MaxReconnectWait / 3, MaxReconnectWait},
	} {
		seen := map[time.Duration]bool{}
		for range 1000 {
			d := reconnectDelay(attempts)
			if d < bounds[0] || d > bounds[1] {
				t.Fatalf("after %d attempts: %v, want %v to %v", attempts, d, bounds[0], bounds[1])
			}
			seen[d] = true
		}
		if len(seen) < 900 {
			t.Errorf("after %d attempts: only %d different delays of 1000", attempts, len(seen))
		}
	}
}
