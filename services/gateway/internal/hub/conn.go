package hub

import (
	"signalling/api/client"
	"signalling/pkg/wsock"
)

// Conn is a door's side of a session. No method blocks. A Conn that cannot keep up drops what it is given and ends its
// session by itself; the hub needs no errors from it.
type Conn interface {
	// Deliver queues an event that goes to several sessions.
	Deliver(b *Broadcast)
	// Answer queues the answer to a command. ref is what the door gave to Handle with it.
	Answer(ref []byte, e client.Event)
	// Delivered tells that a signal has reached its target's gateway. Only commands with a ref are told of.
	Delivered(ref []byte)
	// Signal queues a signal for this client. The slices are valid during the call.
	Signal(room, sender string, data []byte)
	// Flush writes what is queued.
	Flush()
	// Pending is how many messages and bytes wait to be sent.
	Pending() (frames, bytes int)
	// Close ends the connection.
	Close(code client.CloseCode)
}

// Broadcast is an event for several sessions. Each door encodes it once and keeps the result here. It is used under one
// partition's mutex.
type Broadcast struct {
	Event client.Event
	// Native is the event as a frame of the native door.
	Native wsock.Frame
	// Array is the event's JSON array, as the Socket.IO door sends it to clients whose sessions may be resumed.
	Array []byte
	// Other is the event as the Socket.IO door encodes it.
	Other any
}
