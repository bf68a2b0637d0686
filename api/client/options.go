package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"signalling/api/internal/jsonscan"
)

// OwnerLoss is what becomes of a room whose owner is lost.
type OwnerLoss string

// The answers to the loss of an owner.
const (
	// CloseRoom: the room ends. So does every room whose options say nothing else.
	CloseRoom OwnerLoss = "close"
	// AwaitOwner: the room waits for its owner for a while, if the owner's connection has ended without a room-leave.
	AwaitOwner OwnerLoss = "grace"
	// TransferRoom: the member that has been there longest becomes the owner.
	TransferRoom OwnerLoss = "transfer"
)

// NoLimit as a RoomOptions' Capacity takes a limit away.
const NoLimit = -1

// RoomOptions are the last argument of RoomCreate, and what RoomUpdate changes. Zero values leave things as they are: a
// new room without them is a plain one.
type RoomOptions struct {
	// OnOwnerLost: one of the OwnerLoss, or "".
	OnOwnerLost OwnerLoss
	// Capacity is how many members the room may have, at least 1 and at most what the server allows; or NoLimit.
	Capacity int
	// Locked: nobody may join.
	Locked *bool
	// Password is what a join must give, 1 to MaxPasswordBytes; "" takes it away.
	Password *string
	// OwnerKey is what makes whoever joins with it the owner, 1 to MaxPasswordBytes; "" takes it away.
	OwnerKey *string
	// Metadata is any JSON value of at most MaxMetadataBytes that members are given; null takes it away.
	Metadata json.RawMessage
}

// IsZero says that nothing is asked for.
func (o *RoomOptions) IsZero() bool {
	return o.OnOwnerLost == "" && o.Capacity == 0 && o.Locked == nil && o.Password == nil && o.OwnerKey == nil && o.Metadata == nil
}

// RoomState is what members are told of a room's options, as the JSON object "options" of RoomJoined and RoomUpdated.
type RoomState struct {
	OnOwnerLost OwnerLoss `json:"onOwnerLost"`
	// Capacity is 0, and left out, if the room has no limit of its own.
	Capacity int  `json:"capacity,omitempty"`
	Locked   bool `json:"locked"`
	// Password: a join needs one.
	Password bool            `json:"password"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

// append writes Metadata as it is, byte for byte, which encoding/json would compact.
func (s *RoomState) append(dst []byte) []byte {
	dst = append(dst, `{"onOwnerLost":`...)
	dst = jsonscan.AppendString(dst, string(s.OnOwnerLost))
	if s.Capacity > 0 {
		dst = strconv.AppendInt(append(dst, `,"capacity":`...), int64(s.Capacity), 10)
	}
	dst = strconv.AppendBool(append(dst, `,"locked":`...), s.Locked)
	dst = strconv.AppendBool(append(dst, `,"password":`...), s.Password)
	if len(s.Metadata) > 0 {
		dst = append(append(dst, `,"metadata":`...), s.Metadata...)
	}
	return append(dst, '}')
}

func (s *RoomState) decode(text []byte) error {
	*s = RoomState{}
	return jsonscan.Object(text, func(name, value []byte) (err error) {
		switch string(name) {
		case "onOwnerLost":
			var loss string
			loss, err = jsonscan.String(value)
			s.OnOwnerLost = OwnerLoss(loss)
		case "capacity":
			s.Capacity, err = strconv.Atoi(string(value))
		case "locked":
			s.Locked = string(value) == "true"
		case "password":
			s.Password = string(value) == "true"
		case "metadata":
			s.Metadata = value
		}
		return err
	})
}

// decode reads the options of a command. Everything that is not known or not right is an error.
func (o *RoomOptions) decode(text []byte) error {
	if text[0] != '{' {
		return bad("options is not an object")
	}
	var fault error
	var seen [optionNames]bool
	err := jsonscan.Object(text, func(name, value []byte) error {
		i, wrong := o.set(string(name), value)
		if wrong == nil && seen[i] {
			wrong = bad("options has a field twice")
		}
		if fault == nil {
			fault = wrong
		}
		seen[i] = true
		return nil
	})
	if err != nil {
		return bad("options: " + err.Error())
	}
	return fault
}

// optionNames is how many options there are.
const optionNames = 6

// set reads one option and returns its number.
func (o *RoomOptions) set(name string, value []byte) (n int, fault error) {
	null := string(value) == "null"
	switch name {
	case "onOwnerLost":
		loss, err := jsonscan.String(value)
		o.OnOwnerLost = OwnerLoss(loss)
		if err != nil || (o.OnOwnerLost != CloseRoom && o.OnOwnerLost != AwaitOwner && o.OnOwnerLost != TransferRoom) {
			fault = bad("onOwnerLost is none of close, grace, transfer")
		}
		return 0, fault
	case "capacity":
		c, err := strconv.ParseUint(string(value), 10, 31)
		if o.Capacity = int(c); null { // #nosec G115 -- 31 bits
			o.Capacity = NoLimit
		} else if err != nil || c == 0 {
			fault = bad("capacity is not a number from 1")
		}
		return 1, fault
	case "locked":
		locked := string(value) == "true"
		o.Locked = &locked
		if !locked && string(value) != "false" {
			fault = bad("locked is neither true nor false")
		}
		return 2, fault
	case "password":
		o.Password, fault = secretOption(name, value)
		return 3, fault
	case "ownerKey":
		o.OwnerKey, fault = secretOption(name, value)
		return 4, fault
	case "metadata":
		if o.Metadata = bytes.Clone(value); len(value) > MaxMetadataBytes {
			fault = bad(fmt.Sprintf("metadata is longer than %d bytes", MaxMetadataBytes))
		}
		return 5, fault
	}
	return 0, bad("options has an unknown field")
}

func secretOption(name string, value []byte) (*string, error) {
	if string(value) == "null" {
		return new(string), nil
	}
	b, err := argument(name, value, MaxPasswordBytes)
	if err != nil {
		return nil, err
	}
	s := string(b)
	return &s, nil
}

// append writes the options as a command has them.
func (o *RoomOptions) append(dst []byte) []byte {
	dst = append(dst, '{')
	field := func(name string) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), '"', ':')
	}
	if o.OnOwnerLost != "" {
		field("onOwnerLost")
		dst = jsonscan.AppendString(dst, string(o.OnOwnerLost))
	}
	if o.Capacity == NoLimit {
		field("capacity")
		dst = append(dst, "null"...)
	} else if o.Capacity != 0 {
		field("capacity")
		dst = strconv.AppendInt(dst, int64(o.Capacity), 10)
	}
	if o.Locked != nil {
		field("locked")
		dst = strconv.AppendBool(dst, *o.Locked)
	}
	secret := func(name string, value *string) {
		switch {
		case value == nil:
		case *value == "":
			field(name)
			dst = append(dst, "null"...)
		default:
			field(name)
			dst = jsonscan.AppendString(dst, *value)
		}
	}
	secret("password", o.Password)
	secret("ownerKey", o.OwnerKey)
	if o.Metadata != nil {
		field("metadata")
		dst = append(dst, o.Metadata...)
	}
	return append(dst, '}')
}

// Check reports options that the server would refuse whatever the room, as the *Error with which it would.
func (o *RoomOptions) Check() error {
	var same RoomOptions
	if o.Metadata != nil && !json.Valid(o.Metadata) {
		return bad("metadata is not JSON")
	}
	for _, s := range []*string{o.Password, o.OwnerKey} {
		if s != nil && !utf8.ValidString(*s) {
			return bad("a password or key is not UTF-8")
		}
	}
	return same.decode(o.append(nil))
}
