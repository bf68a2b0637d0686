package wsock

import (
	"sync"
	"time"
)

// To wake a parked connection takes another goroutine, and at a low rate another thread to run it. So a connection that is
// woken often is lively: its goroutine stays and waits for what comes next, until nothing has come for a while.
const (
	livelyWakes = 4               // so many wakes
	livelyTime  = time.Second     // within this time make a connection lively
	livelyCheck = 2 * time.Second // the time after which it is asked whether anything has come meanwhile
)

// pace is how often a connection is woken. It is the reading goroutine's.
type pace struct {
	since time.Duration // of the first of the wakes
	wakes uint8
}

var processStart = time.Now()

// woken counts a wake, and reports whether there are many.
func (p *pace) woken() bool {
	now := time.Since(processStart)
	if p.wakes == 0 || now-p.since > livelyTime {
		*p = pace{since: now}
	}
	p.wakes++
	return p.wakes >= livelyWakes
}

// stay makes the connection lively.
func (c *Conn) stay() {
	c.pace = pace{}
	if c.lively = c.own.joinRuntime(); c.lively {
		c.watched = false
		lively.add(c)
	}
}

// calm is called when the wait of a lively connection was ended by the deadline that says so. It returns the error of any
// other deadline.
func (c *Conn) calm(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut || !c.lively {
		return err
	}
	c.lively = false
	c.own.leaveRuntime()
	return c.nc.SetReadDeadline(time.Time{})
}

// livelies are the lively connections of the process.
type livelies struct {
	mu    sync.Mutex // guards what follows
	conns map[*Conn]struct{}
}

var lively livelies

func (l *livelies) add(c *Conn) {
	c.heardOf.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) == 0 {
		l.conns = make(map[*Conn]struct{})
		time.AfterFunc(livelyCheck, l.check)
	}
	l.conns[c] = struct{}{}
}

// check ends the waits of connections from which nothing has come since the last check.
func (l *livelies) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		if c.heardOf.Swap(false) {
			continue
		}
		delete(l.conns, c)
		c.rouse()
	}
	if len(l.conns) > 0 {
		time.AfterFunc(livelyCheck, l.check)
	}
}

// rouse ends the wait of a lively connection.
func (c *Conn) rouse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut {
		_ = c.nc.SetReadDeadline(time.Now()) // fails if it has ended, which its reader finds out
	}
}
