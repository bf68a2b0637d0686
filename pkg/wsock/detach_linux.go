package wsock

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// detached is a TCP connection that has left the epoll instance of Go's runtime: whatever comes would wake that too, and for
// nothing, beside our own. It is read and written by system calls that do not wait; who has to wait is woken by our instance.
// It is the net.Conn and the syscall.RawConn of its Conn.
type detached struct {
	net.Conn // closed already but for what a listener keeps of it
	c        *Conn
	fd       int
	uses     atomic.Int64 // of fd, and closedBit
	readEnd  deadline
	writeEnd deadline

	mu       sync.Mutex // guards what follows, and is held while the watcher is told of interest
	place    place      // the watcher's
	interest uint32     // what is watched
	room     chan struct{}

	attaching sync.Mutex // is held while ear is changed, or told of a deadline
	ear       atomic.Pointer[ear]
}

// detach takes the connection out of the runtime's instance, if it can be.
func (c *Conn) detach() {
	tcp := underlying(c.nc)
	if tcp == nil || c.in.rc == nil {
		return
	}
	fd, err := duplicate(c.in.rc.Control)
	if err != nil {
		return
	}
	d := &detached{Conn: c.nc, c: c, fd: fd}
	_ = tcp.Close() // which the runtime forgets then; the connection goes on in ours
	c.nc, c.own, c.in.rc = d, d, rawDetached{d}
}

// duplicate returns another descriptor of a socket, by its Control.
func duplicate(control func(f func(fd uintptr)) error) (fd int, err error) {
	controlErr := control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(controlErr, err)
}

// underlying is the TCP connection of one that may be wrapped, nil if there is none.
func underlying(nc net.Conn) *net.TCPConn {
	for {
		switch c := nc.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }:
			nc = c.NetConn()
		default:
			return nil
		}
	}
}

// closedBit of uses: fd is closed when nobody uses it any more.
const closedBit = 1 << 32

// use keeps fd from being closed, until done is called. It returns false if it is, or will be.
func (d *detached) use() bool { return d.enter(1) }

// enter adds to uses, unless they have ended.
func (d *detached) enter(n int64) bool {
	for {
		uses := d.uses.Load()
		if uses&closedBit != 0 {
			return false
		}
		if d.uses.CompareAndSwap(uses, uses+n) {
			return true
		}
	}
}

func (d *detached) done() {
	if d.uses.Add(-1) == closedBit {
		_ = syscall.Close(d.fd)
	}
}

// Close implements net.Conn. It ends the waits of Read and Write, and has a parked connection read, which then finds the end.
func (d *detached) Close() error {
	if !d.enter(1 + closedBit) {
		return net.ErrClosed
	}
	d.mu.Lock()
	d.unwatch() // before the descriptor may be another's; it cannot come back
	d.mu.Unlock()
	d.done()
	d.leaveRuntime()
	d.c.unpark()
	d.roomy()
	_ = d.Conn.Close() // for who has wrapped it
	return nil
}

// broken is why nothing can be read now, whatever comes.
func (d *detached) broken() error {
	switch {
	case d.uses.Load()&closedBit != 0:
		return net.ErrClosed
	case d.readEnd.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Control implements syscall.RawConn.
func (d *detached) Control(f func(fd uintptr)) error {
	if !d.use() {
		return net.ErrClosed
	}
	defer d.done()
	f(uintptr(d.fd))
	return nil
}

// rawDetached is the syscall.RawConn of a connection.
type rawDetached struct{ *detached }

// Read implements syscall.RawConn.
func (r rawDetached) Read(f func(fd uintptr) bool) error {
	d := r.detached
	for {
		if err := d.broken(); err != nil {
			return err
		}
		if e := d.ear.Load(); e != nil {
			return e.read(f)
		}
		if !d.use() {
			return net.ErrClosed
		}
		done := f(uintptr(d.fd))
		d.done()
		if done {
			return nil
		}
		if err := d.c.await(&d.readEnd); err != nil {
			return err
		}
	}
}

// Write implements syscall.RawConn, for an f that does not wait.
func (r rawDetached) Write(f func(fd uintptr) bool) error {
	return r.Control(func(fd uintptr) { f(fd) })
}

// Read implements net.Conn.
func (d *detached) Read(p []byte) (n int, err error) {
	rawErr := rawDetached{d}.Read(func(fd uintptr) bool {
		n, err = retry(syscall.Read, fd, p)
		return !errors.Is(err, syscall.EAGAIN)
	})
	switch {
	case rawErr != nil:
		return 0, rawErr
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (d *detached) Write(p []byte) (int, error) {
	n, err := d.writev(&net.Buffers{p})
	return int(n), err
}

// maxPieces is how many pieces the system takes at once (writev(2), IOV_MAX).
const maxPieces = 1024

// writev implements ownSocket.
func (d *detached) writev(out *net.Buffers) (written int64, err error) {
	for len(*out) > 0 {
		if d.writeEnd.passed() {
			return written, os.ErrDeadlineExceeded
		}
		var n int
		pieces := [][]byte((*out)[:min(len(*out), maxPieces)])
		controlErr := d.Control(func(fd uintptr) { n, err = retry(unix.Writev, fd, pieces) })
		switch {
		case controlErr != nil:
			return written, controlErr
		case errors.Is(err, syscall.EAGAIN):
			if err = d.awaitRoom(); err != nil {
				return written, err
			}
		case err != nil:
			return written, os.NewSyscallError("writev", err)
		default:
			written += int64(n)
			consume(out, n)
		}
	}
	return written, nil
}

// consume takes n bytes from the buffers.
func consume(out *net.Buffers, n int) {
	for len(*out) > 0 && n >= len((*out)[0]) {
		n -= len((*out)[0])
		(*out)[0] = nil
		*out = (*out)[1:]
	}
	if n > 0 {
		(*out)[0] = (*out)[0][n:]
	}
}

// awaitRoom waits until the system may take more, or Close.
func (d *detached) awaitRoom() error {
	d.mu.Lock()
	if d.room == nil {
		d.room = make(chan struct{}, 1)
	}
	wakes := d.room
	d.mu.Unlock()
	if err := d.tell(room, 0); err != nil { // it tells if there is room already
		return err
	}
	return wait(wakes, &d.writeEnd)
}

// roomy ends the wait of awaitRoom.
func (d *detached) roomy() {
	d.mu.Lock()
	wakes := d.room
	d.mu.Unlock()
	if wakes != nil {
		select {
		case wakes <- struct{}{}:
		default:
		}
	}
}

// CloseWrite ends the stream to the peer, as that of net.TCPConn does.
func (d *detached) CloseWrite() (err error) {
	controlErr := d.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_WR) }) // #nosec G115 -- a file descriptor
	return errors.Join(controlErr, os.NewSyscallError("shutdown", err))
}

// SetDeadline implements net.Conn.
func (d *detached) SetDeadline(t time.Time) error {
	d.writeEnd.set(t)
	return d.SetReadDeadline(t)
}

// SetReadDeadline implements net.Conn. A Read that waits already notices only a time that has passed.
func (d *detached) SetReadDeadline(t time.Time) error {
	d.readEnd.set(t)
	d.attaching.Lock()
	defer d.attaching.Unlock()
	if e := d.ear.Load(); e != nil {
		return e.file.SetReadDeadline(t)
	}
	if d.readEnd.passed() {
		d.c.unpark()
	}
	return nil
}

// SetWriteDeadline implements net.Conn. It is for what is written afterwards.
func (d *detached) SetWriteDeadline(t time.Time) error {
	d.writeEnd.set(t)
	return nil
}
