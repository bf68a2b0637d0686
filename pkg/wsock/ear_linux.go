package wsock

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ear is another descriptor of a socket, by which the runtime waits for it: for a lively connection, whose goroutine is woken
// by that at less cost.
type ear struct {
	file *os.File
	rc   syscall.RawConn
}

// ears is how many there are, and maxEars how many there may be: most descriptors are for connections.
var (
	ears    atomic.Int64
	maxEars = sync.OnceValue(func() int64 {
		const share = 20
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return 0
		}
		return int64(limit.Cur / share) // #nosec G115 -- a share of it
	})
)

// joinRuntime implements ownSocket.
func (d *detached) joinRuntime() bool {
	if ears.Add(1) > maxEars() {
		ears.Add(-1)
		return false
	}
	e := d.newEar()
	if e == nil || !d.take(e) {
		ears.Add(-1)
		return false
	}
	_ = d.tell(0, arrival) // fails if it has ended, which the runtime tells, too
	return true
}

// take makes the ear the one that is read by, unless the connection may not be read.
func (d *detached) take(e *ear) bool {
	d.attaching.Lock()
	defer d.attaching.Unlock()
	if d.broken() != nil {
		_ = e.file.Close()
		return false
	}
	d.ear.Store(e)
	return true
}

// newEar returns nil if there are no descriptors left.
func (d *detached) newEar() *ear {
	fd, err := duplicate(d.Control)
	if err != nil {
		return nil
	}
	e := &ear{file: os.NewFile(uintptr(fd), "socket")}         // #nosec G115 -- a file descriptor
	if err = e.file.SetReadDeadline(time.Time{}); err == nil { // fails if the runtime cannot wait for it
		e.rc, err = e.file.SyscallConn()
	}
	if err != nil {
		_ = e.file.Close()
		return nil
	}
	return e
}

func (e *ear) read(f func(fd uintptr) bool) error {
	err := e.rc.Read(f)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return net.ErrClosed // there is no other error, and this one has no name of the kind
	}
	return err
}

// leaveRuntime implements ownSocket.
func (d *detached) leaveRuntime() {
	d.attaching.Lock()
	defer d.attaching.Unlock()
	if e := d.ear.Swap(nil); e != nil {
		_ = e.file.Close() // no more than what the runtime knows of it
		ears.Add(-1)
	}
}
