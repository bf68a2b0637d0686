// Package wsock is the server side of a WebSocket as a messaging server needs it: gorilla/websocket does the upgrade and
// the reading; sending goes through a bounded queue whose frames leave together in one system call, and no goroutine
// waits while the connection is idle, apart from the one that reads.
//
// Frames are wire bytes, made once (see Seal and TextFrame), immutable, and may be sent to any number of connections.
package wsock
