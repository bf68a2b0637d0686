//go:build !unix

package wsock

import "net"

// input reads directly here.
type input struct{}

func (*input) init(net.Conn) {}

func (*input) empty() bool { return true }

func (*input) take([]byte) int { return 0 }

func (*input) read(nc net.Conn, p []byte) (int, error) { return nc.Read(p) }
