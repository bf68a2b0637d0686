//go:build !linux

package wsock

import "syscall"

// deferAccept is what this system cannot.
var deferAccept func(network, address string, c syscall.RawConn) error
