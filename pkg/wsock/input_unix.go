//go:build unix

package wsock

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// inputBuffer is how much is read from a socket at once.
const inputBuffer = 16 << 10

var inputBuffers = sync.Pool{New: func() any { return new([inputBuffer]byte) }}

// input reads from a socket with few system calls and little memory: it waits without a buffer, takes one when there is
// something to read, and gives it back when all of it is consumed. A frame, and the frames behind it, come with one call.
type input struct {
	rc      syscall.RawConn // nil for what is no plain socket (TLS, pipes): read directly then
	attempt func(fd uintptr) bool
	buf     *[inputBuffer]byte
	r, w    int
	err     error
}

func (in *input) init(nc net.Conn) {
	if sc, ok := nc.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err == nil {
			in.rc, in.attempt = rc, in.try
		}
	}
}

func (in *input) empty() bool { return in.buf == nil }

// take hands out what is buffered.
func (in *input) take(p []byte) int {
	n := copy(p, in.buf[in.r:in.w])
	if in.r += n; in.r == in.w {
		in.release()
	}
	return n
}

func (in *input) release() {
	inputBuffers.Put(in.buf)
	in.buf, in.r, in.w = nil, 0, 0
}

// read waits until there is something to read.
func (in *input) read(nc net.Conn, p []byte) (int, error) {
	if in.rc == nil {
		return nc.Read(p)
	}
	in.err = nil
	if err := in.rc.Read(in.attempt); err != nil {
		return 0, err
	}
	if in.err != nil {
		return 0, in.err
	}
	return in.take(p), nil
}

// try reads once, without waiting: false means that there is nothing yet.
func (in *input) try(fd uintptr) bool {
	in.buf = inputBuffers.Get().(*[inputBuffer]byte)
	n, err := syscall.Read(int(fd), in.buf[:]) // #nosec G115 -- a file descriptor
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), in.buf[:]) // #nosec G115 -- a file descriptor
	}
	if n > 0 {
		in.w = n
		return true
	}
	in.release()
	if errors.Is(err, syscall.EAGAIN) {
		return false
	}
	if in.err = err; err == nil {
		in.err = io.EOF
	}
	return true
}
