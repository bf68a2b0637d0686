package wsock

import (
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// A connection without anything to read is parked: its goroutine ends, its buffers go back, and the watcher of its socket
// has it woken. Whoever changes its state from parked has it read on, by another goroutine or by one that waits: the watcher
// because the socket is readable, or Drop because the connection has ended.
//
// The watcher tells of what comes once, also while the connection is read. Then it may be that the reader has just looked, so it
// looks again before it parks.
//
// A connection leaves the watcher before its socket is closed, and what the watcher still says of it afterwards is about a number
// that is not in use, or has another generation: a descriptor that the system uses again is never taken for the old one.

// ownSocket is a connection that is not the runtime's to wait for, but the watcher's.
type ownSocket interface {
	// watch has the watcher tell what comes from now on, or has come already. It fails if the connection has ended.
	watch() error
	// joinRuntime has the runtime wait for it, until leaveRuntime, instead of the watcher. It returns false if it does not.
	joinRuntime() bool
	leaveRuntime()
	// writev writes all, and takes what is written from out. It waits while the peer takes nothing, until the write deadline.
	writev(out *net.Buffers) (int64, error)
}

// The states of a connection.
const (
	reading      int32 = iota
	readingAgain       // something may have come since it was read
	parked
	awaited // its goroutine waits for wake
)

// park leaves the connection to the watcher. If it does not, the caller must go on reading, and wait for what comes if wait.
func (c *Conn) park() (done, wait bool) {
	if c.own == nil {
		return false, true
	}
	c.takeBack() // there is nothing in it
	c.wake = nil
	done, err := c.leave(parked)
	return done, err != nil
}

// await waits until something may have come.
func (c *Conn) await(end *deadline) error {
	if c.wake == nil {
		c.wake = make(chan struct{}, 1)
	}
	done, err := c.leave(awaited)
	if !done || wait(c.wake, end) == nil {
		return err
	}
	if c.state.CompareAndSwap(awaited, reading) {
		return os.ErrDeadlineExceeded
	}
	<-c.wake // somebody is about to send
	return nil
}

// leave makes the connection one that is parked or awaited: from then on others may have it read. done is false if it is the
// caller's still.
func (c *Conn) leave(as int32) (done bool, err error) {
	first := !c.watched
	c.watched = true
	switch {
	case !c.state.CompareAndSwap(reading, as):
		c.state.Store(reading)
	case !first:
		return true, nil
	default:
		if err = c.own.watch(); err == nil || !c.state.CompareAndSwap(as, reading) {
			return true, nil
		}
	}
	c.watched = !first
	return false, err
}

// readable tells of the connection that there is something to find out. It returns true if the caller is to have it read.
func (c *Conn) readable() bool {
	for {
		s := c.state.Load()
		next := reading
		if s == reading {
			next = readingAgain
		}
		switch {
		case s == readingAgain:
			return false
		case !c.state.CompareAndSwap(s, next):
			continue
		case s == awaited:
			c.wake <- struct{}{} // which is empty
		}
		return s == parked
	}
}

// unpark has it found out that the connection has ended, or may not be read now.
func (c *Conn) unpark() {
	if c.readable() {
		go c.woken()
	}
}

// workersKept is how many workers wait for connections to read, and workerWait how long those wait about which are not needed.
// More are made when they are needed, one for each connection: a Sink may wait.
const (
	workersKept = 64
	workerWait  = 5 * time.Second
)

// crew are goroutines that read connections which were woken. Those that are kept have the stack that reading needs; the one
// that was busy last is the next, so that few are used where few are needed.
type crew struct {
	mu    sync.Mutex // guards what follows
	idle  []worker   // the first has waited longest
	least int        // how many were idle at any time since dismiss was called
	check *time.Timer
	over  bool
}

// worker is where a goroutine waits.
type worker chan *Conn

// do has the connection read. It does not wait.
func (w *crew) do(c *Conn) {
	w.mu.Lock()
	n := len(w.idle) - 1
	if n < 0 {
		w.mu.Unlock()
		go w.run(c)
		return
	}
	next := w.idle[n]
	w.idle, w.least = w.idle[:n], min(w.least, n)
	w.mu.Unlock()
	next <- c // which is empty
}

func (w *crew) run(c *Conn) {
	me := make(worker, 1)
	for ok := true; ok; {
		c.woken()
		if !w.wait(me) {
			return
		}
		c, ok = <-me
	}
}

// wait enters a worker among those that are idle. It returns false if there are enough.
func (w *crew) wait(me worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || len(w.idle) == workersKept {
		return false
	}
	w.idle = append(w.idle, me)
	if w.check == nil {
		w.check = time.AfterFunc(workerWait, w.dismiss)
	}
	return true
}

// dismiss lets those go that were idle for as long as workerWait.
func (w *crew) dismiss() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.letGo(w.least)
	w.check = nil
	if len(w.idle) > 0 {
		w.check = time.AfterFunc(workerWait, w.dismiss)
	}
}

// letGo ends the first n that are idle. mu is held.
func (w *crew) letGo(n int) {
	for _, idle := range w.idle[:n] {
		close(idle)
	}
	w.idle = slices.Delete(w.idle, 0, n)
	w.least = len(w.idle)
}

// end lets the idle workers go, and the others when they have done.
func (w *crew) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.letGo(len(w.idle))
	if w.check != nil {
		w.check.Stop()
	}
}
