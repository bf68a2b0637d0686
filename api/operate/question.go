package operate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"signalling/api/bus"
	"signalling/api/client"
)

// Op is what an operator asks for.
type Op string

// The operations. Gateways know Status, Client and those that act on one; rooms instances know Status; the owner of a
// partition knows the others.
const (
	// Status asks a process what it is and what it has: Gateway or Instance.
	Status Op = "status"
	// Rooms lists rooms of a partition: RoomList.
	Rooms Op = "rooms"
	// Room asks the owner for one room and its members: Room.
	Room Op = "room"
	// Client asks a gateway for a client's session, or the owner of a partition for its memberships: Presence.
	Client Op = "client"

	// Kick removes Client from Room, for as long as the room exists. The others are told that it has left, and it that it was
	// removed. The kick of an owner does to the room what its leaving does.
	Kick Op = "kick"
	// Close ends Room: all members are told that they were removed.
	Close Op = "close"
	// Drain has a gateway do what SIGTERM does: it sends its clients away, and its process ends.
	Drain Op = "drain"
	// ProbeOpen makes a client at the gateway that creates a room of its own for a test signal: Probe.
	ProbeOpen Op = "probe-open"
	// ProbeEcho makes a client at the gateway that joins Room and sends every signal back: Probe.
	ProbeEcho Op = "probe-echo"
	// ProbeRun has the client of ProbeOpen send Count signals to Client, one after the other, and ends the test: Probe.
	ProbeRun Op = "probe-run"
)

// Verb is the verb of the subject on which the operation is taken.
func (o Op) Verb() bus.Verb {
	switch o {
	case Status, Rooms, Room, Client:
		return bus.Ask
	}
	return bus.Do
}

const (
	// DefaultLimit is how much a list has if the question names no limit.
	DefaultLimit = 100
	// MaxLimit is how much a list has at most.
	MaxLimit = 1000
	// MaxProbes bounds Count.
	MaxProbes = 100
	// MaxListBytes bounds what a list has in one answer, well under the NATS default of 1 MiB a message.
	MaxListBytes = 512 << 10
	// MaxQuestionBytes bounds a question.
	MaxQuestionBytes = 4 << 10
)

// Question is what an operator asks, or wants done.
type Question struct {
	Op Op `json:"op"`
	// Room and Client are names; Kick needs both.
	Room   string `json:"room,omitempty"`
	Client string `json:"client,omitempty"`
	// Prefix, of Rooms, is what the names must begin with. After is the last name of the page before: names come in the order
	// of their bytes. Largest has those with most members in their place, and no pages.
	Prefix  string `json:"prefix,omitempty"`
	After   string `json:"after,omitempty"`
	Largest bool   `json:"largest,omitempty"`
	// Since, of Room, is the Next of the page of members before.
	Since uint64 `json:"since,omitempty"`
	// Limit bounds a list; 0 means DefaultLimit.
	Limit int `json:"limit,omitempty"`
	// Count, of ProbeRun, is how many signals are sent; 0 means one.
	Count int `json:"count,omitempty"`
}

// Code says to a program what a Error means. The list is closed.
type Code string

// The codes.
const (
	// BadRequest: the question cannot be read, or lacks something.
	BadRequest Code = "bad-request"
	// UnknownOp: the process does not know the operation; it may be older.
	UnknownOp Code = "unknown-op"
	// Forbidden: the operation came on a subject of the other verb.
	Forbidden Code = "forbidden"
	// NotFound: there is no such room, member or client.
	NotFound Code = "not-found"
	// Retry: the partition is recovering, or has just changed hands. Ask again after a moment.
	Retry Code = "retry"
	// Busy: too much of this is done at once.
	Busy Code = "busy"
	// Failed: it was tried and has not worked.
	Failed Code = "failed"
)

// Error is why there is no answer.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (f *Error) Error() string { return f.Message }

// Errorf makes a Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Decode reads a question that came on a subject, with its limits filled in. It refuses what the subject's verb does not
// allow, so that whoever may only ask cannot act.
func Decode(subject string, data []byte) (Question, *Error) {
	var q Question
	if len(data) > MaxQuestionBytes {
		return q, Errorf(BadRequest, "the question is longer than %d bytes", MaxQuestionBytes)
	}
	if err := json.Unmarshal(data, &q); err != nil {
		return q, Errorf(BadRequest, "the question cannot be read: %v", err)
	}
	if q.Op.Verb() != bus.AdminVerb(subject) {
		return q, Errorf(Forbidden, "%q is not done here: its subjects have the verb %q", q.Op, q.Op.Verb())
	}
	fault := q.check()
	return q, fault
}

// check fills in the limits and finds what is missing.
func (q *Question) check() *Error {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, MaxLimit)
	q.Count = min(max(q.Count, 1), MaxProbes)
	room := q.Op == Room || q.Op == Kick || q.Op == Close || q.Op == ProbeEcho
	switch {
	case room && q.Room == "":
		return Errorf(BadRequest, "%q needs a room", q.Op)
	case len(q.Room) > client.MaxRoomBytes:
		return Errorf(BadRequest, "a room's name has at most %d bytes", client.MaxRoomBytes)
	case (q.Op == Kick || q.Op == Client || q.Op == ProbeRun) && q.Client == "":
		return Errorf(BadRequest, "%q needs a client", q.Op)
	}
	return nil
}

// Encode makes the message of a question.
func (q *Question) Encode() ([]byte, error) { return json.Marshal(q) }

// reply is the message of an answer.
type reply struct {
	From   string `json:"from"`
	Error  *Error `json:"error,omitempty"`
	Answer any    `json:"answer,omitempty"`
}

// EncodeAnswer makes the message of an answer: from is the process's id, answer one of this package's, or a Error. One that
// is longer than limit, the most that NATS takes, becomes a Error too.
func EncodeAnswer(from string, answer any, limit int64) []byte {
	f, ok := answer.(*Error)
	if !ok {
		data, err := encodeReply(&reply{From: from, Answer: answer})
		switch {
		case err != nil:
			f = Errorf(Failed, "the answer cannot be written: %v", err)
		case int64(len(data)) > limit:
			f = Errorf(Failed, "the answer has %d bytes, and NATS takes %d", len(data), limit)
		default:
			return data
		}
	}
	data, err := encodeReply(&reply{From: from, Error: f})
	if err != nil { // an id and a text always can
		return nil
	}
	return data
}

func encodeReply(r *reply) ([]byte, error) {
	var buf bytes.Buffer
	err := encode(&buf, r)
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}

// encode writes a line of JSON. It leaves <, > and & as they are, which would be six bytes each.
func encode(w *bytes.Buffer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// ErrAnswer is wrapped by what DecodeAnswer returns for what is no answer.
var ErrAnswer = errors.New("operate: not an answer")

// DecodeAnswer reads an answer into what answer points to, and returns the id of the process that it is from. Its error is the
// Error that came in place of an answer, or wraps ErrAnswer.
func DecodeAnswer(data []byte, answer any) (from string, err error) {
	var text json.RawMessage
	r := reply{Answer: &text}
	if err := json.Unmarshal(data, &r); err != nil {
		return "", fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if r.Error != nil {
		return r.From, r.Error
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return r.From, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return r.From, nil
}
