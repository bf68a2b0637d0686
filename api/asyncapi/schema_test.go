package asyncapi

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"signalling/api/bus"
)

// signalHeader is the header of a signal as a message.
type signalHeader struct{}

// Append implements appender.
func (signalHeader) Append(dst []byte) []byte {
	s := bus.Signal{}
	fill(&s)
	framed := s.Append(nil)
	return append(dst, framed[2:2+binary.BigEndian.Uint16(framed)]...)
}

// takenHeader is the header of a Taken as a message.
type takenHeader struct{}

// Append implements appender.
func (takenHeader) Append(dst []byte) []byte {
	m := bus.Taken{}
	fill(&m)
	framed := m.Append(nil)
	return append(dst, framed[4:4+binary.BigEndian.Uint32(framed)]...)
}

// allCommands is a Command with the fields of all operations.
type allCommands struct{}

// Append implements appender.
func (allCommands) Append(dst []byte) []byte {
	return appendAll(dst, func(v *bus.Command, op string) { v.Op = bus.Op(op) }, bus.Create, bus.Move, bus.Find)
}

// allEvents is an Event with the fields of all kinds.
type allEvents struct{}

// Append implements appender.
func (allEvents) Append(dst []byte) []byte {
	return appendAll(dst, func(v *bus.Event, kind string) { v.Kind = bus.Kind(kind) }, bus.Joined, bus.Moved)
}

// appendAll appends an encoding with the fields of all sorts of a message.
func appendAll[M any, P interface {
	*M
	appender
}, S ~string](dst []byte, set func(m P, sort string), sorts ...S,
) []byte {
	all := map[string]json.RawMessage{}
	for _, sort := range sorts {
		var m M
		fill(&m)
		set(&m, string(sort))
		if err := json.Unmarshal(P(&m).Append(nil), &all); err != nil {
			panic(err) // what the code encodes is JSON
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return append(dst, text...)
}

// fill gives each field of a message a value, so that its encoding shows all of them. Raw JSON becomes null, which stands for
// anything.
func fill(message any) {
	v := reflect.ValueOf(message)
	if v.Kind() == reflect.Pointer {
		fillValue(v.Elem())
	}
}

// anyName is what fill names the only entry of a map, whose names are none of the message's.
const anyName = "*"

func fillValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fillValue(field)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("null"))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillValue(v.Index(0))
	case reflect.Map: // of strings
		v.Set(reflect.ValueOf(map[string]string{anyName: "x"}))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	}
}

// fields are the names in an encoding.
func fields(t *testing.T, encoded []byte) []string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &all); err != nil {
		t.Fatalf("%v in %s", err, encoded)
	}
	names := []string{}
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// schemaOf makes a JSON Schema of an encoding in which every field is filled; required are those that are always there.
func schemaOf(t *testing.T, encoded []byte, required []string) object {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(encoded))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, encoded)
	}
	s := schema(v)
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func schema(v any) object {
	switch v := v.(type) {
	case map[string]any:
		if entry, ok := v[anyName]; ok {
			return object{"type": "object", "additionalProperties": schema(entry)}
		}
		properties := object{}
		for name, field := range v {
			properties[name] = schema(field)
		}
		return object{"type": "object", "properties": properties}
	case []any:
		items := []any{}
		for _, item := range v {
			items = append(items, schema(item))
		}
		switch {
		case len(items) == 0:
			return object{"type": "array"}
		case len(items) == 1: // all are like this one
			return object{"type": "array", "items": items[0]}
		}
		return object{"type": "array", "items": items} // what stands where
	case string:
		return object{"type": "string"}
	case json.Number:
		return object{"type": "integer", "minimum": 0}
	case bool:
		return object{"type": "boolean"}
	}
	return object{} // anything
}
