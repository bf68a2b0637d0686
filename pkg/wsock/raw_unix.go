//go:build unix

package wsock

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// rawWriter writes to a socket without waiting. Connections that are no plain sockets (TLS, pipes) have none; theirs are
// written by a goroutine. A plain socket is what gives out its descriptor, as a type that embeds *net.TCPConn does.
type rawWriter struct{ rc syscall.RawConn }

func newRawWriter(nc net.Conn) rawWriter {
	if sc, ok := nc.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			return rawWriter{rc}
		}
	}
	return rawWriter{}
}

func (w rawWriter) usable() bool { return w.rc != nil }

// attempt is one write, kept for reuse with the function that RawConn wants.
type attempt struct {
	buf []byte
	n   int
	err error
	try func(fd uintptr) bool
}

const corkKeep = 64 << 10

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.try = func(fd uintptr) bool {
		for {
			a.n, a.err = syscall.Write(int(fd), a.buf) // #nosec G115 -- a file descriptor
			if !errors.Is(a.err, syscall.EINTR) {
				return true // never wait
			}
		}
	}
	return a
}}

// write writes the frames in one system call. rest is what the kernel did not take, in a buffer of its own.
func (w rawWriter) write(frames []Frame) (rest []byte, err error) {
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
	err = w.rc.Write(a.try)
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
