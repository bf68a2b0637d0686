package wsock

import (
	"os"
	"sync/atomic"
	"time"
)

// deadline is a time after processStart in nanoseconds; 0 is none.
type deadline struct{ at atomic.Int64 }

func (l *deadline) set(t time.Time) {
	if t.IsZero() {
		l.at.Store(0)
		return
	}
	l.at.Store(int64(max(t.Sub(processStart), 1)))
}

// left is how long there is left to it; ok is false if there is none.
func (l *deadline) left() (d time.Duration, ok bool) {
	at := l.at.Load()
	if at == 0 {
		return 0, false
	}
	return time.Duration(at) - time.Since(processStart), true
}

func (l *deadline) passed() bool {
	left, ok := l.left()
	return ok && left <= 0
}

// wait waits for the channel, or returns os.ErrDeadlineExceeded.
func wait(signal <-chan struct{}, end *deadline) error {
	left, ok := end.left()
	if !ok {
		<-signal
		return nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-signal:
		return nil
	case <-t.C:
		return os.ErrDeadlineExceeded
	}
}
