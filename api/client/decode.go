package client

import (
	"errors"
	"fmt"

	"signalling/api/internal/jsonscan"
)

// ErrUnknownEvent is returned by the decoders for an event that this version does not know. A client ignores it: events
// may be added.
var ErrUnknownEvent = errors.New("unknown event")

// DecodeObject reads an event as the native door sends it. id is the command's id that it answers, raw JSON, or nil; it
// aliases frame. Fields that this version does not know are ignored.
func DecodeObject(frame []byte) (e Event, id []byte, err error) {
	r := reader{members: make([]member, 0, 8)}
	err = jsonscan.Object(frame, func(name, value []byte) error {
		r.members = append(r.members, member{string(name), value})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var name string
	r.str("event", &name)
	if value := r.lookup("id"); value != nil {
		id = value
	}
	e, err = r.event(name)
	return e, id, err
}

// DecodeArray reads an event from the arguments of a Socket.IO event. Arguments beyond those that this version knows are
// ignored.
func DecodeArray(args []byte) (Event, error) {
	r := reader{members: make([]member, 0, 8), positional: true}
	err := jsonscan.Array(args, func(_ int, value []byte) error {
		r.members = append(r.members, member{value: value})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var name string
	r.str("event", &name)
	return r.event(name)
}

type member struct {
	name  string
	value []byte
}

// reader hands out decoded fields, by name or one after the other.
type reader struct {
	members    []member
	positional bool
	at         int
	err        error
}

func (r *reader) event(name string) (Event, error) {
	if r.err != nil {
		return nil, r.err
	}
	e := NewEvent(name)
	if e == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownEvent, name)
	}
	e.fields(r)
	return e, r.err
}

func (r *reader) lookup(name string) []byte {
	if r.positional {
		if r.at == len(r.members) {
			return nil
		}
		r.at++
		return r.members[r.at-1].value
	}
	for i := range r.members {
		if r.members[i].name == name {
			return r.members[i].value
		}
	}
	return nil
}

// field decodes one field. A field that is missing is an error too.
func (r *reader) field(name string, decode func(value []byte) error) {
	value := r.lookup(name)
	if r.err == nil && value == nil {
		r.err = fmt.Errorf("%q is missing", name)
	}
	r.decode(name, value, decode)
}

// option decodes a field that may be missing.
func (r *reader) option(name string, decode func(value []byte) error) {
	if value := r.lookup(name); value != nil {
		r.decode(name, value, decode)
	}
}

func (r *reader) decode(name string, value []byte, decode func(value []byte) error) {
	if r.err != nil {
		return
	}
	if err := decode(value); err != nil {
		r.err = fmt.Errorf("%q: %w", name, err)
	}
}

func (r *reader) str(name string, v *string) {
	r.field(name, func(value []byte) (err error) {
		*v, err = jsonscan.String(value)
		return err
	})
}

func (r *reader) strs(name string, v *[]string) {
	r.field(name, func(value []byte) error {
		*v = []string{}
		return jsonscan.Array(value, func(_ int, element []byte) error {
			s, err := jsonscan.String(element)
			*v = append(*v, s)
			return err
		})
	})
}

func (r *reader) boolean(name string, v *bool) {
	r.field(name, func(value []byte) error {
		*v = string(value) == "true"
		if !*v && string(value) != "false" {
			return errors.New("not a boolean")
		}
		return nil
	})
}

func (r *reader) uint(name string, v *uint64) {
	r.field(name, func(value []byte) (err error) {
		*v, err = jsonscan.Uint(value)
		return err
	})
}

func (r *reader) optional(name string, v any) {
	r.option(name, func(value []byte) (err error) {
		if string(value) == "null" {
			return nil
		}
		switch v := v.(type) {
		case *string:
			*v, err = jsonscan.String(value)
		case *uint64:
			*v, err = jsonscan.Uint(value)
		case *bool:
			*v = string(value) == "true"
		case *[]byte:
			*v = value
		case *map[string]string:
			*v, err = texts(value)
		}
		return err
	})
}

func texts(object []byte) (map[string]string, error) {
	all := map[string]string{}
	err := jsonscan.Object(object, func(name, value []byte) (err error) {
		all[string(name)], err = jsonscan.String(value)
		return err
	})
	return all, err
}

func (r *reader) raw(name string, v *[]byte) {
	r.field(name, func(value []byte) error {
		*v = value
		return nil
	})
}

func (r *reader) options(name string, v **RoomState, optional bool) {
	value := r.lookup(name)
	switch {
	case r.err != nil || (optional && (value == nil || string(value) == "null")):
	case value == nil:
		r.err = fmt.Errorf("%q is missing", name)
	default:
		*v = new(RoomState)
		if err := (*v).decode(value); err != nil {
			r.err = fmt.Errorf("%q: %w", name, err)
		}
	}
}
