// Package linear decides whether what came of the commands in one room could have come of them one after the other
// (linearizability): whether there is an order, in which each command takes effect between its call and its return, and has
// the result that its caller was told. See Check for how.
package linear

import (
	"fmt"
	"math"
	"slices"
	"time"
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
	// Maybe: it took effect between its call and its return, or never.
	Maybe Result = "maybe"
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
	// Undecided: there were too many ways in which it could have been.
	Undecided Verdict = "undecided"
)

// Shorten returns the shortest beginning of an impossible history that is impossible: what was called later is left out,
// and what had not returned is unknown.
func Shorten(ops []Op) []Op {
	var ends []time.Duration
	for _, o := range ops {
		if o.Return != Forever {
			ends = append(ends, o.Return)
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	n, _ := slices.BinarySearchFunc(ends, true, func(end time.Duration, _ bool) int {
		if Check(until(ops, end)) == Impossible {
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
