package wsock

import (
	"net"
	"sync"
	"syscall"
)

// inputBuffer is how much is read from a socket at once. A frame that fits in is given to the Sink where it lies.
const inputBuffer = 16 << 10

// partKeep is the longest beginning of a frame that is copied, to give the buffer back while the rest is waited for.
const partKeep = 2 << 10

// ownBuffer is the buffer of a connection that is no plain socket, which has it for as long as it lives: what reads from it
// waits inside of Read.
const ownBuffer = 512

var inputBuffers = sync.Pool{New: func() any { return new([inputBuffer]byte) }}

// input is what was read from a connection and is not taken yet.
type input struct {
	rc     syscall.RawConn // nil for what is no plain socket (TLS, pipes)
	data   []byte
	space  []byte // where data lies, unless it was moved
	pooled bool   // space is from the pool
	full   bool   // the last read filled all the space: there may be more
}

func (in *input) take(n int) { in.data = in.data[n:] }

// room makes space for more behind what there is.
func (in *input) room() []byte {
	if in.space == nil {
		if in.rc == nil {
			in.space = make([]byte, ownBuffer)
		} else {
			in.space, in.pooled = inputBuffers.Get().(*[inputBuffer]byte)[:], true
		}
	}
	n := copy(in.space, in.data)
	in.data = in.space[:n]
	return in.space[n:]
}

// rest gives the buffer back before a wait, unless it holds much.
func (in *input) rest() {
	if !in.pooled || len(in.data) > partKeep {
		return
	}
	if len(in.data) == 0 {
		in.data = nil
	} else {
		in.data = append([]byte(nil), in.data...)
	}
	in.release()
}

func (in *input) release() {
	if in.pooled {
		inputBuffers.Put((*[inputBuffer]byte)(in.space))
	}
	in.space, in.pooled = nil, false
}

// took notes that n bytes were read into what room returned.
func (in *input) took(n int) {
	in.data = in.space[:len(in.data)+n]
	in.full = len(in.data) == len(in.space)
}

// wait reads more, and waits until there is some.
func (in *input) wait(nc net.Conn) error {
	if in.rc != nil {
		return in.read(true)
	}
	n, err := nc.Read(in.room())
	in.took(n)
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// capacity is how much there can be at once.
func (in *input) capacity() int {
	if in.rc == nil {
		return ownBuffer
	}
	return inputBuffer
}
