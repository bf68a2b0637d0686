package signalctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalling/api/operate"
	"signalling/pkg/client"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/natskeys"
)

// What people and programs see of a system with rooms, and what they can do with it.
func TestCommands(t *testing.T) {
	s := start(t)
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, *site)
	}{
		{"who is there", testStatus},
		{"rooms and members", testRooms},
		{"names of any kind", testNames},
		{"a client", testClient},
		{"a tail", testTail},
		{"a kick", testKick},
		{"a kick from everywhere", testKickAll},
		{"the owner is kicked", testKickOwner},
		{"a room is closed", testClose},
		{"a test signal", testPing},
		{"what is wrong", testWrong},
		{"other keys", testOtherKeys},
		{"a gateway is drained", testDrain},
		{"an instance is missing", testMissing},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			in := *s
			in.t = t
			scenario.run(t, &in)
		})
	}
}

func testStatus(t *testing.T, s *site) {
	eventually(t, "all partitions are active", func() bool { return s.runAs(natskeys.Admin, "status").code == 0 })
	s.run(0, "status").says(t, "2 gateways, 2 rooms instances; 64 of 64 partitions active")
	all := runJSON[struct{ Gateways []operate.Gateway }](s, 0, "gateways").Gateways
	if len(all) != 2 || !slices.ContainsFunc(all, func(g operate.Gateway) bool { return g.ID == s.id(0) && g.PID > 0 && g.Listen != "" && g.NATS != "" }) {
		t.Errorf("gateways: %+v", all)
	}
	s.run(0, "gateways").says(t, s.id(0), s.id(1), "serving", "CLIENTS")
	parts := runJSON[struct {
		Instances  []operate.Instance
		Partitions []struct {
			Partition int
			Owner     string
			State     string
			Epoch     uint64
		}
	}](s, 0, "partitions")
	if len(parts.Instances) != 2 || len(parts.Partitions) != 64 {
		t.Fatalf("partitions: %+v", parts)
	}
	for n, p := range parts.Partitions {
		if p.Partition != n || p.State != "active" || p.Epoch == 0 {
			t.Errorf("partition %d: %+v", n, p)
		}
		for _, i := range parts.Instances { // as each of them knows it
			if i.Owners[n] != p.Owner {
				t.Errorf("partition %d is owned by %s, %s says %s", n, p.Owner, i.ID, i.Owners[n])
			}
		}
	}
	s.run(0, "partitions").says(t, parts.Instances[0].ID, parts.Instances[1].ID, "kv", "PARTITION")
	s.run(0, "version").says(t, "signalctl")
	s.run(0, "help").says(t, "tail ROOM", "NATS_NKEY")
	s.run(0, "ping", "-help").says(t, "-from gateway")
}

func testRooms(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	owner, member := s.dial(0), s.dial(1)
	for n := range 12 {
		must(t, owner.Create(ctx, fmt.Sprintf("list/%02d", n)))
	}
	must(t, owner.CreateWith(ctx, "list/options", &client.RoomOptions{
		Password: new("let me in"), Capacity: 7, Metadata: json.RawMessage(`{"topic":"x"}`), OnOwnerLost: client.TransferRoom,
	}))
	_, err := member.Join(ctx, "list/05")
	must(t, err)

	list := runJSON[operate.RoomList](s, 0, "rooms", "list/", "-limit", "5")
	if len(list.Rooms) != 5 || list.Total != 13 || !list.More || list.Rooms[0].Name != "list/00" || list.Rooms[4].Name != "list/04" {
		t.Errorf("first page: %+v", list)
	}
	list = runJSON[operate.RoomList](s, 0, "rooms", "list/", "-limit", "100", "-after", "list/04")
	if len(list.Rooms) != 8 || list.More || list.Rooms[0].Name != "list/05" || list.Rooms[0].Members != 2 {
		t.Errorf("second page: %+v", list)
	}
	if r := list.Rooms[7]; r.Name != "list/options" || !r.Password || r.Capacity != 7 || r.Owner != owner.ID() {
		t.Errorf("options: %+v", r)
	}
	list = runJSON[operate.RoomList](s, 0, "rooms", "-largest", "-limit", "1", "list/")
	if len(list.Rooms) != 1 || list.Rooms[0].Name != "list/05" {
		t.Errorf("largest: %+v", list)
	}
	s.run(0, "rooms", "list/", "-limit", "5").says(t, "MEMBERS", "list/00", "5 of 13 rooms; go on with -after 'list/04'")
	s.run(0, "rooms", "list/o").says(t, "password, at most 7")

	room := runJSON[struct {
		operate.RoomState
		Instance string
	}](s, 0, "room", "list/05")
	if room.Members != 2 || len(room.List) != 2 || room.List[0].Client != owner.ID() || room.List[1].Client != member.ID() ||
		room.List[1].Gateway != s.id(1) || room.Owner != owner.ID() || room.Instance == "" {
		t.Errorf("room: %+v", room)
	}
	room.RoomState = runJSON[operate.RoomState](s, 0, "room", "list/05", "-limit=1")
	if len(room.List) != 1 || room.Next == 0 {
		t.Errorf("one member: %+v", room)
	}
	s.run(0, "room", "list/options").says(t, owner.ID(), `{"topic":"x"}`, "goes to the next member when its owner is lost", "at most 7")
	s.run(3, "room", "list/nothing").says(t, `there is no room "list/nothing"`)
}

// What clients choose cannot move the cursor of a terminal, or pass for a line of its own.
func testNames(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	owner := s.dial(0)
	evil := "evil/\x1b[2J\x1b]0;owned\x07\n<script>\u202etxt"
	must(t, owner.Create(ctx, evil))
	for _, args := range [][]string{{"rooms", "evil/"}, {"room", evil}, {"client", owner.ID()}} {
		o := s.run(0, args...)
		if strings.ContainsAny(o.out, "\x1b\x07\u202e") || !strings.Contains(o.out, `"evil/\x1b[2J\x1b]0;owned\a\n<script>\u202etxt"`) {
			t.Errorf("%q: %q", args, o.out)
		}
	}
	if list := runJSON[operate.RoomList](s, 0, "rooms", "evil/"); len(list.Rooms) != 1 || list.Rooms[0].Name != evil {
		t.Errorf("%+v", list)
	}
	o := s.run(0, "close", evil)
	if strings.Contains(o.out, "\x1b") {
		t.Errorf("%q", o.out)
	}
}

func testClient(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	c, other := s.dial(1), s.dial(0)
	must(t, c.Create(ctx, "where/1"))
	must(t, other.Create(ctx, "where/2"))
	_, err := c.Join(ctx, "where/2")
	must(t, err)
	p := runJSON[operate.Presence](s, 0, "client", c.ID())
	if p.Session == nil || p.Session.Gateway != s.id(1) || !p.Session.Connected || !slices.Equal(p.Session.Rooms, []string{"where/1", "where/2"}) ||
		time.Since(p.Session.Since).Abs() > time.Hour || p.Session.Sent == 0 {
		t.Errorf("session: %+v", p.Session)
	}
	if len(p.Memberships) != 2 {
		t.Errorf("memberships: %+v", p.Memberships)
	}
	for _, m := range p.Memberships {
		if m.Gateway != s.id(1) || m.Owner != (m.Room == "where/1") {
			t.Errorf("membership: %+v", m)
		}
	}
	s.run(0, "client", c.ID()).says(t, s.id(1), "where/1", "where/2", "connected", "none waits")
	s.run(3, "client", "-no-such-client").says(t, "there is no client -no-such-client")
}

func testTail(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	owner, member := s.dial(0), s.dial(1)
	must(t, owner.CreateWith(ctx, "tail", &client.RoomOptions{Password: new("tail password")}))
	human, endHuman := s.follow("tail", "tail")
	machine, endMachine := s.follow("tail", "-json", "tail")
	eventually(t, "the tail begins", func() bool { return strings.Contains(human.String(), "1 member, owner "+owner.ID()) })
	eventually(t, "both tails tell of a join", func() bool { // the second says nothing until something happens
		if _, err := member.JoinWith(ctx, "tail", client.Entry{Password: "tail password"}); err != nil {
			t.Fatal(err)
		}
		must(t, member.Leave(ctx, "tail"))
		return strings.Contains(machine.String(), `"left"`)
	})
	_, err := owner.Update(ctx, "tail", client.RoomOptions{Locked: new(true)})
	must(t, err)
	must(t, owner.Leave(ctx, "tail"))
	eventually(t, "the end", func() bool {
		return strings.Contains(human.String(), "closed") && strings.Contains(machine.String(), `"closed"`)
	})
	must(t, errors.Join(endHuman(), endMachine()))
	t.Logf("\n%s\n%s", human, machine)
	for _, want := range []string{"joined   " + member.ID() + " at gateway " + s.id(1), "left     " + member.ID(), "updated  options: locked, password", "closed   " + owner.ID()} {
		if !strings.Contains(human.String(), want) {
			t.Errorf("%q is not in:\n%s", want, human)
		}
	}
	var last struct {
		Time    time.Time
		Kind    string
		Room    string
		Version uint64
	}
	for line := range strings.Lines(machine.String()) {
		version := last.Version
		if err := json.Unmarshal([]byte(line), &last); err != nil || last.Room != "tail" || last.Version <= version {
			t.Errorf("%v: %s", err, line)
		}
	}
}

func testKick(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	owner, member := s.dial(0), s.dial(1)
	must(t, owner.Create(ctx, "kick"))
	_, err := member.Join(ctx, "kick")
	must(t, err)
	s.run(0, "kick", member.ID(), "-room", "kick").says(t, member.ID()+" is out of room kick")
	labtest.Expect(t, member, func(e *client.RoomLeft) bool { return e.Room == "kick" && e.Kicked })
	labtest.Expect(t, owner, func(e *client.ClientLeft) bool { return e.Room == "kick" && e.ClientID == member.ID() })
	if _, err := member.Join(ctx, "kick"); !isCode(err, client.Forbidden) {
		t.Errorf("coming back: %v", err)
	}
	room := runJSON[operate.RoomState](s, 0, "room", "kick")
	if !slices.Equal(room.Banned, []string{member.ID()}) || room.Members != 1 {
		t.Errorf("%+v", room)
	}
	s.run(3, "kick", member.ID(), "-room", "kick").says(t, "is not in room")
	s.run(3, "kick", member.ID()).says(t, "is in no room")
	s.run(3, "kick", "-room", "nowhere", member.ID()).says(t, `there is no room "nowhere"`)
}

func testKickAll(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	owner, member := s.dial(1), s.dial(0)
	for n := range 5 {
		room := fmt.Sprintf("everywhere/%d", n)
		must(t, owner.Create(ctx, room))
		_, err := member.Join(ctx, room)
		must(t, err)
	}
	got := runJSON[struct {
		Client string
		Kicked []struct {
			Room   string
			Closed bool
		}
	}](s, 0, "kick", member.ID())
	if got.Client != member.ID() || len(got.Kicked) != 5 {
		t.Errorf("%+v", got)
	}
	for range 5 {
		labtest.Expect(t, member, func(e *client.RoomLeft) bool { return e.Kicked })
		labtest.Expect(t, owner, func(e *client.ClientLeft) bool { return e.ClientID == member.ID() })
	}
}

func testKickOwner(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	owner, member := s.dial(0), s.dial(1)
	must(t, owner.Create(ctx, "plain"))
	must(t, owner.CreateWith(ctx, "transfer", &client.RoomOptions{OnOwnerLost: client.TransferRoom}))
	for _, room := range []string{"plain", "transfer"} {
		_, err := member.Join(ctx, room)
		must(t, err)
	}
	s.run(0, "kick", owner.ID(), "-room", "plain").says(t, "which has ended with it (2 members)")
	labtest.Expect(t, owner, func(e *client.RoomLeft) bool { return e.Room == "plain" && e.Kicked })
	labtest.Expect(t, member, func(e *client.RoomLeft) bool { return e.Room == "plain" && e.Kicked })
	s.run(0, "kick", owner.ID(), "-room", "transfer")
	labtest.Expect(t, owner, func(e *client.RoomLeft) bool { return e.Room == "transfer" && e.Kicked })
	labtest.Expect(t, member, func(e *client.OwnerChanged) bool { return e.Room == "transfer" && e.OwnerID == member.ID() })
	if _, err := owner.Join(ctx, "transfer"); !isCode(err, client.Forbidden) {
		t.Errorf("coming back: %v", err)
	}
}

func testClose(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	owner, member := s.dial(0), s.dial(1)
	must(t, owner.Create(ctx, "close"))
	_, err := member.Join(ctx, "close")
	must(t, err)
	s.run(0, "close", "close").says(t, "room close has ended for its 2 members")
	for _, c := range []*client.Client{owner, member} {
		labtest.Expect(t, c, func(e *client.RoomLeft) bool { return e.Room == "close" && e.Kicked })
	}
	must(t, member.Create(ctx, "close")) // the name is free
	if got := runJSON[struct{ Closed bool }](s, 0, "close", "close"); !got.Closed {
		t.Errorf("%+v", got)
	}
	s.run(3, "close", "close")
}

func testPing(t *testing.T, s *site) {
	before := runJSON[struct{ Rooms, Clients int }](s, 0, "status")
	for _, ends := range [][2]int{{0, 1}, {1, 0}, {0, 0}} {
		from, to := s.id(ends[0]), s.id(ends[1])
		test := runJSON[struct {
			From, To, Rooms string
			Signals         int
			Hops            []struct {
				Name     string
				From, To string
				Micros   float64
				Min, Max float64
			}
		}](s, 0, "ping", "-from", from, "-to", to[:6], "-n", "3")
		if test.From != from || test.To != to || test.Signals != 3 || test.Rooms == "" {
			t.Errorf("%+v", test)
		}
		hops := ""
		for _, h := range test.Hops {
			hops += h.Name + " "
			if h.Micros <= 0 || h.Micros > 10e6 || h.Min > h.Micros || (h.Max > 0 && h.Max < h.Micros) {
				t.Errorf("%+v", h)
			}
		}
		want := "ask ask create join signal echo acknowledge leave "
		if from == to {
			want = strings.TrimPrefix(want, "ask ")
		}
		if hops != want {
			t.Errorf("hops %q, want %q", hops, want)
		}
	}
	s.run(0, "ping").says(t, "a signal each way", "room created", "room left")
	eventually(t, "nothing is left of the tests", func() bool {
		now := runJSON[struct{ Rooms, Clients int }](s, 0, "status")
		return now.Rooms <= before.Rooms && now.Clients <= before.Clients
	})
}

func testWrong(t *testing.T, s *site) {
	s.run(2).says(t, "usage")
	s.run(2, "nonsense").says(t, `there is no command "nonsense"`)
	s.run(2, "room").says(t, "usage: signalctl room NAME")
	s.run(2, "room", "a", "b").says(t, "usage")
	s.run(2, "room", "x", "-limit", "much").says(t, "limit")
	s.run(2, "status", "-timeout", "0s").says(t, "-timeout")
	s.run(2, "ping", "-n", "1000").says(t, "-n")
	s.run(3, "drain", "nobody").says(t, `there is no gateway "nobody"`)
	s.run(3, "ping", "-from", "nobody").says(t, `there is no gateway "nobody"`)
	s.run(2, "drain", "").says(t, "GATEWAY is empty")
	for _, args := range [][]string{{"status"}, {"rooms"}, {"kick", "x"}} {
		cmd := s.command(labtest.Context(t), natskeys.Admin, append(args, "-timeout", "500ms")...)
		cmd.Env = []string{"NATS_URL=nats://127.0.0.1:1"}
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "cannot reach NATS") {
			t.Errorf("%q without NATS: %d %s", args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// The services' keys are no operators' keys.
func testOtherKeys(t *testing.T, s *site) {
	must(t, s.dial(0).Create(labtest.Context(t), "keys"))
	for _, holder := range []string{natskeys.Gateway, natskeys.Rooms} {
		for _, args := range [][]string{{"status"}, {"rooms"}, {"close", "keys"}, {"drain", s.id(0)}, {"tail", "keys"}} {
			if holder == natskeys.Gateway && args[0] == "tail" {
				continue // gateways hear events
			}
			if o := s.runAs(holder, args...); o.code != 1 || !strings.Contains(o.err, "NATS does not allow it to this key") {
				t.Errorf("%s, %q: %d %s%s", holder, args, o.code, o.out, o.err)
			}
		}
	}
}

func testDrain(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	c := s.dial(1)
	must(t, c.Create(ctx, "drain"))
	must(t, s.gateways[1].MayEnd())
	s.run(0, "drain", s.id(1)[:8]).says(t, "gateway "+s.id(1), "sends its", "away, and its process ends")
	<-c.Done()
	var closed *client.CloseError
	if !errors.As(c.Err(), &closed) || closed.Code != client.CloseGoingAway {
		t.Errorf("the client's end: %v", c.Err())
	}
	if code, err := s.gateways[1].Wait(ctx); err != nil || code != 0 {
		t.Errorf("the gateway's end: %d, %v", code, err)
	}
	eventually(t, "one gateway is left, and one is waited for", func() bool {
		o := s.runAs(natskeys.Admin, "gateways")
		return o.code == 4 && strings.Contains(o.out, "gone, members kept for") // its sessions may be resumed
	})
	s.run(4, "status").says(t, "! gateway "+s.id(1)+": it is gone, and its members are kept for")
	must(t, s.gateways[1].Start(ctx))
}

func testMissing(t *testing.T, s *site) {
	ctx := labtest.Context(t)
	must(t, s.rooms[1].Pause())
	o := s.runAs(natskeys.Admin, "partitions", "-wait", "300ms")
	if o.code != 4 {
		t.Errorf("exit code %d", o.code)
	}
	o.says(t, "does not answer")
	if o := s.runAs(natskeys.Admin, "rooms", "-timeout", "1s"); o.code != 4 && o.code != 0 { // 0: they have been taken over already
		t.Errorf("rooms: exit code %d", o.code)
	}
	must(t, s.rooms[1].Resume())
	must(t, s.rooms[1].Ready(ctx))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isCode(err error, code client.Code) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == code
}
