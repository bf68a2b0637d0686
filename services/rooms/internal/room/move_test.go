package room

import (
	"testing"

	"signalling/api/bus"
)

// A member is where the newest incarnation of its client's session is, whatever order the moves come in, and no token moves it
// that its client has shown to be old.
func TestMoves(t *testing.T) {
	move := func(to, from string, seq, inc, proven uint64) bus.Command {
		return bus.Command{Op: bus.Move, Gateway: to, From: from, Room: "r", Client: "a", Seq: seq, Inc: inc, Proven: proven}
	}
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("r", "a", "g1", 10))
	for _, step := range []struct {
		c      bus.Command
		result bus.Result
		at     string
	}{
		{move("g3", "g1", 1, 7, 0), bus.Done, "g3"},      // the client has come to g2 first, then to g3
		{move("g2", "g1", 1, 6, 0), bus.Elsewhere, "g3"}, // g2 is late
		{move("g3", "g3", 9, 7, 7), bus.Done, "g3"},      // the client has shown that it is at g3
		{move("g2", "g3", 2, 8, 6), bus.Elsewhere, "g3"}, // with an older token
		{move("g2", "g1", 2, 8, 7), bus.Done, "g2"},      // wherever it was taken from
		{move("g1", "g1", 3, 8, 7), bus.Elsewhere, "g2"},
	} {
		apply(t, p, step.result, step.c)
		if m := p.rooms["r"].members[0]; m.Gateway != step.at {
			t.Fatalf("after %+v it is at %s", step.c, m.Gateway)
		}
	}
	// That a client has shown something does not void its commands from before.
	apply(t, p, bus.Done, move("g2", "g2", 9, 8, 8))
	apply(t, p, bus.Done, leave("r", "a", "g2", 3))
}
