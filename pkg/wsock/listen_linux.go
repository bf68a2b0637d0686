package wsock

import "syscall"

// deferAccept has a connection accepted when the client has sent something, or after a second (tcp(7), TCP_DEFER_ACCEPT).
// Without it the server has to wait for that; all else is the same.
func deferAccept(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 1) // #nosec G115 -- a file descriptor
	})
}
