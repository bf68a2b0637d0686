//go:build !linux

package wsock

// sockets is no watcher here: each connection has a goroutine that waits.
var sockets watcher

// place is a watcher's.
type place struct{}
