package signalctl

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/api/operate"
)

// everyPartition has the owners of all partitions answer, but for one that listens and says nothing.
func (s *stage) everyPartition(hung int, answer func(partition int, q operate.Question) any) {
	for n := range bus.Partitions {
		s.owner(n, func(q operate.Question) any {
			if n == hung {
				return nil
			}
			return answer(n, q)
		})
	}
}

// An owner that hangs hides nothing but its own partition.
func TestAnOwnerThatSaysNothing(t *testing.T) {
	s := newStage(t)
	kicks := map[string]int{}
	s.everyPartition(5, func(n int, q operate.Question) any {
		switch {
		case q.Op == operate.Kick && q.Room == "gone":
			return operate.Errorf(operate.NotFound, "there is no room %q", q.Room)
		case q.Op == operate.Kick:
			kicks[q.Room]++
			return operate.Done{Clients: 1}
		case n == bus.Partition("lobby"):
			return operate.Presence{Memberships: []operate.Membership{{Room: "lobby", Partition: n}}}
		case n == bus.Partition("gone"):
			return operate.Presence{Memberships: []operate.Membership{{Room: "gone", Partition: n}}}
		}
		return operate.Presence{}
	})
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "g", always(operate.Presence{Session: &operate.Session{Client: "x", Gateway: "gateway-1"}}))
	began := time.Now()
	wants(t, s.run(4, "client", "x"), "gateway-1", "lobby", "1 partition is missing: 5: nobody answers in time")
	wants(t, s.run(4, "kick", "x"), "x is out of room lobby", "1 partition is missing: 5")
	wants(t, s.run(4, "client", "x", "-timeout", "4s", "-wait", "1m"), "lobby", "1 partition is missing: 5")
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(kicks) != 1 || kicks["lobby"] != 1 {
		t.Errorf("kicked: %v", kicks)
	}
}

// So does an owner that hangs once its rooms are known.
func TestAKickThatHangs(t *testing.T) {
	s := newStage(t)
	rooms := []string{roomIn(3), roomIn(4)}
	s.everyPartition(-1, func(n int, q operate.Question) any {
		switch {
		case q.Op == operate.Kick && n == 3:
			return nil
		case q.Op == operate.Kick:
			return operate.Done{Clients: 1}
		case n == 3 || n == 4:
			return operate.Presence{Memberships: []operate.Membership{{Room: rooms[n-3], Partition: n}}}
		}
		return operate.Presence{}
	})
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "g", always(operate.Presence{Session: &operate.Session{Client: "x"}}))
	wants(t, s.run(1, "kick", "x", "-timeout", "4s", "-wait", "2s"), "x is out of room "+rooms[1], "partition 3: nobody answers in time")
}

// A process that answers with an error is a problem, and hides no other.
func TestAProcessThatAnswersWithAnError(t *testing.T) {
	s := newStage(t)
	a := instance("a", 1, 0, bus.Partitions, operate.Active)
	a.Peers, a.Gateways = []string{"b"}, []operate.Heard{{ID: "g1"}, {ID: "g2"}}
	s.answers(bus.AdminRooms(bus.Ask, bus.Everyone), "a", always(a))
	s.answers(bus.AdminRooms(bus.Ask, bus.Everyone), "b", always(operate.Errorf(operate.Failed, "too\nbusy")))
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "g1", always(&operate.Gateway{Process: operate.Process{ID: "g1"}, Clients: 3}))
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "g2", always("nonsense"))
	out := s.run(4, "status", "-wait", "200ms")
	wants(t, out, "64 of 64 partitions active", "3 clients", `! rooms instance b answers with an error: too\nbusy`,
		"! gateway g2 answers with an error: operate: not an answer")
	if strings.Contains(out, "does not answer") {
		t.Error("it is called silent")
	}
	wants(t, s.run(4, "partitions", "-wait", "200ms"), "answers with an error: too")
	wants(t, s.run(4, "gateways", "-wait", "200ms"), "g1", "g2", "answers with an error: operate: not an answer")
	wants(t, s.run(4, "gateways", "-json", "-wait", "200ms"), `"faulty":[{"id":"g2"`)
}

// What ends something is not taken for another thing.
func TestNothingIsEndedByMistake(t *testing.T) {
	s := newStage(t)
	s.answers(bus.AdminRooms(bus.Ask, bus.Everyone), "a", always(instance("a", 1, 0, bus.Partitions, operate.Active)))
	g := &operate.Gateway{Process: operate.Process{ID: "abcdefgh", Runtime: operate.Runtime{Host: "h"}}}
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "abcdefgh", always(g))
	drains := 0
	if _, err := s.nc.Subscribe(bus.AdminGateway(bus.Do, "abcdefgh"), func(m *nats.Msg) {
		drains++
		_ = m.Respond(operate.EncodeAnswer("somebody else", operate.Done{Clients: 99}, s.nc.MaxPayload()))
		_ = m.Respond(operate.EncodeAnswer("abcdefgh", operate.Done{Clients: 3}, s.nc.MaxPayload()))
	}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"drain", ""}, {"close", ""}, {"kick", ""}, {"kick", "x", "-room", ""}, {"room", ""}} {
		wants(t, s.run(2, args...), "empty")
	}
	wants(t, s.run(2, "drain", "abc"), "say at least 4 characters")
	wants(t, s.run(3, "drain", "abcx"), "there is no gateway")
	if drains != 0 {
		t.Fatalf("%d drains", drains)
	}
	for n, name := range []string{"abcd", "h", "abcdefgh"} {
		wants(t, s.run(0, "drain", name), "sends its 3 clients away")
		if drains != n+1 {
			t.Fatalf("%d drains", drains)
		}
	}
}

// A test that has gone wrong is not something that does not exist.
func TestATestThatIsGone(t *testing.T) {
	s := newStage(t)
	g := &operate.Gateway{Process: operate.Process{ID: "gateway"}}
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "gateway", always(g))
	s.answers(bus.AdminGateway(bus.Ask, "gateway"), "gateway", always(g))
	s.answers(bus.AdminGateway(bus.Do, "gateway"), "gateway", always(operate.Errorf(operate.NotFound, "there is no such test")))
	wants(t, s.run(1, "ping", "-wait", "200ms"), "the test has failed", "there is no such test")
}

// Nothing that anybody says reaches the terminal as more than text.
func TestNothingOfOthersMovesTheCursor(t *testing.T) {
	const evil = "\x1b[2J\u202e\n! forged"
	s := newStage(t)
	a := instance("a"+evil, 1, 0, 60, operate.Active+evil)
	a.Version, a.Host, a.Ownership = evil, evil, evil
	a.Peers, a.Gateways = []string{"b" + evil}, []operate.Heard{{ID: "g1"}, {ID: "g2" + evil, Silence: 2}}
	s.answers(bus.AdminRooms(bus.Ask, bus.Everyone), "a", always(a))
	s.answers(bus.AdminRooms(bus.Ask, bus.Everyone), "c"+evil, always(operate.Errorf(operate.Failed, "%s", evil)))
	g := &operate.Gateway{Process: operate.Process{ID: "g1" + evil, Runtime: operate.Runtime{Version: "v" + evil}}, Listen: evil}
	s.answers(bus.AdminGateway(bus.Ask, bus.Everyone), "g1", func(q operate.Question) any {
		if q.Op == operate.Client {
			return operate.Presence{Session: &operate.Session{Client: evil, Gateway: evil, Display: evil}}
		}
		return g
	})
	s.everyPartition(-1, func(n int, q operate.Question) any {
		sum := operate.Summary{Name: evil, Partition: n, Owner: evil}
		switch q.Op {
		case operate.Rooms:
			return operate.RoomList{Rooms: []operate.Summary{sum}, Total: 2, More: true}
		case operate.Room:
			return operate.RoomState{Summary: sum, Metadata: []byte(`"\u202e"`), Banned: []string{evil}, List: []operate.Member{{Client: evil, Gateway: evil, Display: evil}}}
		case operate.Client:
			return operate.Presence{Memberships: []operate.Membership{{Room: evil, Member: operate.Member{Gateway: evil}}}}
		}
		return operate.Errorf(operate.Failed, "%s", evil)
	})
	for args, code := range map[string]int{
		"status": 4, "gateways": 4, "partitions": 4, "rooms": 0, "room x": 0, "client x": 0, "kick x": 1, "close x": 1, "drain " + "g1xx": 3,
	} {
		wait := "200ms" // of who does not answer
		if code < 3 {
			wait = "5s" // everybody does
		}
		out := s.run(code, append(strings.Fields(args), "-wait", wait)...)
		if strings.ContainsAny(out, "\x1b\u202e") || strings.Contains(out, "\n! forged") {
			t.Errorf("%s: %q", args, out)
		}
	}
}

// What is printed after -after names the room, in a shell too.
func TestShellWords(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"lobby", "it's", `back\slash`, "$HOME `x`", "a\nb", "\x1b[31m'q'\\", "\xff\xfe1", "größe\u202e", " ", `"`} {
		word := shellWord(name)
		got, err := exec.CommandContext(t.Context(), bash, "-c", "printf %s "+word).Output() // #nosec G204 -- what is tested
		if err != nil || string(got) != name || !printable(word) {
			t.Errorf("%q: %s is %q, %v", name, word, got, err)
		}
	}
}
