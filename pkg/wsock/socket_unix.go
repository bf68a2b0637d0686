//go:build unix

package wsock

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// plainSockets says that sockets are read and written by system calls of our own.
const plainSockets = true

// attempt is one system call on a socket, kept for reuse with the functions that RawConn wants.
type attempt struct {
	buf         []byte
	in          *input
	wait        bool
	n           int
	err         error
	write, read func(fd uintptr) bool
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.write, a.read = a.tryWrite, a.tryRead
	return a
}}

// tryWrite writes once and never waits.
func (a *attempt) tryWrite(fd uintptr) bool {
	a.n, a.err = retry(syscall.Write, fd, a.buf)
	return true
}

// retry makes a system call on a descriptor, again if a signal has interrupted it.
func retry[B any](call func(fd int, b B) (int, error), fd uintptr, b B) (int, error) {
	for {
		n, err := call(int(fd), b) // #nosec G115 -- a file descriptor
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// tryRead reads once, when nothing is left of an earlier read: false means that there is nothing yet and that it is to be
// waited for, without the buffer.
func (a *attempt) tryRead(fd uintptr) bool {
	in := a.in
	in.buf = inputBuffers.Get().(*[inputBuffer]byte)
	a.n, a.err = retry(syscall.Read, fd, in.buf[:])
	in.full = a.n == inputBuffer || a.n > 0 && in.more.Load()
	if a.n > 0 {
		in.data = in.buf[:a.n]
		return true
	}
	in.release()
	if errors.Is(a.err, syscall.EAGAIN) {
		if a.wait {
			return false
		}
		a.err = nil
		return true
	}
	if a.err == nil {
		a.err = io.EOF
	}
	return true
}

// read reads more from a plain socket. Without wait it may have read nothing.
func (in *input) read(wait bool) error {
	a := attempts.Get().(*attempt)
	a.in, a.wait = in, wait
	err := in.rc.Read(a.read)
	if err == nil {
		err = a.err
	}
	a.in, a.n, a.err = nil, 0, nil
	attempts.Put(a)
	return err
}

const corkKeep = 64 << 10

// write writes the frames to a plain socket in one system call, without waiting. rest is what the kernel did not take, in a
// buffer of its own.
func write(rc syscall.RawConn, frames []Frame) (rest []byte, err error) {
	a := attempts.Get().(*attempt)
	defer attempts.Put(a)
	cork := a.buf[:0]
	whole := cork
	if len(frames) == 1 {
		whole = frames[0]
	} else {
		for _, f := range frames {
			whole = append(whole, f...)
		}
		if cap(whole) <= corkKeep {
			cork = whole
		}
	}
	a.buf = whole
	err = rc.Write(a.write)
	if err == nil {
		err = a.err
	}
	n := max(a.n, 0)
	a.buf, a.n, a.err = cork[:0], 0, nil
	if errors.Is(err, syscall.EAGAIN) {
		n, err = 0, nil
	}
	if err != nil || n == len(whole) {
		return nil, err
	}
	return append([]byte(nil), whole[n:]...), nil
}
