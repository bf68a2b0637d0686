// Package wsock is the server side of a WebSocket (RFC 6455) as a server with many idle clients needs it. Sending goes
// through a bounded queue whose frames leave together in one system call. Receiving costs nothing while nothing comes: on
// Linux a connection that waits is parked, with neither a goroutine nor a buffer, and one loop over epoll wakes it.
//
// A connection begins with its handshake, which the Front (front.go, handshake.go) answers before net/http's server makes anything
// for it, if it comes in the usual form.
//
// On Linux its socket then leaves the epoll instance of Go's runtime (detach_linux.go), which whatever comes would wake for nothing,
// and is ours alone.
//
// The way of what is received: the loop (park_linux.go) finds that a socket is readable, takes the answer to a heartbeat
// itself (beat.go), and hands a connection with anything else to a worker (park.go). The worker reads into a pooled buffer
// (input.go), from which gorilla/websocket reads the frames (read.go), and gives the messages to the connection's Sink
// (serve.go) until nothing is left. Then the connection is parked again, unless it is woken often (lively.go, ear_linux.go). A connection
// that is no plain socket (TLS, a pipe), or is not on Linux, has a goroutine that waits for it instead; all else is the same.
//
// Frames are wire bytes, made once (see Seal and TextFrame), immutable, and may be sent to any number of connections.
package wsock
