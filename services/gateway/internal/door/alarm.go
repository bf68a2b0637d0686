package door

import (
	"sync"
	"time"
)

// alarm is a client's timer, which ends with it.
type alarm struct {
	mu    sync.Mutex // guards what follows, and the fields of an expiry
	timer *time.Timer
	// over: nothing is to happen any more, also if the timer has just fired.
	over bool
}

func (a *alarm) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.timer != nil {
		a.timer.Stop()
	}
}
