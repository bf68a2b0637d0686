package client

import (
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
	// uintOpt and rawOpt are for a last field that is left out when it is empty.
	uintOpt(name string, v *uint64)
	rawOpt(name string, v *[]byte)
	// options is the state of a room; a nil one may be absent if it is optional, which only the last field can be.
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
	dst = append(dst, `["`...)
	dst = append(dst, e.Name()...)
	dst = append(dst, '"')
	w := writer{dst: dst}
	e.fields(&w)
	return append(w.dst, ']')
}

// AppendSignalObject is AppendObject for a SignalReceive whose parts are at hand as bytes: the hot path, without a value
// in between. data is spliced in untouched and must be valid JSON.
func AppendSignalObject(dst, room []byte, sender string, data []byte) []byte {
	dst = append(dst, `{"event":"signal-receive","room":`...)
	dst = jsonscan.AppendString(dst, room)
	dst = append(dst, `,"senderId":`...)
	dst = jsonscan.AppendString(dst, sender)
	dst = append(dst, `,"data":`...)
	dst = append(dst, data...)
	return append(dst, '}')
}

// AppendSignalArray is AppendArray for a SignalReceive, as AppendSignalObject is AppendObject.
func AppendSignalArray(dst, room []byte, sender string, data []byte) []byte {
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

func (w *writer) boolean(name string, v *bool) {
	w.next(name)
	w.dst = strconv.AppendBool(w.dst, *v)
}

func (w *writer) uint(name string, v *uint64) {
	w.next(name)
	w.dst = strconv.AppendUint(w.dst, *v, 10)
}

func (w *writer) uintOpt(name string, v *uint64) {
	if *v != 0 {
		w.uint(name, v)
	}
}

func (w *writer) rawOpt(name string, v *[]byte) {
	if len(*v) != 0 {
		w.raw(name, v)
	}
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
	if *v != nil {
		w.next(name)
		w.dst = (*v).append(w.dst)
	}
}
