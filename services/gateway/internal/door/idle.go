package door

import (
	"sync"
	"sync/atomic"
	"time"

	"signalling/api/client"
	"signalling/pkg/limit"
	"signalling/pkg/slots"
	"signalling/services/gateway/internal/hub"
)

// idle closes a client that sends no command: from the beginning, or while it is in no room.
type idle struct {
	clock   *slots.Clock
	limits  *Limits
	session *atomic.Pointer[hub.Session]
	began   time.Duration
	last    atomic.Int64 // when the last command came, in ns of limit.Now; 0 before the first

	mu    sync.Mutex // guards what follows
	timer slots.Timer
	over  bool // nothing is to happen any more, also if the timer has just fired
}

func startIdle(clock *slots.Clock, l *Limits, s *atomic.Pointer[hub.Session]) *idle {
	i := &idle{clock: clock, limits: l, session: s, began: limit.Now()}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.after(i.deadline() - i.began)
	return i
}

// deadline is when the client is to be closed unless a command comes.
func (i *idle) deadline() time.Duration {
	last := time.Duration(i.last.Load())
	switch {
	case last == 0 && i.limits.FirstCommand > 0:
		return i.began + i.limits.FirstCommand
	case i.limits.Idle == 0:
		return 0
	}
	return max(last, i.began) + i.limits.Idle
}

// after sets the timer. mu is held.
func (i *idle) after(d time.Duration) { i.clock.Set(&i.timer, d, i) }

// Due implements slots.Task.
func (i *idle) Due() {
	i.mu.Lock()
	defer i.mu.Unlock()
	deadline, now := i.deadline(), limit.Now()
	switch {
	case i.over || deadline == 0:
	case now < deadline:
		i.after(deadline - now)
	case i.last.Load() != 0 && i.session.Load().Rooms() > 0:
		i.after(i.limits.Idle) // it waits for others
	default:
		i.limits.Count(KindIdle)
		i.session.Load().Close(client.CloseIdle)
	}
}

// seen notes a command. Like stop it does nothing for nil.
func (i *idle) seen(now time.Duration) {
	if i != nil {
		i.last.Store(int64(now))
	}
}

func (i *idle) stop() {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
	i.clock.Stop(&i.timer)
}
