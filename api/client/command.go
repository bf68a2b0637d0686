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
	RoomUpdate
	RoomKick
	// Resume is of the native door only.
	Resume
)

// Spec describes a command of the contract.
type Spec struct {
	Op   Op
	Name string
	// Args are the arguments, in the order in which the Socket.IO door sends them.
	Args []string
	// Optional are those that may be left out; they come last.
	Optional []string
	// Answers are the events that may answer it, apart from error.
	Answers []string
}

// Commands is the table of commands. Decoding, the gateway's dispatch, the documents and the tests follow it.
var Commands = []Spec{
	{RoomCreate, RoomCreateName, []string{"room"}, []string{"options"}, []string{RoomCreatedName, RoomExistsName}},
	{RoomJoin, RoomJoinName, []string{"room"}, []string{"password", "ownerKey"}, []string{RoomJoinedName, RoomNotExistsName}},
	{RoomLeave, RoomLeaveName, []string{"room"}, nil, []string{RoomLeftName, NotInRoomName}},
	{SignalSend, SignalSendName, []string{"room", "targetId", "data"}, nil, []string{NotInRoomName, TargetNotFoundName}},
	{TokenRefresh, TokenRefreshName, []string{"token"}, nil, []string{TokenRefreshedName}},
	{ICEServersGet, ICEServersName, nil, nil, []string{ICEServersName}},
	{RoomUpdate, RoomUpdateName, []string{"room", "options"}, nil, []string{RoomUpdatedName, NotInRoomName}},
	{RoomKick, RoomKickName, []string{"room", "targetId"}, nil, []string{ClientKickedName, NotInRoomName, TargetNotFoundName}},
	{Resume, ResumeName, []string{"token", "received"}, nil, []string{ResumedName}},
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
	// TargetID is SignalSend's or RoomKick's target, 1 to MaxClientIDBytes.
	TargetID []byte
	// Data is SignalSend's payload: valid JSON as the client wrote it, "null" where it wrote none.
	Data []byte
	// Token is TokenRefresh's or Resume's, 1 to MaxTokenBytes.
	Token []byte
	// Options are RoomCreate's, nil if it has none, and RoomUpdate's. They alias no frame.
	Options *RoomOptions
	// Password and OwnerKey are RoomJoin's, nil if it has none, 1 to MaxPasswordBytes.
	Password, OwnerKey []byte
	// Received is how many frames of the session Resume's client has, apart from welcomes and resumeds.
	Received uint64
}

// arguments are the JSON texts of a command's arguments, nil for those that it does not have.
type arguments struct {
	name, room, target, data, options, password, ownerKey, token, received []byte
}

var null = []byte("null")

// DecodeCommandObject reads a command of the native door, which must be UTF-8. Unknown fields are ignored, so that
// clients may be newer than the server. The error is an *Error with code BadRequest and a message for the client; c.ID
// is then set if the frame had a usable one, so that even an error finds its caller.
func DecodeCommandObject(frame []byte, c *Command) error {
	*c = Command{}
	var a arguments
	var twice, badID bool
	set := func(field *[]byte, value []byte) {
		twice = twice || *field != nil
		*field = value
	}
	err := jsonscan.Object(frame, func(member, value []byte) error {
		switch string(member) {
		case "event":
			set(&a.name, value)
		case "id":
			if badID = !usableID(value); !badID {
				set(&c.ID, value)
			}
		case "room":
			set(&a.room, value)
		case "targetId":
			set(&a.target, value)
		case "data":
			set(&a.data, value)
		case "options":
			set(&a.options, value)
		case "password":
			set(&a.password, value)
		case "ownerKey":
			set(&a.ownerKey, value)
		case "token":
			set(&a.token, value)
		case "received":
			set(&a.received, value)
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
	return c.decode(&a)
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
	// Which argument stands where depends on the command, and each has another type where others have other ones.
	err = c.decode(&arguments{
		name: values[0], room: values[1], target: values[2], data: values[3],
		options: values[2], password: values[2], ownerKey: values[3], token: values[1],
	})
	if c.Op == Resume {
		c.Op, err = 0, bad("unknown event")
	}
	return true, err
}

func (c *Command) decode(a *arguments) error {
	if a.name == nil {
		return bad("event is missing")
	}
	if err := c.decodeOp(a.name); err != nil {
		return err
	}
	var err error
	switch c.Op {
	case ICEServersGet:
		return nil
	case TokenRefresh:
		c.Token, err = argument("token", a.token, MaxTokenBytes)
		return err
	case Resume:
		return c.decodeResume(a.token, a.received)
	}
	if c.Room, err = argument("room", a.room, MaxRoomBytes); err != nil {
		return err
	}
	switch c.Op {
	case SignalSend:
		if c.Data = a.data; a.data == nil {
			c.Data = null
		}
		c.TargetID, err = argument("targetId", a.target, MaxClientIDBytes)
	case RoomKick:
		c.TargetID, err = argument("targetId", a.target, MaxClientIDBytes)
	case RoomJoin:
		if c.Password, err = optional("password", a.password); err == nil {
			c.OwnerKey, err = optional("ownerKey", a.ownerKey)
		}
	case RoomUpdate:
		if a.options == nil {
			return bad("options is missing")
		}
		err = c.decodeOptions(a.options)
	case RoomCreate:
		if a.options != nil && string(a.options) != "null" {
			err = c.decodeOptions(a.options)
		}
	}
	return err
}

// decodeResume reads the arguments of Resume.
func (c *Command) decodeResume(token, received []byte) (err error) {
	if c.Token, err = argument("token", token, MaxTokenBytes); err != nil {
		return err
	}
	if received == nil {
		return bad("received is missing")
	}
	if c.Received, err = jsonscan.Uint(received); err != nil {
		return bad("received is not a number")
	}
	return nil
}

func (c *Command) decodeOptions(text []byte) error {
	c.Options = new(RoomOptions)
	return c.Options.decode(text)
}

// optional decodes a string argument that may be missing or null.
func optional(name string, value []byte) ([]byte, error) {
	if value == nil || string(value) == "null" {
		return nil, nil
	}
	return argument(name, value, MaxPasswordBytes)
}

func (c *Command) decodeOp(name []byte) error {
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
	case RoomUpdateName:
		c.Op = RoomUpdate
	case RoomKickName:
		c.Op = RoomKick
	case TokenRefreshName:
		c.Op = TokenRefresh
	case ICEServersName:
		c.Op = ICEServersGet
	case ResumeName:
		c.Op = Resume
	default:
		return bad("unknown event")
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
	case Resume:
		w.next("token")
		w.dst = jsonscan.AppendString(w.dst, c.Token)
		w.uint("received", &c.Received)
		return w.dst
	}
	w.next("room")
	w.dst = jsonscan.AppendString(w.dst, c.Room)
	switch c.Op {
	case SignalSend:
		w.next("targetId")
		w.dst = jsonscan.AppendString(w.dst, c.TargetID)
		w.raw("data", &c.Data)
	case RoomKick:
		w.next("targetId")
		w.dst = jsonscan.AppendString(w.dst, c.TargetID)
	case RoomCreate, RoomUpdate:
		if c.Options != nil {
			w.next("options")
			w.dst = c.Options.append(w.dst)
		}
	case RoomJoin:
		w.secret("password", c.Password, c.OwnerKey != nil)
		w.secret("ownerKey", c.OwnerKey, false)
	}
	return w.dst
}

// secret appends an optional string, which has a place nevertheless if another one follows by position.
func (w *writer) secret(name string, s []byte, followed bool) {
	switch {
	case s != nil:
		w.next(name)
		w.dst = jsonscan.AppendString(w.dst, s)
	case followed && !w.object:
		w.dst = append(w.dst, ",null"...)
	}
}
