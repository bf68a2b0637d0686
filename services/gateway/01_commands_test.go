package gateway_test

import (
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
)

// A command of a client becomes one request to the owner of the room's partition, and the owner's result one answer.

const lobby = "lobby"

func TestCreateDone(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.do(api.RoomCreate, lobby, `"c1"`)
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		if c.Have != 0 || c.Seq%bus.Partitions != uint64(bus.Partition(lobby)) {
			t.Errorf("command %+v", c.Command)
		}
		w.quiet()
		r := w.owner.room(lobby)
		r.Owner = alice.id
		r.Members = []bus.Member{{Client: alice.id, Gateway: c.Gateway, Since: r.Version, Seq: c.Seq}}
		r.answer(c)
		alice.expectID(`"c1"`, created(lobby))
		w.quiet()
	})
}

func TestCreateExists(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.do(api.RoomCreate, lobby, "1")
		w.owner.result(w.owner.expectCommand(bus.Create, lobby, alice), bus.Exists)
		alice.expectID("1", exists(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestJoinDone(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.found(lobby, stranger("olga"), "elsewhere")
		r.add(stranger("omar"), "elsewhere", 1)
		alice.do(api.RoomJoin, lobby, "1")
		c := w.owner.expectCommand(bus.Join, lobby, alice)
		r.publish(r.add(alice, c.Gateway, c.Seq)) // its own event is not for the joiner
		w.quiet()
		r.answer(c)
		alice.expectID("1", joined(lobby, stranger("olga"), stranger("olga"), stranger("omar")))
		w.quiet()
	})
}

func TestJoinNotExists(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.do(api.RoomJoin, lobby, "1")
		w.owner.result(w.owner.expectCommand(bus.Join, lobby, alice), bus.NotExists)
		alice.expectID("1", notExists(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestRefusedIsAnErrorWithTheOwnersWords(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.do(api.RoomJoin, lobby, "1")
		c := w.owner.expectCommand(bus.Join, lobby, alice)
		w.owner.answer(c, &bus.Answer{Result: bus.Refused, Code: "room-full", Message: "the room is full"})
		alice.expectID("1", &api.Error{Message: "the room is full", Code: api.RoomFull})
		w.quiet()
		w.holdsNothing()
	})
}

// Each result that is no success, to each command. What does not fit is a defect of the owner.
func TestResults(t *testing.T) {
	internal := &api.Error{Message: "internal error", Code: api.Internal}
	for op, results := range map[api.Op]map[bus.Result]api.Event{
		api.RoomCreate: {bus.Exists: exists(lobby), bus.NotExists: internal, bus.NotIn: internal, "perhaps": internal},
		api.RoomJoin:   {bus.Exists: internal, bus.NotExists: notExists(lobby), bus.NotIn: internal, "perhaps": internal},
		api.RoomLeave:  {bus.Exists: internal, bus.NotExists: internal, bus.NotIn: notIn(lobby), "perhaps": internal},
	} {
		for result, answer := range results {
			t.Run(op.String()+"/"+string(result), func(t *testing.T) {
				scene(t, func(_ *testing.T, w *world) {
					r, alice, bob := pair(w)
					bob.do(op, lobby, "1")
					w.owner.result(w.owner.takeCommand(), result)
					bob.expectID("1", answer)
					if op == api.RoomLeave && result == bus.NotIn {
						r.remove(bob)
						w.owner.correct(w.owner.expectRepair(lobby), r.as())
						alice.expect(clientLeft(lobby, bob))
					}
					w.quiet()
				})
			})
		}
	}
}

func TestLeaveDone(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		r.letIn(bob)
		alice.expect(clientJoined(lobby, bob))
		bob.do(api.RoomLeave, lobby, "1")
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		alice.expect(clientLeft(lobby, bob))
		w.quiet() // bob is told by the answer
		r.left(c)
		bob.expectID("1", left(lobby))
		w.quiet()
	})
}

func TestTheOwnersLeaveClosesTheRoom(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		r.letIn(bob)
		alice.expect(clientJoined(lobby, bob))
		alice.do(api.RoomLeave, lobby, "1")
		c := w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(r.end())
		bob.expect(kicked(lobby))
		w.quiet()
		r.left(c)
		alice.expectID("1", left(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestLeaveOfAStrangerIsAnsweredHere(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		bob.do(api.RoomLeave, lobby, "1")
		bob.expectID("1", notIn(lobby))
		w.owner.open(lobby, alice)
		bob.do(api.RoomLeave, lobby, "2")
		bob.expectID("2", notIn(lobby))
		w.quiet()
	})
}

func TestLeaveNotInAtTheFirstAttempt(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		r.letIn(bob)
		alice.expect(clientJoined(lobby, bob))
		bob.do(api.RoomLeave, lobby, "1")
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		// The event of bob's removal was lost. The owner's word is believed, and the view repaired.
		r.remove(bob)
		w.owner.result(c, bus.NotIn)
		bob.expectID("1", notIn(lobby))
		a := w.owner.expectRepair(lobby)
		w.owner.correct(a, r.as())
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
	})
}

func TestJoinOfAMemberIsAnsweredAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		r.letIn(bob)
		alice.expect(clientJoined(lobby, bob))
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		if c.Have != w.owner.epoch {
			t.Errorf("have %d", c.Have)
		}
		r.answer(c)
		bob.expect(joined(lobby, alice, alice))
		w.quiet()
		bob.vanish()
		c = w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		alice.expect(clientLeft(lobby, bob))
		r.left(c)
		w.quiet()
	})
}

func TestTheEndOfAConnectionLeavesItsRooms(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		one, two := w.owner.open("one", alice), w.owner.open("two", alice)
		alice.vanish()
		for range 2 {
			c := w.owner.takeCommand()
			r := one
			if c.Room == "two" {
				r = two
			}
			r.publish(r.end())
			r.left(c)
		}
		w.quiet()
		w.holdsNothing()
		if n := w.hub.Sessions(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// Members are kept only as long as the gateway shows that it lives.
func TestHeartbeats(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		var last time.Time
		for range 5 {
			m := receive(t, w.owner.heartbeats, "heartbeat")
			var h bus.Heartbeat
			if err := h.Decode(m.Data); err != nil || h.Gateway != w.hub.ID() || h.Protocol != bus.ProtocolVersion || h.Leaving {
				t.Fatalf("heartbeat %+v, %v", h, err)
			}
			if now := time.Now(); !last.IsZero() {
				within(t, "the next heartbeat", now.Sub(last), bus.HeartbeatInterval, bus.HeartbeatInterval+250*time.Millisecond)
			}
			last = time.Now()
		}
	})
}
