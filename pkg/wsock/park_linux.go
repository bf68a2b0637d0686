package wsock

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// sockets is the process's watcher.
var sockets epoll

// epoll watches sockets by an instance of epoll(7) of our own, beside that of Go's runtime, which would want a goroutine for
// each of them. Its loop is a goroutine that waits by the runtime's: so no thread is held, and an idle processor finds the loop
// as it finds any other goroutine. The loop is there while connections are.
//
// Between the two instances lies a third, the gate, which the runtime watches and which watches ours. The loop shuts it while it
// is at work, or the runtime would be woken for each socket.
type epoll struct {
	mu      sync.Mutex // guards what follows
	fd      int        // 0 before the first connection
	gate    *os.File
	rc      syscall.RawConn // of the gate
	crew    *crew           // nil while there is no connection
	running bool            // the loop
	slots   []slot
	free    []int32
	count   int // connections

	generation int32 // of the newest connection

	events [128]syscall.EpollEvent // the loop's
	ready  []found
}

// slot is a connection's, of which epoll keeps number and generation for us. Each connection has a generation of its own.
type slot struct {
	conn       *detached
	generation int32
}

// place is the slot that a connection has; the zero place is none.
type place struct{ number, generation int32 }

// What epoll tells of a socket: what has come, the peer's end, and urgent data, which divides what is read, each once (EPOLLET).
// edge is syscall.EPOLLET, which is a negative number there.
const (
	edge    = 1 << 31
	arrival = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLPRI
	room    = syscall.EPOLLOUT
)

// watch implements ownSocket.
func (d *detached) watch() error { return d.tell(arrival, 0) }

// tell has more events told, and others not. What is the case already is told at once.
func (d *detached) tell(more, less uint32) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	op := syscall.EPOLL_CTL_MOD
	if d.place == (place{}) {
		op = syscall.EPOLL_CTL_ADD
		if d.place, err = sockets.enter(d); err != nil {
			return err
		}
	}
	d.interest = d.interest&^less | more
	e := syscall.EpollEvent{Events: d.interest | edge, Fd: d.place.number, Pad: d.place.generation}
	controlErr := d.Control(func(fd uintptr) { err = syscall.EpollCtl(sockets.fd, op, int(fd), &e) }) // #nosec G115 -- a file descriptor
	if err = errors.Join(err, controlErr); err != nil && op == syscall.EPOLL_CTL_ADD {
		d.unwatch()
	}
	return err
}

// unwatch takes the connection out of the watcher. The socket itself leaves the instance when it is closed (epoll(7), "Will closing a
// file descriptor cause it to be removed"); what is still said of it is of a slot without a connection, or with another one's
// generation. mu is held.
func (d *detached) unwatch() {
	if d.place != (place{}) {
		sockets.leave(d.place)
		d.place = place{}
	}
}

// enter gives a connection a slot.
func (e *epoll) enter(d *detached) (place, error) {
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
	e.generation = max(e.generation+1, 1) // never 0, also when it has gone round
	s.generation, s.conn = e.generation, d
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
		_ = e.gate.SetReadDeadline(time.Now()) // ends the loop
	}
}

// start makes what a first connection needs. mu is held.
func (e *epoll) start() error {
	if e.gate == nil {
		if err := e.open(); err != nil {
			return err
		}
	}
	if e.count > 0 {
		return nil
	}
	if err := e.gate.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	e.crew = new(crew)
	if !e.running {
		e.running = true
		go e.loop()
	}
	return nil
}

// open makes the instances. They stay open, without a goroutine, when the last connection has gone.
func (e *epoll) open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	gate, rc, err := openGate(fd)
	if err != nil {
		return errors.Join(err, syscall.Close(fd))
	}
	e.fd, e.gate, e.rc = fd, gate, rc
	return nil
}

// openGate makes the gate of an instance, open.
func openGate(fd int) (*os.File, syscall.RawConn, error) {
	gate, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("epoll_create1", err)
	}
	// What is not non-blocking, os.File would wait for in a thread.
	err = syscall.SetNonblock(gate, true)
	file := os.NewFile(uintptr(gate), "epoll")
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails if the runtime cannot wait for it
	}
	if err == nil {
		err = gateControl(gate, syscall.EPOLL_CTL_ADD, fd)
	}
	rc, connErr := file.SyscallConn()
	if err = errors.Join(err, connErr); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, rc, nil
}

// gateControl opens the gate: it becomes readable once, when the instance does or if it is.
func gateControl(gate, op, fd int) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLONESHOT}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(gate, op, fd, &event))
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

// nap is how long the loop waits for more answers to heartbeats. Heartbeats are sent many at once (slots.Clock), and their
// answers come one by one: waking for each of them would cost more than reading it. What else comes meanwhile, to a connection
// that is parked, waits too.
const nap = time.Millisecond

// wake wakes the connections whose sockets are readable. It returns false, which means that the gate is to be waited for: the
// runtime notices what comes from the moment on at which it has last told us of something.
func (e *epoll) wake(gate uintptr) bool {
	_, _ = syscall.EpollWait(int(gate), e.events[:1], 0) // shuts it
	for e.round() {
	}
	_ = gateControl(int(gate), syscall.EPOLL_CTL_MOD, e.fd) // #nosec G115 -- a file descriptor
	return false
}

// round wakes some connections. It returns true if there may be more, now or after the nap that it has taken.
func (e *epoll) round() bool {
	n, err := syscall.EpollWait(e.fd, e.events[:], 0)
	if errors.Is(err, syscall.EINTR) {
		return true
	}
	beats := e.find(e.events[:max(n, 0)])
	if n == len(e.events) {
		return true
	}
	if n <= 0 || !beats {
		return false
	}
	time.Sleep(nap) //nolint:forbidigo // nothing tells how many are still to come
	return true
}

// found is a connection of which something is told.
type found struct {
	conn   *detached
	events uint32
}

// find hands the connections of events to workers. It reports whether there was nothing but answers to heartbeats.
func (e *epoll) find(events []syscall.EpollEvent) (beats bool) {
	e.mu.Lock()
	workers := e.crew
	for i := range events {
		at := place{events[i].Fd, events[i].Pad}
		if int(at.number) < len(e.slots) && e.slots[at.number].generation == at.generation && e.slots[at.number].conn != nil {
			e.ready = append(e.ready, found{e.slots[at.number].conn, events[i].Events})
		}
	}
	e.mu.Unlock()
	beats = true
	for _, f := range e.ready {
		beats = f.dealt(workers) && beats // it must be called
	}
	clear(e.ready)
	e.ready = e.ready[:0]
	return beats
}

// dealt has the connection read or written. It reports whether it was an answer to a heartbeat, which is dealt with then.
func (f found) dealt(workers *crew) (beat bool) {
	c := f.conn.c
	if f.events&^arrival != 0 {
		f.conn.roomy()
	}
	if f.events&^(syscall.EPOLLIN|room) != 0 {
		c.in.more.Store(true)
	}
	if f.events == room || !c.readable() {
		return false
	}
	if beat = c.beat(); !beat {
		workers.do(c)
	}
	return beat
}
