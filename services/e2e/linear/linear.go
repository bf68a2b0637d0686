// Package linear decides whether what came of the commands in one room could have come of them one after the other
// (linearizability, with github.com/anishathalye/porcupine): whether there is an order, in which each command takes effect
// between its call and its return, and has the result that its caller was told.
package linear

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Kind is what an operation does to a room.
type Kind string

// The kinds of operations. The first three are commands of clients.
const (
	Create Kind = "create"
	Join   Kind = "join"
	Leave  Kind = "leave"
	// Gone ends a client's membership, if it has one, without a command: its connection has ended, or its gateway is given
	// up.
	Gone Kind = "gone"
	// Absent is a look: the client is not a member.
	Absent Kind = "absent"
)

// Result is what the caller of a command was told.
type Result string

// The results of a command. The other kinds are OK.
const (
	OK Result = "ok"
	// No: the room exists, does not exist, or the client is not in it.
	No Result = "no"
	// Unknown: nothing is known; it may take effect at any time after its call, or never.
	Unknown Result = "unknown"
	// Either is the result of a leave of which it is only known that the client is not a member afterwards.
	Either Result = "either"
)

// Forever is the Return of what has not returned.
const Forever = time.Duration(math.MaxInt64)

// Op is one operation on a room.
type Op struct {
	Client string
	Kind   Kind
	Result Result
	// Call and Return are the bounds of its effect, since any moment.
	Call, Return time.Duration
}

// String implements fmt.Stringer.
func (o Op) String() string {
	end := "…"
	if o.Return != Forever {
		end = fmt.Sprintf("%.3f", o.Return.Seconds())
	}
	return fmt.Sprintf("[%8.3f, %8s] %s %s: %s", o.Call.Seconds(), end, o.Client, o.Kind, o.Result)
}

// Verdict is the outcome of Check.
type Verdict string

// The verdicts.
const (
	Possible   Verdict = "possible"
	Impossible Verdict = "impossible"
	// Undecided: the time was too short.
	Undecided Verdict = "undecided"
)

// Check decides about the operations on one room, which does not exist before them, within a time.
func Check(ops []Op, timeout time.Duration) Verdict {
	switch porcupine.CheckOperationsTimeout(model, history(ops), timeout) {
	case porcupine.Ok:
		return Possible
	case porcupine.Illegal:
		return Impossible
	}
	return Undecided
}

// history numbers the clients and leaves the time after the call open where the result is unknown.
func history(ops []Op) []porcupine.Operation {
	clients := map[string]byte{}
	all := make([]porcupine.Operation, 0, len(ops))
	for _, o := range ops {
		n, ok := clients[o.Client]
		if !ok {
			n = byte(len(clients) + 1)
			clients[o.Client] = n
			if n == 0 {
				panic("more than 255 clients in a room")
			}
		}
		end := int64(o.Return)
		if o.Result == Unknown {
			end = math.MaxInt64
		}
		all = append(all, porcupine.Operation{
			Input: input{o.Kind, n}, Output: o.Result, Call: int64(o.Call), Return: end,
		})
	}
	return all
}

type input struct {
	kind   Kind
	client byte
}

// room is the state: its owner, 0 if the room does not exist, and its members in ascending order.
type room struct {
	owner   byte
	members string
}

func (r room) has(c byte) bool { return strings.IndexByte(r.members, c) >= 0 }

func (r room) with(c byte) room {
	if r.has(c) {
		return r
	}
	members := append([]byte(r.members), c)
	slices.Sort(members)
	return room{r.owner, string(members)}
}

func (r room) without(c byte) room {
	if r.owner == c {
		return room{}
	}
	i := strings.IndexByte(r.members, c)
	if i < 0 {
		return r
	}
	return room{r.owner, r.members[:i] + r.members[i+1:]}
}

var model = porcupine.Model{
	Init: func() any { return room{} },
	Step: func(state, in, out any) (bool, any) {
		r, _ := state.(room)
		i, _ := in.(input)
		result, _ := out.(Result)
		ok, next := step(r, i, result)
		return ok, next
	},
	Equal: func(a, b any) bool { return a == b },
}

// step carries out an operation. One with an unknown result always can be: "never" is the same as after all others.
func step(r room, i input, result Result) (possible bool, next room) {
	exists, member := r.owner != 0, r.has(i.client)
	switch i.kind {
	case Create:
		if exists {
			return result != OK, r
		}
		return result != No, room{i.client, string(i.client)}
	case Join:
		if !exists {
			return result != OK, r
		}
		return result != No, r.with(i.client)
	case Leave:
		if !member {
			return result != OK, r
		}
		return result != No, r.without(i.client)
	case Gone:
		return true, r.without(i.client)
	case Absent:
		return !member, r
	}
	return false, r
}

// Shorten returns the shortest beginning of an impossible history that is impossible: what was called later is left out,
// and what had not returned is unknown.
func Shorten(ops []Op, timeout time.Duration) []Op {
	var ends []time.Duration
	for _, o := range ops {
		if o.Return != Forever {
			ends = append(ends, o.Return)
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	n, _ := slices.BinarySearchFunc(ends, true, func(end time.Duration, _ bool) int {
		if Check(until(ops, end), timeout) == Impossible {
			return 0
		}
		return -1
	})
	if n == len(ends) {
		return ops
	}
	short := until(ops, ends[n])
	slices.SortStableFunc(short, func(a, b Op) int { return int(a.Call - b.Call) })
	return short
}

// until returns what was known at a time.
func until(ops []Op, end time.Duration) (known []Op) {
	for _, o := range ops {
		switch {
		case o.Call > end:
			continue
		case o.Return > end && o.Kind == Absent:
			continue
		case o.Return > end:
			o.Return = Forever
			if o.Kind != Gone {
				o.Result = Unknown
			}
		}
		known = append(known, o)
	}
	return known
}
