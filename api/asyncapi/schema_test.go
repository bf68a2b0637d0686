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

// fill gives each field of a message a value, so that its encoding shows all of them. Raw JSON becomes null, which stands for
// anything.
func fill(message any) {
	v := reflect.ValueOf(message)
	if v.Kind() == reflect.Pointer {
		fillValue(v.Elem())
	}
}

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
