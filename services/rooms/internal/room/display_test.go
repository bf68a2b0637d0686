package room

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalling/api/bus"
)

// shown is the command of a client with a display identity.
func shown(c bus.Command, display string) bus.Command {
	c.Display = display
	return c
}

// displays lists the members that have a display identity.
func displays(members []bus.Member) map[string]string {
	all := map[string]string{}
	for _, m := range members {
		if m.Display != "" {
			all[m.Client] = m.Display
		}
	}
	return all
}

func TestMembersKeepTheirDisplayIdentities(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, shown(create("r", "a", "g", 1), "Alice"))
	_, e := p.Apply(&bus.Command{Op: bus.Join, Room: "r", Client: "b", Gateway: "h", Seq: 1, Display: "Bob"})
	if e.Kind != bus.Joined || e.Display != "Bob" {
		t.Errorf("event %+v", e)
	}
	apply(t, p, bus.Done, join("r", "c", "h", 2))
	apply(t, p, bus.Done, bus.Command{Op: bus.Move, Room: "r", Client: "b", Gateway: "g", From: "h", Inc: 1, Seq: 2})
	want := map[string]string{"a": "Alice", "b": "Bob"}
	a := apply(t, p, bus.Done, shown(join("r", "b", "g", 3), "Bob"))
	if diff := cmp.Diff(want, displays(a.Members)); diff != "" {
		t.Error(diff)
	}
	found := apply(t, p, bus.Done, bus.Command{Op: bus.Find, Gateway: "i", Clients: []string{"b", "c"}}).Found
	if len(found) != 2 || found[0].Client != "c" || found[0].Display != "" || found[1].Display != "Bob" { // the shorter one first
		t.Errorf("found %+v", found)
	}
	_, corrections := p.Announce(&bus.Announce{Gateway: "i", Rooms: []bus.AnnouncedRoom{{Room: "r"}}})
	if diff := cmp.Diff(want, displays(corrections[0].Rooms[0].Members)); diff != "" {
		t.Error(diff)
	}
}

// A new owner has them from the gateways, also that of an owner whose create is not answered yet.
func TestRebuildKnowsDisplayIdentities(t *testing.T) {
	born := bus.Stamp{Epoch: 2, Version: 10}
	p := Rebuild(3, Limits{}, []*bus.Announce{
		announced("g", bus.AnnouncedRoom{Room: "r", Unsettled: []string{"x", "a"}, Displays: []string{"", "Alice"}}),
		announced("g2", bus.AnnouncedRoom{Room: "q", Born: bus.Stamp{Epoch: 2, Version: 3}, Owner: "c", Unsettled: []string{"c"}, Members: []bus.Member{
			{Client: "c", Since: 3, Seq: 1, Display: "Carol"}, // of the room before, and creates the next one
		}}),
		announced("h2", bus.AnnouncedRoom{Room: "q", Born: bus.Stamp{Epoch: 2, Version: 12}, Owner: "c", Members: []bus.Member{
			{Client: "d", Since: 13, Seq: 2},
		}}),
		announced("h", bus.AnnouncedRoom{Room: "r", Born: born, Owner: "a", Members: []bus.Member{
			{Client: "b", Since: 11, Seq: 1, Display: "Bob"}, {Client: "c", Since: 12, Seq: 2},
		}}),
		announced("i", bus.AnnouncedRoom{Room: "s", Unsettled: []string{"x", "y"}, Displays: []string{"X"}}), // of another version
	})
	if diff := cmp.Diff(map[string]string{"a": "Alice", "b": "Bob"}, displays(p.rooms["r"].members)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"c": "Carol"}, displays(p.rooms["q"].members)); diff != "" {
		t.Error(diff)
	}
}

// A room takes no member whose display identity would make its roster longer than a message.
func TestDisplayIdentitiesOfARoomHaveABound(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("r", "owner", "g", 1))
	long, n := strings.Repeat(`"`, 128), 0
	for size := 0; size+bus.DisplaySize(long) <= bus.MaxDisplaysBytes; size += bus.DisplaySize(long) {
		n++
		apply(t, p, bus.Done, shown(join("r", bus.NewClientID(), "g-twelvechar", 1<<53), long))
	}
	a := apply(t, p, bus.Refused, shown(join("r", "one more", "g", 3), long))
	if a.Code != CodeRoomFull || n < 1000 {
		t.Errorf("after %d: %+v", n, a)
	}
	last := apply(t, p, bus.Done, join("r", "without", "g", 4))
	c := bus.CorrectedRoom{Room: "r", Roster: last.Roster}
	if size := len(last.Append(nil)); size > bus.MaxPartBytes+bus.MaxDisplaysBytes || size > maxSize(&c) {
		t.Errorf("%d bytes, estimated %d", size, maxSize(&c))
	}
}
