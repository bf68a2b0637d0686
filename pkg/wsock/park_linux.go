package wsock

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// sockets is the process's watcher.
var sockets watcher = new(epoll)

// epoll watches sockets by an instance of epoll(7) of our own, beside that of Go's runtime, which would want a goroutine for
// each of them. Its loop is a goroutine that waits for the instance itself to become readable, by the runtime's: so no thread
// is held, and an idle processor finds the loop as it finds any other goroutine. The loop is there while connections are.
type epoll struct {
	mu      sync.Mutex // guards what follows
	fd      int        // 0 before the first connection
	file    *os.File   // of fd
	rc      syscall.RawConn
	crew    *crew // nil while there is no connection
	running bool  // the loop
	slots   []slot
	free    []int32
	count   int // connections

	events [128]syscall.EpollEvent // the loop's
	ready  []*Conn
}

// slot is a connection's, of which epoll keeps number and generation for us. A slot that is used again has another generation.
type slot struct {
	conn       *Conn
	generation int32
}

// place is the slot that a connection has; the zero place is none.
type place struct{ number, generation int32 }

// EPOLLONESHOT: a socket that has become readable is not watched any more, until it is armed again.
const interest = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT

// watch implements watcher.
func (e *epoll) watch(c *Conn) error {
	at, op, err := e.placeOf(c)
	if err != nil {
		return err
	}
	return e.control(c, op, at)
}

// placeOf returns the connection's slot, and how it is told to epoll. One that has ended may have been forgotten already, and
// gets none.
func (e *epoll) placeOf(c *Conn) (at place, op int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.dead || c.cut:
		return at, 0, net.ErrClosed
	case c.place != place{}:
		return c.place, syscall.EPOLL_CTL_MOD, nil
	}
	c.place, err = e.enter(c)
	return c.place, syscall.EPOLL_CTL_ADD, err
}

// forget implements watcher. The socket itself leaves the instance when it is closed (epoll(7), "Will closing a file descriptor
// cause it to be removed"); what is still said of it is of a slot without a connection, or with another one's generation.
func (e *epoll) forget(c *Conn) {
	c.mu.Lock()
	at := c.place
	c.place = place{}
	c.mu.Unlock()
	if at == (place{}) {
		return
	}
	e.leave(at)
}

// change is a call of epoll_ctl, kept for reuse with the function that RawConn wants.
type change struct {
	epfd, op int
	event    syscall.EpollEvent
	err      error
	do       func(fd uintptr)
}

var changes = sync.Pool{New: func() any {
	h := new(change)
	h.do = func(fd uintptr) {
		h.err = syscall.EpollCtl(h.epfd, h.op, int(fd), &h.event) // #nosec G115 -- a file descriptor
	}
	return h
}}

// control changes what is watched. RawConn keeps the socket from being closed meanwhile.
func (e *epoll) control(c *Conn, op int, at place) error {
	h := changes.Get().(*change)
	defer changes.Put(h)
	h.epfd, h.op = e.fd, op // fd does not change once there was a connection
	h.event = syscall.EpollEvent{Events: interest, Fd: at.number, Pad: at.generation}
	if err := c.in.rc.Control(h.do); err != nil {
		return err
	}
	return h.err
}

// enter gives a connection a slot.
func (e *epoll) enter(c *Conn) (place, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.start(); err != nil {
		return place{}, err
	}
	e.count++
	if len(e.free) == 0 {
		e.free = append(e.free, int32(len(e.slots))) // #nosec G115 -- fewer than descriptors, which are ints of C
		e.slots = append(e.slots, slot{})
	}
	n := e.free[len(e.free)-1]
	e.free = e.free[:len(e.free)-1]
	s := &e.slots[n]
	s.generation = max(s.generation+1, 1) // never 0, also when it has gone round
	s.conn = c
	return place{n, s.generation}, nil
}

// leave takes a slot back.
func (e *epoll) leave(at place) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slots[at.number].conn = nil
	e.free = append(e.free, at.number)
	if e.count--; e.count == 0 {
		e.slots, e.free = e.slots[:0:0], nil
		e.crew.end()
		e.crew = nil
		_ = e.file.SetReadDeadline(time.Now()) // ends the loop
	}
}

// start makes what a first connection needs. mu is held.
func (e *epoll) start() error {
	if e.file == nil {
		if err := e.open(); err != nil {
			return err
		}
	}
	if e.count > 0 {
		return nil
	}
	if err := e.file.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	e.crew = new(crew)
	if !e.running {
		e.running = true
		go e.loop()
	}
	return nil
}

// open makes the instance. It stays open, without a goroutine, when the last connection has gone.
func (e *epoll) open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// What is not non-blocking, os.File would wait for in a thread.
	err = syscall.SetNonblock(fd, true)
	file := os.NewFile(uintptr(fd), "epoll")
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails if the runtime cannot wait for it
	}
	if err == nil {
		e.rc, err = file.SyscallConn()
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	e.fd, e.file = fd, file
	return nil
}

// loop wakes connections until there are none any more.
func (e *epoll) loop() {
	for {
		_ = e.rc.Read(e.wake) // ends when the deadline has passed, for there is no other error
		e.mu.Lock()
		e.running = e.count > 0 // a connection may have come meanwhile
		again := e.running
		e.mu.Unlock()
		if !again {
			return
		}
	}
}

// wake wakes the connections whose sockets are readable. It returns false, which means that the instance is to be waited
// for: the runtime notices what comes from the moment on at which it has last told us of something.
func (e *epoll) wake(fd uintptr) bool {
	for {
		n, err := syscall.EpollWait(int(fd), e.events[:], 0) // #nosec G115 -- a file descriptor
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		e.find(e.events[:max(n, 0)])
		if n < len(e.events) {
			return false
		}
	}
}

// find hands the connections of events to workers.
func (e *epoll) find(events []syscall.EpollEvent) {
	e.mu.Lock()
	workers := e.crew
	for i := range events {
		at := place{events[i].Fd, events[i].Pad}
		if int(at.number) < len(e.slots) && e.slots[at.number].generation == at.generation {
			e.ready = append(e.ready, e.slots[at.number].conn)
		}
	}
	e.mu.Unlock()
	for _, c := range e.ready {
		if c != nil && c.parked.CompareAndSwap(true, false) && !c.beat() {
			workers.do(c)
		}
	}
	clear(e.ready)
	e.ready = e.ready[:0]
}
