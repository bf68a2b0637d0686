package client

import (
	"fmt"
	"unicode/utf8"

	"signalling/api/internal/jsonscan"
)

// Op is what a command asks for.
type Op uint8

// The commands of the contract.
const (
	RoomCreate Op = iota + 1
	RoomJoin
	RoomLeave
	SignalSend
	TokenRefresh
	ICEServersGet
)

// Spec describes a command of the contract.
type Spec struct {
	Op   Op
	Name string
	// Args are the arguments, in the order in which the Socket.IO door sends them.
	Args []string
	// Answers are the events that may answer it, apart from error.
	Answers []string
}

// Commands is the table of commands. Decoding, the gateway's dispatch, the documents and the tests follow it.
var Commands = []Spec{
	{RoomCreate, RoomCreateName, []string{"room"}, []string{RoomCreatedName, RoomExistsName}},
	{RoomJoin, RoomJoinName, []string{"room"}, []string{RoomJoinedName, RoomNotExistsName}},
	{RoomLeave, RoomLeaveName, []string{"room"}, []string{RoomLeftName, NotInRoomName}},
	{SignalSend, SignalSendName, []string{"room", "targetId", "data"}, []string{NotInRoomName, TargetNotFoundName}},
	{TokenRefresh, TokenRefreshName, []string{"token"}, []string{TokenRefreshedName}},
	{ICEServersGet, ICEServersName, nil, []string{ICEServersName}},
}

// String returns the command's name on the wire.
func (op Op) String() string {
	if op == 0 || int(op) > len(Commands) {
		return fmt.Sprintf("Op(%d)", uint8(op))
	}
	return Commands[op-1].Name
}

// Command is one command of a client. Its byte slices may alias the frame that it was decoded from.
type Command struct {
	Op Op
	// ID is the native door's "id", raw JSON; nil if the command has none.
	ID []byte
	// Room is the room's name, unescaped, 1 to MaxRoomBytes. TokenRefresh and ICEServersGet have none.
	Room []byte
	// TargetID is SignalSend's target, 1 to MaxClientIDBytes.
	TargetID []byte
	// Data is SignalSend's payload: valid JSON as the client wrote it, "null" where it wrote none.
	Data []byte
	// Token is TokenRefresh's, 1 to MaxTokenBytes.
	Token []byte
}

var null = []byte("null")

// DecodeCommandObject reads a command of the native door, which must be UTF-8. Unknown fields are ignored, so that
// clients may be newer than the server. The error is an *Error with code BadRequest and a message for the client; c.ID
// is then set if the frame had a usable one, so that even an error finds its caller.
func DecodeCommandObject(frame []byte, c *Command) error {
	*c = Command{}
	var name, room, target, data, token []byte
	var twice, badID bool
	set := func(field *[]byte, value []byte) {
		twice = twice || *field != nil
		*field = value
	}
	err := jsonscan.Object(frame, func(member, value []byte) error {
		switch string(member) {
		case "event":
			set(&name, value)
		case "id":
			if badID = !usableID(value); !badID {
				set(&c.ID, value)
			}
		case "room":
			set(&room, value)
		case "targetId":
			set(&target, value)
		case "data":
			set(&data, value)
		case "token":
			set(&token, value)
		}
		return nil
	})
	switch {
	case err != nil:
		return bad("the message is not a JSON object: " + err.Error())
	case twice:
		return bad("a field of the message is given twice")
	case badID:
		return bad("id must be a JSON string or number of at most 128 bytes")
	}
	return c.decode(name, room, target, data, token)
}

// DecodeCommandArray reads a command from the arguments of a Socket.IO event, which must be UTF-8. Arguments beyond the
// command's own are ignored. ok is false if args is not one valid JSON array that begins with a string: that is no event
// at all, and the protocol says to close. Otherwise errors are as DecodeCommandObject's.
func DecodeCommandArray(args []byte, c *Command) (ok bool, err error) {
	*c = Command{}
	var values [4][]byte
	err = jsonscan.Array(args, func(n int, value []byte) error {
		if n < len(values) {
			values[n] = value
		}
		return nil
	})
	if err != nil || values[0] == nil || values[0][0] != '"' {
		return false, bad("the event is not a JSON array that begins with its name")
	}
	return true, c.decode(values[0], values[1], values[2], values[3], values[1])
}

func (c *Command) decode(name, room, target, data, token []byte) error {
	if name == nil {
		return bad("event is missing")
	}
	n, err := jsonscan.Unquote(name)
	if err != nil {
		return bad("event is not a string")
	}
	switch string(n) {
	case RoomCreateName:
		c.Op = RoomCreate
	case RoomJoinName:
		c.Op = RoomJoin
	case RoomLeaveName:
		c.Op = RoomLeave
	case SignalSendName:
		c.Op = SignalSend
	case TokenRefreshName:
		c.Op = TokenRefresh
		c.Token, err = argument("token", token, MaxTokenBytes)
		return err
	case ICEServersName:
		c.Op = ICEServersGet
		return nil
	default:
		return bad("unknown event")
	}
	if c.Room, err = argument("room", room, MaxRoomBytes); err != nil || c.Op != SignalSend {
		return err
	}
	if c.TargetID, err = argument("targetId", target, MaxClientIDBytes); err != nil {
		return err
	}
	if c.Data = data; data == nil {
		c.Data = null
	}
	return nil
}

// argument decodes a string argument of 1 to limit bytes.
func argument(name string, value []byte, limit int) ([]byte, error) {
	if value == nil {
		return nil, bad(name + " is missing")
	}
	if value[0] != '"' {
		return nil, bad(name + " is not a string")
	}
	s, err := jsonscan.Unquote(value)
	switch {
	case err != nil:
		return nil, bad(name + ": " + err.Error())
	case len(s) == 0:
		return nil, bad(name + " is empty")
	case len(s) > limit:
		return nil, bad(fmt.Sprintf("%s is longer than %d bytes", name, limit))
	case !utf8.Valid(s):
		return nil, bad(name + " is not UTF-8")
	}
	return s, nil
}

func usableID(value []byte) bool {
	return len(value) <= MaxCommandIDBytes && (value[0] == '"' || value[0] == '-' || (value[0] >= '0' && value[0] <= '9'))
}

func bad(message string) *Error { return &Error{Message: message, Code: BadRequest} }

// AppendObject appends the command as a native client sends it.
func (c *Command) AppendObject(dst []byte) []byte {
	dst = append(dst, `{"event":"`...)
	dst = append(dst, c.Op.String()...)
	dst = append(dst, '"')
	if len(c.ID) > 0 {
		dst = append(dst, `,"id":`...)
		dst = append(dst, c.ID...)
	}
	return append(c.args(&writer{dst: dst, object: true}), '}')
}

// AppendArray appends the command as the arguments of a Socket.IO event.
func (c *Command) AppendArray(dst []byte) []byte {
	dst = append(dst, `["`...)
	dst = append(dst, c.Op.String()...)
	dst = append(dst, '"')
	return append(c.args(&writer{dst: dst}), ']')
}

func (c *Command) args(w *writer) []byte {
	switch c.Op {
	case ICEServersGet:
		return w.dst
	case TokenRefresh:
		w.next("token")
		return jsonscan.AppendString(w.dst, c.Token)
	}
	w.next("room")
	w.dst = jsonscan.AppendString(w.dst, c.Room)
	if c.Op == SignalSend {
		w.next("targetId")
		w.dst = jsonscan.AppendString(w.dst, c.TargetID)
		w.raw("data", &c.Data)
	}
	return w.dst
}
