package client

import "encoding/json"

// The names of commands and events on the wire.
const (
	RoomCreateName = "room-create"
	RoomJoinName   = "room-join"
	RoomLeaveName  = "room-leave"
	SignalSendName = "signal-send"
	// TokenRefreshName and ICEServersName are commands too; the latter is also the name of its answer.
	TokenRefreshName = "token-refresh"
	ICEServersName   = "ice-servers"
	RoomUpdateName   = "room-update"
	RoomKickName     = "room-kick"
	ResumeName       = "resume"

	WelcomeName        = "welcome"
	RoomCreatedName    = "room-created"
	RoomExistsName     = "room-exists"
	RoomJoinedName     = "room-joined"
	RoomNotExistsName  = "room-not-exists"
	RoomLeftName       = "room-left"
	NotInRoomName      = "not-in-room"
	SignalReceiveName  = "signal-receive"
	TargetNotFoundName = "target-not-found"
	ClientJoinedName   = "client-joined"
	ClientLeftName     = "client-left"
	TokenExpiringName  = "token-expiring" // #nosec G101 -- the name of an event
	TokenRefreshedName = "token-refreshed"
	OwnerChangedName   = "owner-changed"
	RoomUpdatedName    = "room-updated"
	ClientKickedName   = "client-kicked"
	ErrorName          = "error"
	ResumedName        = "resumed"
	GoingAwayName      = "going-away"
)

// Event is what the server sends: one of the types of this file, by pointer.
type Event interface {
	// Name is the event's name on the wire.
	Name() string
	// fields shows v each argument, in the contract's order.
	fields(v visitor)
}

// Welcome is the first frame of a native connection. Socket.IO clients learn their id as socket.id instead.
type Welcome struct {
	ClientID string
	Protocol uint64
	// MaxMessageBytes is the longest message that the server takes from the client.
	MaxMessageBytes uint64
	// ICEServers is a JSON array of RTCIceServer (WebRTC 1.0 section 4.2.4); nil if the gateway has none. The ICEServers event
	// brings new ones before their credentials end.
	ICEServers json.RawMessage
	// Resume is the token with which a new connection may take this session over, "" if the server offers none. It is a
	// secret, and void once the client has shown that it has a newer one.
	Resume string
	// ResumeWindow is for how many milliseconds the session is kept once its connection is lost; 0 without a token.
	ResumeWindow uint64
	// Display is the client's own display identity, by which others are told of it: from its token, where the server is set
	// to pass one on; else "".
	Display string
}

// Resumed answers Resume: from here on the connection is that of an earlier session, with its id and its rooms.
type Resumed struct {
	ClientID string
	// Received is how many of the session's commands have reached the server. The client sends those after it again. If
	// Missed is set it may be 0, and then nobody knows.
	Received uint64
	// Seq is the number of the last frame that the client has or will never get: the next one has Seq+1.
	Seq uint64
	// Missed says that frames are lost. The client is in the rooms named in Rooms, and in no other; for each of them comes
	// a RoomJoined that is marked as Resumed.
	Missed bool
	Rooms  []string
	// Resume and ResumeWindow are as in Welcome; the token before is void.
	Resume       string
	ResumeWindow uint64
}

// GoingAway tells that the server is about to close this connection, because it stops. The client should connect again,
// which will lead it to another server.
type GoingAway struct {
	// RetryAfter is for how many milliseconds the client should wait before it does.
	RetryAfter uint64
}

// RoomCreated answers RoomCreate: the caller is the room's owner and first member.
type RoomCreated struct{ Room string }

// RoomExists answers RoomCreate: the name is taken.
type RoomExists struct{ Room string }

// RoomJoined answers RoomJoin. Clients are the ids of the other members, in the order in which they joined. Options is
// nil for a plain room.
type RoomJoined struct {
	Room, OwnerID string
	Clients       []string
	// Options is nil for a plain room.
	Options *RoomState
	// Resumed says that it answers nothing: it is the room as it is now, for a client whose session was resumed and that
	// has missed what has changed.
	Resumed bool
	// Displays are the display identities of those Clients that have one, by id; nil if none has.
	Displays map[string]string
}

// RoomNotExists answers RoomJoin: there is no such room.
type RoomNotExists struct{ Room string }

// RoomLeft tells the receiver that it is no longer in the room: by its own RoomLeave (Kicked false), or because the room
// was closed or the server removed it (Kicked true).
type RoomLeft struct {
	Room   string
	Kicked bool
}

// NotInRoom answers RoomLeave and SignalSend: the caller is not in the room.
type NotInRoom struct{ Room string }

// SignalReceive brings a member's signal to its target. Data is the sender's JSON text, unchanged.
type SignalReceive struct {
	Room, SenderID string
	Data           json.RawMessage
}

// TargetNotFound answers SignalSend: the target is not in the room.
type TargetNotFound struct{ Room, TargetID string }

// ClientJoined tells a member of a new one.
type ClientJoined struct {
	Room, ClientID string
	// Display is the new member's display identity, "" if it has none.
	Display string
}

// ClientLeft tells a member that another one has left.
type ClientLeft struct{ Room, ClientID string }

// ICEServers answers the command of that name, and comes again by itself before the credentials end.
type ICEServers struct {
	// ICEServers is a JSON array of RTCIceServer (WebRTC 1.0 section 4.2.4).
	ICEServers json.RawMessage
	// ExpiresIn is the time in ms for which the credentials are good; 0 if they have no end.
	ExpiresIn uint64
}

// TokenExpiring warns that the connection will be closed with CloseTokenExpired after ExpiresIn ms, unless TokenRefresh brings
// another token.
type TokenExpiring struct{ ExpiresIn uint64 }

// TokenRefreshed answers TokenRefresh. ExpiresIn is the time in ms for which the new token is good; 0 if it has no end.
type (
	TokenRefreshed struct{ ExpiresIn uint64 }
	// OwnerChanged tells a member that the room has another owner.
	OwnerChanged struct{ Room, OwnerID string }
)

// RoomUpdated answers RoomUpdate and tells the other members: the room's options are now these.
type RoomUpdated struct {
	Room    string
	Options *RoomState
}

// ClientKicked answers RoomKick. The caller is told ClientLeft too, as all other members are.
type ClientKicked struct{ Room, ClientID string }

// Error answers a command that could not be carried out. The connection stays open.
type Error struct {
	// Message is for people.
	Message string
	// Code is for programs.
	Code Code
	// RetryAfter is the time in ms after which the same may work, for RateLimited; 0 if that is not known.
	RetryAfter uint64
}

// Error makes an Error usable as a Go error.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// NewEvent returns an empty event of the name, or nil if there is none of that name.
func NewEvent(name string) Event {
	switch name {
	case WelcomeName:
		return new(Welcome)
	case RoomCreatedName:
		return new(RoomCreated)
	case RoomExistsName:
		return new(RoomExists)
	case RoomJoinedName:
		return new(RoomJoined)
	case RoomNotExistsName:
		return new(RoomNotExists)
	case RoomLeftName:
		return new(RoomLeft)
	case NotInRoomName:
		return new(NotInRoom)
	case SignalReceiveName:
		return new(SignalReceive)
	case TargetNotFoundName:
		return new(TargetNotFound)
	case ClientJoinedName:
		return new(ClientJoined)
	case ClientLeftName:
		return new(ClientLeft)
	case ICEServersName:
		return new(ICEServers)
	case TokenExpiringName:
		return new(TokenExpiring)
	case TokenRefreshedName:
		return new(TokenRefreshed)
	case OwnerChangedName:
		return new(OwnerChanged)
	case RoomUpdatedName:
		return new(RoomUpdated)
	case ClientKickedName:
		return new(ClientKicked)
	case ErrorName:
		return new(Error)
	case ResumedName:
		return new(Resumed)
	case GoingAwayName:
		return new(GoingAway)
	}
	return nil
}

// EventNames lists every event, in the contract's order.
var EventNames = []string{
	WelcomeName, RoomCreatedName, RoomExistsName, RoomJoinedName, RoomNotExistsName, RoomLeftName, NotInRoomName,
	SignalReceiveName, TargetNotFoundName, ClientJoinedName, ClientLeftName, ICEServersName, TokenExpiringName,
	TokenRefreshedName, OwnerChangedName, RoomUpdatedName, ClientKickedName, ErrorName,
	ResumedName, GoingAwayName,
}

// The wire names of the events.

func (*Welcome) Name() string        { return WelcomeName }
func (*RoomCreated) Name() string    { return RoomCreatedName }
func (*RoomExists) Name() string     { return RoomExistsName }
func (*RoomJoined) Name() string     { return RoomJoinedName }
func (*RoomNotExists) Name() string  { return RoomNotExistsName }
func (*RoomLeft) Name() string       { return RoomLeftName }
func (*NotInRoom) Name() string      { return NotInRoomName }
func (*SignalReceive) Name() string  { return SignalReceiveName }
func (*TargetNotFound) Name() string { return TargetNotFoundName }
func (*ClientJoined) Name() string   { return ClientJoinedName }
func (*ClientLeft) Name() string     { return ClientLeftName }
func (*ICEServers) Name() string     { return ICEServersName }
func (*TokenExpiring) Name() string  { return TokenExpiringName }
func (*TokenRefreshed) Name() string { return TokenRefreshedName }
func (*OwnerChanged) Name() string   { return OwnerChangedName }
func (*RoomUpdated) Name() string    { return RoomUpdatedName }
func (*ClientKicked) Name() string   { return ClientKickedName }
func (*Error) Name() string          { return ErrorName }
func (*Resumed) Name() string        { return ResumedName }
func (*GoingAway) Name() string      { return GoingAwayName }

func (e *Welcome) fields(v visitor) {
	v.str("clientId", &e.ClientID)
	v.uint("protocol", &e.Protocol)
	v.uint("maxMessageBytes", &e.MaxMessageBytes)
	v.optional("iceServers", (*[]byte)(&e.ICEServers))
	v.optional("resume", &e.Resume)
	v.optional("resumeWindow", &e.ResumeWindow)
	v.optional("display", &e.Display)
}

func (e *Resumed) fields(v visitor) {
	v.str("clientId", &e.ClientID)
	v.uint("received", &e.Received)
	v.uint("seq", &e.Seq)
	v.boolean("missed", &e.Missed)
	v.strs("rooms", &e.Rooms)
	v.optional("resume", &e.Resume)
	v.optional("resumeWindow", &e.ResumeWindow)
}

func (e *GoingAway) fields(v visitor) { v.uint("retryAfter", &e.RetryAfter) }

func (e *RoomCreated) fields(v visitor)   { v.str("room", &e.Room) }
func (e *RoomExists) fields(v visitor)    { v.str("room", &e.Room) }
func (e *RoomNotExists) fields(v visitor) { v.str("room", &e.Room) }
func (e *NotInRoom) fields(v visitor)     { v.str("room", &e.Room) }

func (e *RoomJoined) fields(v visitor) {
	v.str("room", &e.Room)
	v.str("ownerId", &e.OwnerID)
	v.strs("clients", &e.Clients)
	v.options("options", &e.Options, true)
	v.optional("resumed", &e.Resumed)
	v.optional("displays", &e.Displays)
}

func (e *OwnerChanged) fields(v visitor) {
	v.str("room", &e.Room)
	v.str("ownerId", &e.OwnerID)
}

func (e *RoomUpdated) fields(v visitor) {
	v.str("room", &e.Room)
	v.options("options", &e.Options, false)
}

func (e *ClientKicked) fields(v visitor) {
	v.str("room", &e.Room)
	v.str("clientId", &e.ClientID)
}

func (e *RoomLeft) fields(v visitor) {
	v.str("room", &e.Room)
	v.boolean("kicked", &e.Kicked)
}

func (e *SignalReceive) fields(v visitor) {
	v.str("room", &e.Room)
	v.str("senderId", &e.SenderID)
	v.raw("data", (*[]byte)(&e.Data))
}

func (e *TargetNotFound) fields(v visitor) {
	v.str("room", &e.Room)
	v.str("targetId", &e.TargetID)
}

func (e *ClientJoined) fields(v visitor) {
	v.str("room", &e.Room)
	v.str("clientId", &e.ClientID)
	v.optional("display", &e.Display)
}

func (e *ClientLeft) fields(v visitor) {
	v.str("room", &e.Room)
	v.str("clientId", &e.ClientID)
}

func (e *ICEServers) fields(v visitor) {
	v.raw("iceServers", (*[]byte)(&e.ICEServers))
	v.uint("expiresIn", &e.ExpiresIn)
}

func (e *TokenExpiring) fields(v visitor)  { v.uint("expiresIn", &e.ExpiresIn) }
func (e *TokenRefreshed) fields(v visitor) { v.uint("expiresIn", &e.ExpiresIn) }

func (e *Error) fields(v visitor) {
	v.str("message", &e.Message)
	v.str("code", (*string)(&e.Code))
	v.optional("retryAfter", &e.RetryAfter)
}
