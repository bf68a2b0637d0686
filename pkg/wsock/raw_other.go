//go:build !unix

package wsock

import "net"

// rawWriter is not available here: every write goes through a goroutine.
type rawWriter struct{}

func newRawWriter(net.Conn) rawWriter { return rawWriter{} }

func (rawWriter) usable() bool { return false }

func (rawWriter) write([]Frame) ([]byte, error) { panic("unreachable: usable is false") }
