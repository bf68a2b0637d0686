package gateway_test

import (
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
)

// A client leaves because it says so, because its room is closed, or because its connection ends. Several may come together.

// pair is a room of alice with bob, both of this gateway.
func pair(w *world) (r *room, alice, bob *client) {
	w.t.Helper()
	alice, bob = w.connect(), w.connect()
	r = w.owner.open(lobby, alice)
	r.letIn(bob)
	alice.expect(clientJoined(lobby, bob))
	return r, alice, bob
}

func TestLeaveWhoseAnswerWasLost(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.do(api.RoomLeave, lobby, "1")
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		alice.expect(clientLeft(lobby, bob))
		w.owner.result(w.owner.expectAgain(c), bus.NotIn) // for a repetition: the first one has worked
		bob.expectID("1", left(lobby))
		w.quiet()
	})
}

func TestLeaveWhoseEventAndAnswerWereLost(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.do(api.RoomLeave, lobby, "1")
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.remove(bob)
		w.owner.result(w.owner.expectAgain(c), bus.NotIn)
		bob.expectID("1", left(lobby))
		a := w.owner.expectRepair(lobby)
		if m := a.members(lobby); len(m) != 1 || m[0] != alice.id {
			t.Errorf("announced %v", m)
		}
		w.owner.correct(a, r.as())
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
	})
}

func TestLeaveWhoseEventWasLost(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.leave(lobby)
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.remove(bob)
		r.left(c)
		bob.expect(left(lobby))
		w.owner.correct(w.owner.expectRepair(lobby), r.as())
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
	})
}

func TestLeaveUnavailable(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.leave(lobby)
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		bob.expect(unavailable())
		a := w.owner.expectAnnounce(lobby)
		if len(a.members(lobby)) != 2 || a.AsOf < c.Seq {
			t.Errorf("announced %+v", a.Announce)
		}
		w.owner.correct(a, r.same())
		w.owner.skipCommands()
		bob.leave(lobby) // bob is still in, and may say it again
		c = w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(c)
		alice.expect(clientLeft(lobby, bob))
		bob.expect(left(lobby))
		w.quiet()
	})
}

func TestLeaveThatWorkedWithoutAnyAnswer(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.leave(lobby)
		w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		alice.expect(clientLeft(lobby, bob))
		bob.expect(left(lobby)) // when its time is over: the event has shown that it worked
		w.owner.skipCommands()
		w.owner.correct(w.owner.expectAnnounce(lobby), r.same())
		w.quiet()
	})
}

// Bob's leave comes too late: alice has closed the room.
func TestKickedWhileLeaving(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.do(api.RoomLeave, lobby, "1")
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.end())
		alice.expect(kicked(lobby))
		bob.expect(kicked(lobby))
		w.owner.result(c, bus.NotIn)
		bob.expectID("1", notIn(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

// The room has gone, and the events were lost that tell whether bob left before. Its answer tells.
func TestARepairFindsTheRoomGoneWhileLeaving(t *testing.T) {
	for _, result := range []bus.Result{bus.Done, bus.NotIn} {
		t.Run(string(result), func(t *testing.T) {
			scene(t, func(t *testing.T, w *world) {
				r, alice, bob := pair(w)
				bob.do(api.RoomLeave, lobby, "1")
				c := w.owner.expectCommand(bus.Leave, lobby, bob)
				r.remove(bob)
				r.publish(r.end())
				w.owner.correct(w.owner.expectRepair(lobby), r.gone())
				alice.expect(kicked(lobby))
				w.quiet()
				w.owner.result(c, result)
				bob.expectID("1", left(lobby))
				w.quiet()
				w.holdsNothing()
			})
		})
	}
}

func TestARepairFindsTheClientGoneWhileLeaving(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.do(api.RoomLeave, lobby, "1")
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.remove(bob)
		r.publish(r.add(stranger("carol"), "elsewhere", 1))
		w.owner.correct(w.owner.expectRepair(lobby), r.as())
		alice.expect(clientLeft(lobby, bob), clientJoined(lobby, stranger("carol")))
		w.quiet()
		r.left(c)
		bob.expectID("1", left(lobby))
		w.quiet()
	})
}

// When a connection ends, a leave follows exactly when the client is or may become a member.
func TestTheConnectionEndsWhileACommandIsOnItsWay(t *testing.T) {
	for _, op := range []api.Op{api.RoomCreate, api.RoomJoin} {
		for _, result := range []bus.Result{bus.Done, bus.Exists, bus.NotExists, bus.Refused} {
			t.Run(op.String()+"/"+string(result), func(t *testing.T) {
				scene(t, func(t *testing.T, w *world) {
					alice := w.connect()
					alice.do(op, lobby, "")
					c := w.owner.takeCommand()
					alice.vanish()
					w.quiet() // not before it is known
					if n := w.hub.Sessions(); n != 0 {
						t.Errorf("%d sessions", n)
					}
					r := w.owner.found(lobby, alice, c.Gateway)
					if result != bus.Done {
						w.owner.result(c, result)
					} else {
						r.answer(c)
						c = w.owner.expectCommand(bus.Leave, lobby, alice)
						r.publish(r.end())
						r.left(c)
					}
					w.quiet()
					w.holdsNothing()
				})
			})
		}
	}
}

func TestTheConnectionEndsWhileACommandIsRetried(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.create(lobby)
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		w.owner.result(c, bus.Retry)
		alice.vanish()
		c = w.owner.expectAgain(c)
		r := w.owner.found(lobby, alice, c.Gateway)
		r.answer(c)
		c = w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(r.end())
		r.left(c)
		w.quiet()
		w.holdsNothing()
	})
}

func TestTheConnectionEndsAndNobodyAnswers(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		carol := w.connect()
		carol.join(lobby)
		w.owner.expectCommand(bus.Join, lobby, carol)
		carol.vanish()
		bob.vanish()
		w.owner.expectCommand(bus.Leave, lobby, bob)
		alice.expectNothing()
		var last *announce
		for range 2 { // the join and the leave run out of time, perhaps not in the same moment
			if last == nil || w.hub.Stats().Requests > 0 {
				last = w.owner.expectAnnounce(lobby)
				w.owner.correct(last, r.same())
			}
			settle()
		}
		w.owner.skipCommands()
		if m := last.members(lobby); len(m) != 1 || m[0] != alice.id || len(last.room(lobby).Unsettled) != 0 {
			t.Errorf("announced %+v", last.Announce)
		}
		r.publish(r.remove(bob)) // the owner has compared
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
		if s := w.hub.Stats(); s.Requests != 0 || s.Rooms != 1 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

// Whoever joins again is a member already: the leave does not wait for the answer, but follows it once more, because the
// owner may have had the join after the leave.
func TestTheConnectionEndsWhileAMemberJoinsAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		bob.vanish()
		l := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(l)
		alice.expect(clientLeft(lobby, bob))
		r.publish(r.add(bob, c.Gateway, c.Seq)) // it came late
		r.answer(c)
		alice.expect(clientJoined(lobby, bob))
		l = w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(l)
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
		if s := w.hub.Stats(); s.Requests != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

func TestTheConnectionEndsWhileLeaving(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.leave(lobby)
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		bob.vanish()
		w.quiet() // one leave is enough
		r.publish(r.remove(bob))
		r.left(c)
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
		alice.leave(lobby)
		c = w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(r.end())
		r.left(c)
		alice.expect(left(lobby))
		w.holdsNothing()
	})
}

func TestTheConnectionEndsWithCommandsBehindAnother(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.join(lobby)
		alice.signal(lobby, alice, `1`)
		alice.leave(lobby)
		alice.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, alice)
		settle()
		alice.vanish()
		w.quiet()
		w.owner.result(c, bus.NotExists)
		w.quiet()
		w.holdsNothing()
	})
}

// A leave that nobody waits for is repeated like any other.
func TestTheLeaveOfAnEndedConnectionIsRepeated(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.vanish()
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		w.owner.result(c, bus.Retry)
		c = w.owner.expectAgain(c)
		again := w.owner.expectAgain(c)
		within(t, "an attempt", again.at.Sub(c.at), time.Second, time.Second+tick)
		w.owner.result(again, bus.NotIn)
		r.publish(r.remove(bob))
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
		if s := w.hub.Stats(); s.Requests != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

// A join that was sent twice can come late, into the next room of that name. A leave that ends it tells its client nothing
// that it can have expected.
func TestLeaveThatWorksInTheNextRoom(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.leave(lobby)
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.end())
		alice.expect(kicked(lobby))
		bob.expect(kicked(lobby))
		w.owner.result(c, bus.Done)
		bob.expect(notIn(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

// A member of this gateway that nobody here waits for is not here: the owner is told at once.
func TestAMemberOfThisGatewayThatIsNotHere(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		ghost := stranger("ghost")
		r.enters(ghost, w.hub.ID())
		alice.expect(clientJoined(lobby, ghost))
		bob.expect(clientJoined(lobby, ghost))
		a := w.owner.expectAnnounce(lobby)
		if m := a.members(lobby); len(m) != 2 {
			t.Errorf("announced %v", m)
		}
		r.publish(r.remove(ghost))
		w.owner.correct(a, r.same())
		alice.expect(clientLeft(lobby, ghost))
		bob.expect(clientLeft(lobby, ghost))
		w.quiet()
	})
}
