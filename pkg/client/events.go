package client

import (
	"fmt"

	api "signalling/api/client"
)

// Event is what the server sends: one of the types below, by pointer.
type Event = api.Event

// The events of the contract.
type (
	// Welcome is the first event of a connection.
	Welcome = api.Welcome
	// RoomCreated answers Create.
	RoomCreated = api.RoomCreated
	// RoomExists answers Create: the name is taken.
	RoomExists = api.RoomExists
	// RoomJoined answers Join.
	RoomJoined = api.RoomJoined
	// RoomNotExists answers Join: there is no such room.
	RoomNotExists = api.RoomNotExists
	// RoomLeft answers Leave, or, with Kicked, tells that the room was closed.
	RoomLeft = api.RoomLeft
	// NotInRoom answers Leave, or tells that a signal was not sent because this client is not in the room.
	NotInRoom = api.NotInRoom
	// SignalReceive is another member's signal.
	SignalReceive = api.SignalReceive
	// TargetNotFound tells that a signal was not delivered because the target is not in the room.
	TargetNotFound = api.TargetNotFound
	// ClientJoined tells of a new member.
	ClientJoined = api.ClientJoined
	// ClientLeft tells that a member has gone.
	ClientLeft = api.ClientLeft
	// ICEServers answers Client.ICEServers, and comes by itself before the credentials of the former ones end.
	ICEServers = api.ICEServers
	// TokenExpiring tells that the connection will be closed unless RefreshToken brings another token in time.
	TokenExpiring = api.TokenExpiring
	// TokenRefreshed answers RefreshToken.
	TokenRefreshed = api.TokenRefreshed
)

// Message is one frame from the server.
type Message struct {
	// Event is the frame's content, or nil for an event that this version of the package does not know: those may be
	// added, and are to be ignored.
	Event Event
	// Name is the event's name on the wire.
	Name string
	// Answer says that it answers a command that waits for its answer, which returned it too unless its context had ended. An *Error
	// that is no answer is about a signal.
	Answer bool
	// Raw is the frame's JSON text as it came. Event may share its memory: do not change it.
	Raw []byte

	id []byte // of the command that it answers
}

// Err returns the error that the message tells of: ErrRoomExists, ErrRoomNotExists, ErrNotInRoom, ErrTargetNotFound or an
// *Error, wrapped with the names concerned, or nil if it tells of none.
func (m Message) Err() error { return errorOf(m.Event) }

func errorOf(e Event) error {
	switch e := e.(type) {
	case *RoomExists:
		return fmt.Errorf("room %q: %w", e.Room, ErrRoomExists)
	case *RoomNotExists:
		return fmt.Errorf("room %q: %w", e.Room, ErrRoomNotExists)
	case *NotInRoom:
		return fmt.Errorf("room %q: %w", e.Room, ErrNotInRoom)
	case *TargetNotFound:
		return fmt.Errorf("room %q, client %q: %w", e.Room, e.TargetID, ErrTargetNotFound)
	case *Error:
		return e
	}
	return nil
}
