package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalling/api/bus"
)

func apply(t *testing.T, p *Partition, want bus.Result, c bus.Command) bus.Answer {
	t.Helper()
	a, _ := p.Apply(&c)
	if a.Result != want {
		t.Fatalf("%+v: %s, want %s", c, a.Result, want)
	}
	return a
}

func create(room, client, gateway string, seq uint64) bus.Command {
	return bus.Command{Op: bus.Create, Room: room, Client: client, Gateway: gateway, Seq: seq}
}

func join(room, client, gateway string, seq uint64) bus.Command {
	return bus.Command{Op: bus.Join, Room: room, Client: client, Gateway: gateway, Seq: seq}
}

func leave(room, client, gateway string, seq uint64) bus.Command {
	return bus.Command{Op: bus.Leave, Room: room, Client: client, Gateway: gateway, Seq: seq}
}

func clients(members []bus.Member) string {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.Client)
	}
	return strings.Join(ids, " ")
}

func TestRepeatedCommands(t *testing.T) {
	p := New(1, Limits{})
	first := apply(t, p, bus.Done, create("r", "a", "g", 1))
	apply(t, p, bus.Done, join("r", "b", "h", 1))
	again := apply(t, p, bus.Done, create("r", "a", "g", 1))
	if again.Born != first.Born || clients(again.Members) != "a b" {
		t.Errorf("a repeated create: %+v after %+v", again, first)
	}
	apply(t, p, bus.Exists, create("r", "a", "g", 2)) // another command, though by the owner
	apply(t, p, bus.Exists, create("r", "a", "h", 1)) // another gateway's number
	apply(t, p, bus.Exists, create("r", "b", "h", 1)) // a member, but not by a create
	a, e := p.Apply(&bus.Command{Op: bus.Join, Room: "r", Client: "b", Gateway: "h", Seq: 1})
	if a.Result != bus.Done || e.Kind != "" || a.Stamp != again.Stamp || clients(a.Members) != "a b" {
		t.Errorf("a repeated join: %+v, event %+v", a, e)
	}
}

func TestAJoinAgainIsNewerThanAnEarlierAnnouncement(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("r", "a", "g", 1))
	apply(t, p, bus.Done, join("r", "b", "h", 1)) // the answer is lost, and the gateway gives up
	apply(t, p, bus.Done, join("r", "b", "h", 3)) // overtakes what was announced before it
	if events, _ := p.Announce(&bus.Announce{Gateway: "h", AsOf: 2, Full: true}); len(events) > 0 {
		t.Errorf("events %+v", events)
	}
}

func TestALeaveCountsOnlyFromTheClientsGateway(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("r", "a", "g", 1))
	apply(t, p, bus.NotIn, leave("r", "a", "h", 1))
	apply(t, p, bus.Done, leave("r", "a", "g", 2))
	apply(t, p, bus.NotIn, leave("r", "a", "g", 2))
}

func TestARoomMayBeFull(t *testing.T) {
	p := New(1, Limits{MembersPerRoom: 2})
	apply(t, p, bus.Done, create("r", "a", "g", 1))
	apply(t, p, bus.Done, join("r", "b", "g", 2))
	if a := apply(t, p, bus.Refused, join("r", "c", "g", 3)); a.Code != CodeRoomFull || a.Message == "" {
		t.Errorf("answer %+v", a)
	}
	apply(t, p, bus.Done, join("r", "b", "g", 4)) // is in already
	apply(t, p, bus.Done, leave("r", "b", "g", 5))
	apply(t, p, bus.Done, join("r", "c", "g", 6))
	if New(1, Limits{MembersPerRoom: 1 << 20}).limits.MembersPerRoom != MaxMembers {
		t.Error("more members are allowed than fit a message")
	}
}

func TestAPartitionMayBeFull(t *testing.T) {
	p := New(1, Limits{Rooms: 2})
	apply(t, p, bus.Done, create("r", "a", "g", 1))
	apply(t, p, bus.Done, create("s", "a", "g", 2))
	if a := apply(t, p, bus.Refused, create("t", "a", "g", 3)); a.Code != CodeRateLimited || a.Message == "" {
		t.Errorf("answer %+v", a)
	}
	apply(t, p, bus.Exists, create("r", "b", "g", 4))
	apply(t, p, bus.Done, join("r", "b", "g", 5))
	apply(t, p, bus.Done, leave("s", "a", "g", 6)) // its owner: the room ends
	apply(t, p, bus.Done, create("t", "a", "g", 7))
}

func TestAnUnknownOperationIsRefused(t *testing.T) {
	if a := apply(t, New(1, Limits{}), bus.Refused, bus.Command{Op: "dance", Room: "r", Client: "a", Gateway: "g"}); a.Code != CodeBadRequest {
		t.Errorf("answer %+v", a)
	}
}

func TestHaveSparesTheRoster(t *testing.T) {
	p := New(7, Limits{})
	apply(t, p, bus.Done, create("r", "a", "g", 1))
	c := join("r", "b", "g", 2)
	c.Have = 7
	if a := apply(t, p, bus.Done, c); a.Members != nil || a.Owner != "a" || a.Born == (bus.Stamp{}) || a.Epoch != 7 {
		t.Errorf("answer %+v", a)
	}
	c.Have = 6
	if a := apply(t, p, bus.Done, c); clients(a.Members) != "a b" {
		t.Errorf("answer %+v", a)
	}
}

func TestAnnouncedMembersThatAreUnknownStayOut(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("r", "a", "g", 1))
	events, corrections := p.Announce(&bus.Announce{Gateway: "h", AsOf: 9, Full: true, Rooms: []bus.AnnouncedRoom{
		{Room: "r", Members: []bus.Member{{Client: "ghost", Since: 3}}},
		{Room: "nowhere", Members: []bus.Member{{Client: "ghost", Since: 3}}},
	}})
	if len(events) > 0 {
		t.Errorf("events %+v", events)
	}
	rooms := corrections[0].Rooms
	if len(corrections) != 1 || clients(rooms[0].Members) != "a" || rooms[0].Same || !rooms[1].Gone {
		t.Errorf("corrections %+v", corrections)
	}
}

func TestAnnouncementsConcludeNothingFromWhatTheyCannotKnow(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("r", "owner", "g", 1))
	for i, c := range []string{"held", "unsettled", "gone", "later"} {
		apply(t, p, bus.Done, join("r", c, "g", uint64(i+2)))
	}
	apply(t, p, bus.Done, join("r", "other", "h", 1))
	a := bus.Announce{Gateway: "g", AsOf: 4, Rooms: []bus.AnnouncedRoom{
		{Room: "r", Members: []bus.Member{{Client: "owner"}, {Client: "held"}}, Unsettled: []string{"unsettled"}},
	}}
	// The same with so many members that they are looked up in another way.
	for i := range 100 {
		a.Rooms[0].Members = append(a.Rooms[0].Members, bus.Member{Client: fmt.Sprint(i)})
	}
	for range 2 {
		events, corrections := p.Announce(&a)
		if len(events) == 1 && (events[0].Client != "gone" || events[0].Kind != bus.Left) {
			t.Errorf("events %+v", events)
		}
		if got := clients(corrections[0].Rooms[0].Members); got != "owner held unsettled later other" {
			t.Errorf("members %s", got)
		}
		a.Rooms[0].Members = a.Rooms[0].Members[:2]
	}
}

func TestAFullAnnouncementGivesUpWhatItDoesNotName(t *testing.T) {
	p := New(1, Limits{})
	apply(t, p, bus.Done, create("mine", "a", "g", 1))
	apply(t, p, bus.Done, create("theirs", "x", "h", 1))
	apply(t, p, bus.Done, join("theirs", "a", "g", 2))
	if events, _ := p.Announce(&bus.Announce{Gateway: "g", AsOf: 2}); len(events) > 0 {
		t.Errorf("events %+v", events)
	}
	events, corrections := p.Announce(&bus.Announce{Gateway: "g", AsOf: 2, Full: true})
	if len(events) != 2 || events[0].Kind != bus.Closed || events[0].Room != "mine" || events[1].Kind != bus.Left || events[1].Client != "a" {
		t.Errorf("events %+v", events)
	}
	if len(corrections) != 1 || !corrections[0].Last || len(corrections[0].Rooms) > 0 {
		t.Errorf("corrections %+v", corrections)
	}
}

func TestSameNeedsTheSameIncarnation(t *testing.T) {
	p := New(1, Limits{})
	old := apply(t, p, bus.Done, create("r", "a", "g", 1)).Roster
	old.Members = append([]bus.Member(nil), old.Members...)
	apply(t, p, bus.Done, leave("r", "a", "g", 2))
	now := apply(t, p, bus.Done, create("r", "a", "g", 3)).Roster
	for _, c := range []struct {
		view bus.Roster
		same bool
	}{{old, false}, {now, true}, {bus.Roster{Stamp: now.Stamp, Born: now.Born, Owner: "a"}, false}} {
		_, corrections := p.Announce(&bus.Announce{Gateway: "g", AsOf: 3, Rooms: []bus.AnnouncedRoom{
			{Room: "r", Stamp: c.view.Stamp, Born: c.view.Born, Owner: "a", Digest: c.view.Digest(), Members: []bus.Member{{Client: "a"}}},
		}})
		got := corrections[0].Rooms[0]
		if got.Same != c.same || got.Stamp != now.Stamp || got.Born != now.Born {
			t.Errorf("view %+v: %+v", c.view, got)
		}
		if c.same != (got.Members == nil) {
			t.Errorf("members %+v", got.Members)
		}
	}
}

func TestLargeCorrectionsAreSplit(t *testing.T) {
	p := New(1, Limits{})
	a := bus.Announce{Gateway: "g", AsOf: 1 << 40, Full: true}
	for i := range 60 {
		name := fmt.Sprintf("%d %s", i, strings.Repeat("\x01", 200))
		apply(t, p, bus.Done, create(name, "owner-of-twenty-chars", "g-twelvechar", 1))
		ar := bus.AnnouncedRoom{Room: name, Members: []bus.Member{{Client: "owner-of-twenty-chars"}}}
		for j := range 500 {
			c := fmt.Sprintf("client-%013d", j)
			apply(t, p, bus.Done, join(name, c, "g-twelvechar", 2))
			ar.Members = append(ar.Members, bus.Member{Client: c})
		}
		a.Rooms = append(a.Rooms, ar)
	}
	_, corrections := p.Announce(&a)
	rooms := 0
	for i, c := range corrections {
		if c.Part != uint64(i) || c.Last != (i == len(corrections)-1) || c.Epoch != 1 {
			t.Errorf("part %d: %+v", i, c)
		}
		size := len(c.Append(nil))
		if size > bus.MaxPartBytes || (!c.Last && size < bus.MaxPartBytes/3) {
			t.Errorf("part %d of %d has %d bytes", i, len(corrections), size)
		}
		for _, r := range c.Rooms {
			if r.Room != a.Rooms[rooms].Room || len(r.Members) != 501 {
				t.Fatalf("room %d is %q with %d members", rooms, r.Room, len(r.Members))
			}
			rooms++
		}
	}
	if rooms != 60 || len(corrections) < 3 {
		t.Errorf("%d rooms in %d parts", rooms, len(corrections))
	}
}

func TestTheLargestRosterFitsAMessage(t *testing.T) {
	r := bus.CorrectedRoom{Room: strings.Repeat("\x01", 256), Roster: bus.Roster{Stamp: bus.Stamp{Epoch: 1 << 53, Version: 1 << 53}, Born: bus.Stamp{Epoch: 1 << 53, Version: 1 << 53}}}
	r.Owner = strings.Repeat("c", 40)
	for range MaxMembers {
		r.Members = append(r.Members, bus.Member{Client: r.Owner, Gateway: "g-twelvechar", Since: 1 << 53, Seq: 1 << 53, Inc: 1 << 41, Proven: 1 << 41})
	}
	c := bus.Correction{Rooms: []bus.CorrectedRoom{r}}
	if size, bound := len(c.Append(nil)), maxSize(&r); size > bus.MaxPartBytes || size > bound {
		t.Errorf("%d bytes, estimated %d", size, bound)
	}
}

func TestDigestsAreSplit(t *testing.T) {
	p := New(3, Limits{})
	for i := range 1000 {
		name := fmt.Sprintf("%d %s", i, strings.Repeat("\x01", 250))
		apply(t, p, bus.Done, create(name, "a", "g", 1))
		apply(t, p, bus.Done, leave(name, "a", "g", 2))
	}
	n := 0
	for _, d := range p.Changed(9) {
		if size := len(d.Append(nil)); size > bus.MaxPartBytes || d.Partition != 9 || d.Epoch != 3 {
			t.Errorf("%d bytes, partition %d, epoch %d", size, d.Partition, d.Epoch)
		}
		n += len(d.Rooms)
	}
	if n != 1000 {
		t.Errorf("%d rooms", n)
	}
	p.Forget()
	if len(p.Changed(9)) > 0 {
		t.Error("not forgotten")
	}
}

func announced(gateway string, rooms ...bus.AnnouncedRoom) *bus.Announce {
	return &bus.Announce{Gateway: gateway, Full: true, Rooms: rooms}
}

func TestRebuild(t *testing.T) {
	older, newer := bus.Stamp{Epoch: 1, Version: 40}, bus.Stamp{Epoch: 2, Version: 10}
	m := func(client string, since uint64) bus.Member { return bus.Member{Client: client, Since: since, Seq: 1} }
	all := []*bus.Announce{
		announced("g",
			bus.AnnouncedRoom{Room: "union", Born: newer, Owner: "a", Members: []bus.Member{m("a", 10), m("c", 12), m("moved", 11)}},
			bus.AnnouncedRoom{Room: "reborn", Born: older, Owner: "a", Members: []bus.Member{m("a", 40), m("stale", 41)}},
			bus.AnnouncedRoom{Room: "orphaned", Born: newer, Owner: "dead", Members: []bus.Member{m("a", 99)}},
			bus.AnnouncedRoom{Room: "creating", Unsettled: []string{"a"}},
			bus.AnnouncedRoom{Room: "unsettled", Unsettled: []string{"a"}}),
		announced("h",
			bus.AnnouncedRoom{Room: "union", Born: newer, Owner: "a", Members: []bus.Member{m("b", 11), m("moved", 13), m("unknown", 0)}},
			bus.AnnouncedRoom{Room: "reborn", Born: newer, Owner: "b", Members: []bus.Member{m("b", 10)}},
			bus.AnnouncedRoom{Room: "creating", Born: newer, Owner: "a", Members: []bus.Member{m("b", 11)}}),
	}
	checkRebuilt(t, Rebuild(3, Limits{}, all))
	slices.Reverse(all)
	checkRebuilt(t, Rebuild(3, Limits{}, all))
}

func checkRebuilt(t *testing.T, p *Partition) {
	t.Helper()
	got := map[string]string{}
	for name, r := range p.rooms {
		got[name] = fmt.Sprint(r.owner, ": ", clients(r.members), " ", r.born)
		if r.version <= 99 || r.version > p.counter {
			t.Errorf("%s continues at %d", name, r.version)
		}
	}
	if diff := cmp.Diff(map[string]string{
		"union":    "a: a b c moved unknown {2 10}",
		"reborn":   "b: b {2 10}",
		"creating": "a: a b {2 10}",
	}, got); diff != "" {
		t.Error(diff)
	}
	if i := p.rooms["union"].find("moved"); p.rooms["union"].members[i].Gateway != "h" {
		t.Error("a client that two gateways hold is where it came first")
	}
	// The create whose answer was lost has been carried out once.
	if a := apply(t, p, bus.Done, create("creating", "a", "g", 5)); clients(a.Members) != "a b" {
		t.Errorf("answer %+v", a)
	}
	apply(t, p, bus.Exists, create("creating", "a", "g", 6))
	apply(t, p, bus.Done, join("union", "last", "g", 7))
	if p.rooms["union"].members[5].Client != "last" {
		t.Errorf("members %+v", p.rooms["union"].members)
	}
	if p.Gateways() != 2 || p.Members() != 9 || p.Rooms() != 3 {
		t.Errorf("%d gateways, %d members, %d rooms", p.Gateways(), p.Members(), p.Rooms())
	}
}

func BenchmarkJoinLeave(b *testing.B) {
	for _, n := range []int{2, 30, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := New(1, Limits{})
			for i := range n {
				c := join("r", fmt.Sprintf("client-%013d", i), "g", 1)
				if i == 0 {
					c.Op = bus.Create
				}
				p.Apply(&c)
			}
			in, out := join("r", "another", "h", 1), leave("r", "another", "h", 2)
			b.ReportAllocs()
			for b.Loop() {
				p.Apply(&in)
				p.Apply(&out)
			}
		})
	}
}

func BenchmarkRebuild(b *testing.B) {
	const rooms, members = 400, 4
	all := make([]*bus.Announce, 4)
	for g := range all {
		all[g] = announced(fmt.Sprintf("gateway-%04d", g))
		for r := range rooms {
			all[g].Rooms = append(all[g].Rooms, bus.AnnouncedRoom{
				Room: fmt.Sprintf("room-%d", r), Born: bus.Stamp{Epoch: 1, Version: 1}, Owner: "client-0",
				Members: []bus.Member{{Client: fmt.Sprintf("client-%d", g), Since: uint64(g + 1)}},
			})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if p := Rebuild(2, Limits{}, all); p.Members() != rooms*members {
			b.Fatal(p.Members())
		}
	}
}
