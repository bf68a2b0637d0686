package client

import (
	"maps"
	"slices"
	"strconv"

	"signalling/api/internal/jsonscan"
)

// visitor is shown the fields of a message one after the other. The encoders and decoders are visitors.
type visitor interface {
	str(name string, v *string)
	strs(name string, v *[]string)
	boolean(name string, v *bool)
	uint(name string, v *uint64)
	raw(name string, v *[]byte)
	// optional is a *string, *uint64, *bool, raw *[]byte or *map[string]string that is left out when it is zero. Such fields
	// come last.
	optional(name string, v any)
	// options is the state of a room; a nil one may be absent if it is optional, as optional ones are.
	options(name string, v **RoomState, optional bool)
}

// AppendObject appends e as the native door sends it: {"event":NAME,FIELDS}. A command's id, raw JSON, is repeated in
// its answer; nil leaves it out.
func AppendObject(dst []byte, e Event, id []byte) []byte {
	dst = append(dst, `{"event":"`...)
	dst = append(dst, e.Name()...)
	dst = append(dst, '"')
	if len(id) > 0 {
		dst = append(dst, `,"id":`...)
		dst = append(dst, id...)
	}
	w := writer{dst: dst, object: true}
	e.fields(&w)
	return append(w.dst, '}')
}

// AppendArray appends e as the arguments of a Socket.IO event: [NAME,ARGUMENTS].
func AppendArray(dst []byte, e Event) []byte {
	w := writer{dst: beginArray(dst, e)}
	e.fields(&w)
	return append(w.dst, ']')
}

// AppendFullArray is AppendArray with null for each optional argument that is not there, so that one more at the end has the
// same place in each event of the name.
func AppendFullArray(dst []byte, e Event) []byte {
	w := writer{dst: beginArray(dst, e)}
	e.fields(&w)
	w.fill()
	return append(w.dst, ']')
}

func beginArray(dst []byte, e Event) []byte {
	return append(append(append(dst, `["`...), e.Name()...), '"')
}

// AppendSignalObject is AppendObject for a SignalReceive whose parts are at hand as bytes: the hot path, without a value
// in between. data is spliced in untouched and must be valid JSON.
func AppendSignalObject(dst []byte, room, sender string, data []byte) []byte {
	dst = append(dst, `{"event":"signal-receive","room":`...)
	dst = jsonscan.AppendString(dst, room)
	dst = append(dst, `,"senderId":`...)
	dst = jsonscan.AppendString(dst, sender)
	dst = append(dst, `,"data":`...)
	dst = append(dst, data...)
	return append(dst, '}')
}

// AppendSignalArray is AppendArray for a SignalReceive, as AppendSignalObject is AppendObject.
func AppendSignalArray(dst []byte, room, sender string, data []byte) []byte {
	dst = append(dst, `["signal-receive",`...)
	dst = jsonscan.AppendString(dst, room)
	dst = append(dst, ',')
	dst = jsonscan.AppendString(dst, sender)
	dst = append(dst, ',')
	dst = append(dst, data...)
	return append(dst, ']')
}

// writer appends fields as object members or as array elements.
type writer struct {
	dst    []byte
	object bool
	// skipped are optional array elements that were left out: should another follow, they are null.
	skipped int
}

func (w *writer) optional(name string, v any) {
	switch v := v.(type) {
	case *string:
		if *v != "" {
			w.fill()
			w.str(name, v)
			return
		}
	case *uint64:
		if *v != 0 {
			w.fill()
			w.uint(name, v)
			return
		}
	case *bool:
		if *v {
			w.fill()
			w.boolean(name, v)
			return
		}
	case *[]byte:
		if len(*v) != 0 {
			w.fill()
			w.raw(name, v)
			return
		}
	case *map[string]string:
		if len(*v) != 0 {
			w.fill()
			w.texts(name, *v)
			return
		}
	}
	w.skipped++
}

// fill writes the optional elements that were left out before one that is not.
func (w *writer) fill() {
	for ; w.skipped > 0 && !w.object; w.skipped-- {
		w.dst = append(w.dst, ",null"...)
	}
}

func (w *writer) next(name string) {
	w.dst = append(w.dst, ',')
	if w.object {
		w.dst = append(w.dst, '"')
		w.dst = append(w.dst, name...)
		w.dst = append(w.dst, '"', ':')
	}
}

func (w *writer) str(name string, v *string) {
	w.next(name)
	w.dst = jsonscan.AppendString(w.dst, *v)
}

func (w *writer) strs(name string, v *[]string) {
	w.next(name)
	w.dst = append(w.dst, '[')
	for i, s := range *v {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.dst = jsonscan.AppendString(w.dst, s)
	}
	w.dst = append(w.dst, ']')
}

func (w *writer) texts(name string, v map[string]string) {
	w.next(name)
	w.dst = append(w.dst, '{')
	for i, key := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.dst = append(jsonscan.AppendString(w.dst, key), ':')
		w.dst = jsonscan.AppendString(w.dst, v[key])
	}
	w.dst = append(w.dst, '}')
}

func (w *writer) boolean(name string, v *bool) {
	w.next(name)
	w.dst = strconv.AppendBool(w.dst, *v)
}

func (w *writer) uint(name string, v *uint64) {
	w.next(name)
	w.dst = strconv.AppendUint(w.dst, *v, 10)
}

func (w *writer) raw(name string, v *[]byte) {
	w.next(name)
	if len(*v) == 0 {
		w.dst = append(w.dst, "null"...)
		return
	}
	w.dst = append(w.dst, *v...)
}

func (w *writer) options(name string, v **RoomState, _ bool) {
	if *v == nil {
		w.skipped++
		return
	}
	w.fill()
	w.next(name)
	w.dst = (*v).append(w.dst)
}
