package wsock

import (
	"sync/atomic"
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

// workersKept is how many workers wait for connections to read, each for workerWait at most. More are made when they are
// needed, one for each connection: a Sink may wait.
const (
	workersKept = 64
	workerWait  = 10 * time.Second
)

// crew are goroutines that read connections which were woken. Those that are kept have the stack that reading needs.
type crew struct {
	work chan *Conn
	quit chan struct{}
	idle atomic.Int32
}

func newCrew() *crew { return &crew{work: make(chan *Conn), quit: make(chan struct{})} }

// do has the connection read. It does not wait.
func (w *crew) do(c *Conn) {
	select {
	case w.work <- c:
	default:
		go w.run(c)
	}
}

func (w *crew) run(c *Conn) {
	wait := time.NewTimer(workerWait)
	defer wait.Stop()
	for {
		c.woken()
		if w.idle.Add(1) > workersKept {
			w.idle.Add(-1)
			return
		}
		wait.Reset(workerWait)
		select {
		case c = <-w.work:
			w.idle.Add(-1)
		case <-wait.C:
			w.idle.Add(-1)
			return
		case <-w.quit:
			return
		}
	}
}
