package wsock

import (
	"sync"
	"sync/atomic"
	"syscall"
)

// inputBuffer is how much is read from a socket at once.
const inputBuffer = 16 << 10

var inputBuffers = sync.Pool{New: func() any { return new([inputBuffer]byte) }}

// input reads from a plain socket with few system calls and little memory: it waits without a buffer, takes one when there is
// something to read, and gives it back when all of it is taken. A frame, and the frames behind it, come with one call.
type input struct {
	rc   syscall.RawConn // nil for what is no plain socket (TLS, pipes), which is read directly
	data []byte          // what was read from the socket and is not taken yet
	buf  *[inputBuffer]byte
	full bool // there may be more behind what was read

	more atomic.Bool // whatever is read, there is more behind it: the end, as a rule
}

// take hands out what there is.
func (in *input) take(p []byte) int {
	n := copy(p, in.data)
	if in.data = in.data[n:]; len(in.data) == 0 {
		in.release()
	}
	return n
}

func (in *input) release() {
	if in.buf != nil {
		inputBuffers.Put(in.buf)
	}
	in.buf, in.data = nil, nil
}
