package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	api "signalling/api/client"
)

// Seen is one thing that a client received.
type Seen struct {
	Event api.Event
	// Answer says that it answers a command other than signal-send.
	Answer bool
	// At is when it came, since any moment that all clients share.
	At time.Duration
}

// Mode says what may have happened.
type Mode int

const (
	// Strict is for a time without faults.
	Strict Mode = iota
	// Repaired is for a time with faults, after which clients are told differences only: what came and went unseen is not
	// told, so that members need not have seen the same changes. What they know after each of them is the same, and in the
	// same order, but for a client's own place: a join or create that was answered with unavailable can have worked all the
	// same, which the answer to the next one tells. A client can learn that it is not in a room by the answer to its command,
	// and an owner that it has lost its room because its gateway was given up.
	Repaired
	// Revived is Repaired for several faults at once: a gateway is cut off and given up, and then the owner goes that knows
	// so. The next one hears of the gateway's members again and takes them back, where they stood; those who were told that
	// they left are told that they join, and have them last. So the order of members is not compared.
	Revived
)

// History is all that one client received, in order.
type History struct {
	Client string
	Seen   []Seen
	// Ended says that the client's connection ended, and with it what it could see.
	Ended bool
}

// Change is one entry in a room's log.
type Change struct {
	Joined bool // else it left
	Client string
}

// String implements fmt.Stringer.
func (c Change) String() string {
	if c.Joined {
		return "+" + c.Client
	}
	return "-" + c.Client
}

// End says how a Stint ended.
type End string

// The ends of a stint.
const (
	Open    End = "open"    // it has not ended
	Left    End = "left"    // by the client's own leave
	Kicked  End = "kicked"  // the room was closed
	Dropped End = "dropped" // the client's connection ended
)

// Stint is one client's time in a room, from its room-created or room-joined to its end.
type Stint struct {
	Client, Room, Owner string
	// Before are the members that were there, in join order; none for the owner.
	Before []string
	Log    []Change
	End    End
	// Begun is when the client was told that it is a member, and Over when it was told that it is none, if it was.
	Begun, Over time.Duration

	members []string // after Log
}

// Members are all members as the client knows them, itself included, in join order.
func (s *Stint) Members() []string { return slices.Clone(s.members) }

// apply returns the members after some changes.
func apply(members []string, log []Change) []string {
	for _, c := range log {
		if c.Joined {
			members = append(members, c.Client)
		} else if i := slices.Index(members, c.Client); i >= 0 {
			members = slices.Delete(members, i, i+1)
		}
	}
	return members
}

// Fold follows one client through its rooms. The stints are in the order of their beginnings. Signals whose data is a
// number must come with ascending numbers from each sender in a room.
func Fold(h History, mode Mode) (stints []*Stint, violations []string) {
	f := folder{
		client: h.Client, mode: mode, open: map[string]*Stint{}, signals: map[[2]string]uint64{}, again: map[[2]string]bool{},
	}
	for i, seen := range h.Seen {
		if problem := f.step(seen); problem != "" {
			violation := fmt.Sprintf("%s, event %d (%s): %s", h.Client, i, describe(seen.Event), problem)
			if len(violations) == 0 { // further ones follow from it, mostly
				violation += before(h.Seen[:i], seen.Event)
			}
			violations = append(violations, violation)
		}
	}
	for _, s := range f.stints {
		if s.End == Open && h.Ended {
			s.End = Dropped
		}
	}
	return f.stints, violations
}

// shown is how much of what a client saw before a violation is told with it.
const shown = 12

// About tells what the client saw of a room, but for signals, in lines.
func (h *History) About(room string) string {
	var b strings.Builder
	for i, seen := range h.Seen {
		if _, isSignal := seen.Event.(*api.SignalReceive); roomOf(seen.Event) == room && !isSignal {
			fmt.Fprintf(&b, "    %d, at %.3f s: %s\n", i, seen.At.Seconds(), describe(seen.Event))
		}
	}
	return b.String()
}

// All tells all that the client saw, in lines.
func (h *History) All() string {
	var b strings.Builder
	for i, seen := range h.Seen {
		fmt.Fprintf(&b, "    %d, at %.3f s: %s\n", i, seen.At.Seconds(), describe(seen.Event))
	}
	return b.String()
}

// before tells what a client saw last of an event's room before it.
func before(seen []Seen, e api.Event) string {
	room, lines := roomOf(e), []string{}
	for i := len(seen) - 1; i >= 0 && len(lines) < shown; i-- {
		_, isSignal := seen[i].Event.(*api.SignalReceive)
		if roomOf(seen[i].Event) == room && !isSignal {
			lines = append(lines, fmt.Sprintf("\n    %d, at %.3f s: %s", i, seen[i].At.Seconds(), describe(seen[i].Event)))
		}
	}
	slices.Reverse(lines)
	return strings.Join(lines, "")
}

func roomOf(e api.Event) string {
	switch e := e.(type) {
	case *api.RoomCreated:
		return e.Room
	case *api.RoomExists:
		return e.Room
	case *api.RoomJoined:
		return e.Room
	case *api.RoomNotExists:
		return e.Room
	case *api.RoomLeft:
		return e.Room
	case *api.NotInRoom:
		return e.Room
	case *api.ClientJoined:
		return e.Room
	case *api.ClientLeft:
		return e.Room
	case *api.SignalReceive:
		return e.Room
	}
	return ""
}

func describe(e api.Event) string { return string(api.AppendObject(nil, e, nil)) }

type folder struct {
	client  string
	mode    Mode
	now     time.Duration
	open    map[string]*Stint // by room
	stints  []*Stint
	signals map[[2]string]uint64 // the last number, by room and sender
	resumed bool                 // the session was resumed
	again   map[[2]string]bool   // from whom signals may begin again, once
	named   []string             // rooms of which it was told that it is a member, and which it has not got yet
}

func (f *folder) step(seen Seen) string {
	f.now = seen.At
	switch e := seen.Event.(type) {
	case *api.RoomCreated:
		return f.begin(&Stint{Room: e.Room, Owner: f.client})
	case *api.RoomJoined:
		return f.joined(e)
	case *api.RoomLeft:
		return f.end(e, seen.Answer)
	case *api.ClientJoined:
		return f.change(e.Room, Change{true, e.ClientID})
	case *api.ClientLeft:
		return f.change(e.Room, Change{false, e.ClientID})
	case *api.SignalReceive:
		return f.signal(e)
	case *api.Resumed:
		f.resume(e)
	case *api.NotInRoom:
		// For a signal this can come late, when the client has joined again.
		if seen.Answer {
			return f.lost(e.Room)
		}
	case *api.RoomNotExists:
		if f.mode == Strict && f.open[e.Room] != nil {
			return "but it is a member"
		}
	}
	return ""
}

// resume takes up the session. A client that has missed something is told where it is a member; it gets those rooms whole.
//
// Signals that its gateway has delivered and not acknowledged when it died are sent again: PROTOCOL.md, 2.6. So each sender's
// may go back once, and then ascend again.
func (f *folder) resume(e *api.Resumed) {
	f.resumed = true
	if !e.Missed {
		return
	}
	f.named = slices.Clone(e.Rooms)
	for room, s := range f.open {
		if !slices.Contains(e.Rooms, room) {
			s.End, s.Over = Kicked, f.now
			delete(f.open, room)
		}
	}
	for from := range f.signals {
		f.again[from] = true
	}
}

// replace takes a room as it is now.
func (f *folder) replace(e *api.RoomJoined) string {
	f.named = slices.DeleteFunc(f.named, func(room string) bool { return room == e.Room })
	s := f.open[e.Room]
	switch {
	case !f.resumed:
		return "but the session was not resumed"
	case s != nil && s.Owner == e.OwnerID:
		s.members = append(slices.Clone(e.Clients), f.client)
		return ""
	case s != nil: // it was closed, and the client has come into the next one of the name
		s.End, s.Over = Kicked, f.now
		delete(f.open, e.Room)
	}
	return f.begin(&Stint{Room: e.Room, Owner: e.OwnerID, Before: e.Clients})
}

// lost ends a stint by an answer that tells that there is none.
func (f *folder) lost(room string) string {
	s := f.open[room]
	switch {
	case s == nil:
		return ""
	case f.mode == Strict:
		return "but it is a member"
	}
	s.End, s.Over = Kicked, f.now
	delete(f.open, room)
	return ""
}

func (f *folder) begin(s *Stint) string {
	if f.open[s.Room] != nil {
		return "but it is a member already"
	}
	s.Client, s.End, s.Begun = f.client, Open, f.now
	s.members = append(slices.Clone(s.Before), f.client)
	f.open[s.Room] = s
	f.stints = append(f.stints, s)
	return ""
}

func (f *folder) joined(e *api.RoomJoined) string {
	if slices.Contains(e.Clients, f.client) {
		return "it is told of itself"
	}
	if e.OwnerID != f.client && !slices.Contains(e.Clients, e.OwnerID) {
		return "the owner is not in the room"
	}
	if twice := duplicate(e.Clients); twice != "" {
		return twice + " is in it twice"
	}
	if e.Resumed {
		return f.replace(e)
	}
	s := f.open[e.Room]
	if s == nil {
		if e.OwnerID == f.client && f.mode == Strict {
			return "it owns the room and was not in it"
		}
		return f.begin(&Stint{Room: e.Room, Owner: e.OwnerID, Before: e.Clients})
	}
	others := slices.DeleteFunc(s.Members(), func(id string) bool { return id == f.client })
	clients := e.Clients
	if f.mode == Revived {
		clients = slices.Sorted(slices.Values(clients))
		slices.Sort(others)
	}
	if e.OwnerID != s.Owner || !slices.Equal(clients, others) {
		return fmt.Sprintf("but what it was told before is owner %s, others %v", s.Owner, others)
	}
	return ""
}

func (f *folder) end(e *api.RoomLeft, answer bool) string {
	s := f.open[e.Room]
	switch {
	case s == nil && e.Kicked && slices.Contains(f.named, e.Room): // it has ended before it came
		f.named = slices.DeleteFunc(f.named, func(room string) bool { return room == e.Room })
		return ""
	case s == nil:
		return "but it is not a member"
	case e.Kicked && s.Owner == f.client && f.mode == Strict:
		return "but it is the owner"
	case answer == e.Kicked:
		return "only the answer to its own leave is not kicked"
	}
	s.End, s.Over = Left, f.now
	if e.Kicked {
		s.End = Kicked
	}
	delete(f.open, e.Room)
	return ""
}

func (f *folder) change(room string, c Change) string {
	s := f.open[room]
	if s == nil {
		return "but it is not a member"
	}
	there := slices.Contains(s.members, c.Client)
	switch {
	case c.Client == f.client:
		return "it is told of itself"
	case c.Joined && there:
		return "but that one is a member already"
	case !c.Joined && !there:
		return "but that one is not a member"
	case !c.Joined && c.Client == s.Owner:
		return "the owner's leave closes the room"
	}
	s.Log = append(s.Log, c)
	s.members = apply(s.members, []Change{c})
	return ""
}

func (f *folder) signal(e *api.SignalReceive) string {
	s := f.open[e.Room]
	switch {
	case s == nil:
		return "but it is not a member"
	case !slices.Contains(s.members, e.SenderID):
		return "but the sender is not a member"
	}
	n, err := strconv.ParseUint(string(e.Data), 10, 64)
	if err != nil {
		return ""
	}
	from := [2]string{e.Room, e.SenderID}
	if last := f.signals[from]; n <= last && !f.again[from] {
		return fmt.Sprintf("but number %d of this sender came before", last)
	}
	if n <= f.signals[from] {
		delete(f.again, from)
	}
	f.signals[from] = n
	return ""
}

func duplicate(ids []string) string {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if seen[id] {
			return id
		}
		seen[id] = true
	}
	return ""
}
