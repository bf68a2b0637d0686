package client

import (
	"errors"
	"fmt"

	"github.com/gorilla/websocket"

	api "signalling/api/client"
)

var (
	// ErrRoomExists is returned by Create when there is a room of that name, also if it is the caller's own.
	ErrRoomExists = errors.New("room exists")
	// ErrRoomNotExists is returned by Join when there is no room of that name.
	ErrRoomNotExists = errors.New("room does not exist")
	// ErrNotInRoom is returned by Leave when the client is not in the room. For a signal it comes as a NotInRoom event.
	ErrNotInRoom = errors.New("not in room")
	// ErrTargetNotFound is what a TargetNotFound event tells: the target of a signal is not in the room. See Message.Err.
	ErrTargetNotFound = errors.New("target is not in the room")

	// ErrClosed is the end of a client whose Close was called, and is returned by commands after it.
	ErrClosed = errors.New("client is closed")
	// ErrEventsUnread is the end of a client whose Events were not read: Options.EventQueue of them were waiting when the
	// next one came. To go on without it would make the program's view of its rooms untrue.
	ErrEventsUnread = errors.New("events are not read fast enough")
	// ErrProtocol is the end of a client whose server sent something that is not in the contract.
	ErrProtocol = errors.New("the server broke the protocol")

	// ErrInvalidName is returned for a room or client id that is not UTF-8; nothing is sent.
	ErrInvalidName = errors.New("name is not UTF-8")
	// ErrInvalidData is returned by Signal for data that is not JSON and cannot be made into it; nothing is sent.
	ErrInvalidData = errors.New("data is not JSON")
	// ErrMessageTooBig is returned for a command longer than MaxMessageBytes; nothing is sent, because the server would end
	// the connection.
	ErrMessageTooBig = errors.New("message is longer than the server takes")
)

// Error is the server's refusal of a command; commands return it by pointer. Its Code says to a program what to do.
type Error = api.Error

// Code is an Error's code. The list is closed.
type Code = api.Code

// The codes of an Error.
const (
	BadRequest   = api.BadRequest
	Unauthorized = api.Unauthorized
	Forbidden    = api.Forbidden
	RateLimited  = api.RateLimited
	TooLarge     = api.TooLarge
	RoomFull     = api.RoomFull
	Unavailable  = api.Unavailable
	Internal     = api.Internal
)

// CloseCode is a WebSocket close code (RFC 6455 section 7.4). Codes from 4000 on are the signalling server's own.
type CloseCode = api.CloseCode

// The codes that the server closes a connection with.
const (
	CloseNormal        = api.CloseNormal
	CloseGoingAway     = api.CloseGoingAway
	CloseProtocolError = api.CloseProtocolError
	CloseInvalidText   = api.CloseInvalidText
	CloseTooBig        = api.CloseTooBig
	CloseInternal      = api.CloseInternal
	CloseSlowConsumer  = api.CloseSlowConsumer
	CloseHeartbeat     = api.CloseHeartbeat
	CloseUnauthorized  = api.CloseUnauthorized
	CloseTokenExpired  = api.CloseTokenExpired
	CloseRateLimited   = api.CloseRateLimited
	CloseIdle          = api.CloseIdle
	// CloseAbnormal stands for an end without a close frame: the network failed, or the server died.
	CloseAbnormal CloseCode = websocket.CloseAbnormalClosure
)

// CloseError is the end of a connection that the server or the network ended.
type CloseError struct {
	// Code is the server's, or CloseAbnormal if there was no close frame.
	Code CloseCode
	// Reason is the server's text; it is for people.
	Reason string
	// Err is what the network said, if there was no close frame.
	Err error
}

// Error implements error.
func (e *CloseError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("connection lost: %v", e.Err)
	}
	return fmt.Sprintf("closed by the server: %d %s", e.Code, e.Reason)
}

// Unwrap returns Err.
func (e *CloseError) Unwrap() error { return e.Err }

// Reconnect says whether the program should connect again, after a pause with jitter. If not, it has to change something
// first.
func (e *CloseError) Reconnect() bool { return e.Code.Reconnect() }

// HandshakeError is returned by Dial when the server answered and refused to open a WebSocket.
type HandshakeError struct {
	// Status is the HTTP status code.
	Status int
	// RetryAfter is the answer's Retry-After header (RFC 9110 section 10.2.3), "" if it has none.
	RetryAfter string
}

// Error implements error.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("the server refused the WebSocket with HTTP status %d", e.Status)
}

// closeError makes of an error of the WebSocket the one that callers see.
func closeError(err error) error {
	if frame, ok := errors.AsType[*websocket.CloseError](err); ok && frame.Code != websocket.CloseAbnormalClosure {
		return &CloseError{Code: CloseCode(frame.Code), Reason: frame.Text}
	}
	return &CloseError{Code: CloseAbnormal, Err: err}
}
