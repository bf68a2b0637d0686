//go:build !unix

package wsock

import "syscall"

// plainSockets says that no socket is read and written by system calls of our own here: every write goes through a
// goroutine, every read through net.Conn.
const plainSockets = false

func (*input) read(bool) error { panic("unreachable: there are no plain sockets") }

func write(syscall.RawConn, []Frame) ([]byte, error) {
	panic("unreachable: there are no plain sockets")
}
