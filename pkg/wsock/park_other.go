//go:build !linux

package wsock

// detach does nothing here: the runtime waits for each connection, in a goroutine of its own.
func (*Conn) detach() {}
