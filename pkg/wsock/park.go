package wsock

import (
	"slices"
	"sync"
	"time"
)

// A connection without anything to read is parked: its goroutine ends, its buffers go back, and the watcher of its socket
// has it woken. Whoever changes parked from true to false starts the goroutine that goes on reading: the watcher because
// the socket is readable, or drop because the connection has ended.
//
// A connection leaves the watcher before its socket is closed, and what the watcher still says of it afterwards is about a number
// that is not in use, or has another generation: a descriptor that the system uses again is never taken for the old one.

// watcher tells when sockets are readable.
type watcher interface {
	// watch arms the watcher for the connection: it is woken once. It fails if the socket is closed.
	watch(c *Conn) error
	// forget takes the connection out, before its socket is closed. mu of the connection is not held.
	forget(c *Conn)
}

// park leaves the connection to the watcher. It returns false if the caller must wait itself.
func (c *Conn) park() bool {
	if c.in.rc == nil || sockets == nil {
		return false
	}
	c.takeBack()         // there is nothing in it
	c.parked.Store(true) // from here on another goroutine may read
	return sockets.watch(c) == nil || !c.parked.CompareAndSwap(true, false)
}

// unpark has a connection read that is parked, to find out that it has ended.
func (c *Conn) unpark() {
	if c.parked.CompareAndSwap(true, false) {
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
