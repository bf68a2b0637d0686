package socketio

import (
	"encoding/json"
	"errors"

	"signalling/pkg/wsock"
)

// Errors of Session.Send and Session.Ack.
var (
	// ErrQueueFull: the outgoing queue has no room for the packet, which was not queued. The session goes on; whether a
	// client this slow should be closed is the caller's decision. It is wsock.ErrQueueFull, so that callers which serve
	// bare WebSockets too need one test.
	ErrQueueFull = wsock.ErrQueueFull

	// ErrClosed: the session has ended, or the client has left the namespace. It is wsock.ErrClosed.
	ErrClosed = wsock.ErrClosed
)

// errMalformed is behind every error that means "this client breaks the protocol": the session ends with
// ReasonParseError.
var errMalformed = errors.New("socketio: malformed packet")

// errTooLarge: a binary event with its attachments is larger than Config.ReadLimit.
var errTooLarge = errors.New("socketio: message too large")

// ConnectError is what Handler.Connect returns to refuse a client with words that the client may see. Any other error
// refuses it too, with the message "Internal error", because error texts may carry internals.
type ConnectError struct {
	// Message is for people: err.message in clients 3 and 4, the argument of the "error" event in client 2.
	Message string
	// Data is JSON for programs, err.data in clients 3 and 4; nil leaves it out. Client 2 gets it in place of Message,
	// since protocol 4 has one value only.
	Data json.RawMessage
}

// Error returns the message.
func (e *ConnectError) Error() string { return e.Message }
