package gateway_test

import (
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
)

// Until its join is answered a client is told nothing of the room; from then on, everything.

func TestEventsBeforeTheAnswerAreNotForTheJoiner(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect()
		r := w.owner.found(lobby, stranger("olga"), "elsewhere")
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.enters(stranger("carol"), "elsewhere") // of a room that the gateway does not follow yet
		r.publish(r.add(bob, c.Gateway, c.Seq))
		r.publish(r.remove(stranger("carol")))
		w.quiet()
		r.answer(c)
		bob.expect(joined(lobby, stranger("olga"), stranger("olga")))
		r.enters(stranger("dave"), "elsewhere")
		bob.expect(clientJoined(lobby, stranger("dave")))
		w.quiet()
	})
}

// A room that is followed already goes on while a second client of the gateway joins it.
func TestEventsBeforeTheAnswerInAFollowedRoom(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		if c.Have != r.Epoch || c.Life != r.Born.Version {
			t.Errorf("have %d of life %d, want %d of %d", c.Have, c.Life, r.Epoch, r.Born.Version)
		}
		r.enters(stranger("carol"), "elsewhere")
		r.publish(r.add(bob, c.Gateway, c.Seq)) // its own event precedes its answer
		r.enters(stranger("dave"), "elsewhere")
		r.publish(r.remove(stranger("carol")))
		alice.expect(clientJoined(lobby, stranger("carol")), clientJoined(lobby, bob), clientJoined(lobby, stranger("dave")), clientLeft(lobby, stranger("carol")))
		w.quiet()
		a := r.done(c)
		if a.Members != nil {
			t.Fatal("the answer has members")
		}
		w.owner.answer(c, a)
		bob.expect(joined(lobby, alice, alice, stranger("dave")))
		r.enters(stranger("erin"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("erin")))
		bob.expect(clientJoined(lobby, stranger("erin")))
		w.quiet()
	})
}

// The answer may be older than what events have told since; the joiner gets what is true now.
func TestTheAnswerIsOlderThanTheView(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		whole := bus.Answer{Result: bus.Done, Roster: r.Roster}
		r.enters(stranger("carol"), "elsewhere")
		w.owner.answer(c, &whole)
		bob.expect(joined(lobby, alice, alice, stranger("carol")))
		alice.expect(clientJoined(lobby, bob), clientJoined(lobby, stranger("carol")))
		w.quiet()
	})
}

// The answer shows what events did not: the members here are told the difference.
func TestTheAnswerIsNewerThanTheView(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		r.enters(stranger("carol"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("carol")))
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.remove(stranger("carol")) // lost, as is the next
		r.add(bob, c.Gateway, c.Seq)
		w.owner.answer(c, &bus.Answer{Result: bus.Done, Roster: r.Roster})
		alice.expect(clientLeft(lobby, stranger("carol")), clientJoined(lobby, bob))
		bob.expect(joined(lobby, alice, alice))
		w.quiet()
	})
}

// An answer without members is of no use once the view has missed something: the command is asked again, whole.
func TestAnAnswerWithoutMembersAfterALoss(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.add(bob, c.Gateway, c.Seq) // lost
		r.answer(c)
		c = w.owner.expectAgain(c)
		if c.Have != 0 {
			t.Errorf("have %d, want none", c.Have)
		}
		w.quiet()
		r.answer(c)
		alice.expect(clientJoined(lobby, bob))
		bob.expect(joined(lobby, alice, alice))
		w.quiet()
	})
}

// The last member here leaves while another's join is on its way: the view is gone when the answer comes without members.
func TestAnAnswerWithoutMembersAfterTheViewHasGone(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		stale := *c
		stale.Life = 0 // an owner that does not compare it
		r.publish(r.end())
		alice.expect(kicked(lobby))
		// The name is used again; the answer is to bob's join of the new room, and has no members because of what bob's
		// gateway said to have.
		r.Version += 2
		r.Born, r.Owner = r.Stamp, "olga"
		r.Members = []bus.Member{{Client: "olga", Gateway: "elsewhere", Since: r.Version, Seq: 1}}
		r.add(bob, c.Gateway, c.Seq)
		r.answer(&stale)
		c = w.owner.expectAgain(c)
		if c.Have != 0 {
			t.Errorf("have %d, want none", c.Have)
		}
		r.answer(c)
		bob.expect(joined(lobby, stranger("olga"), stranger("olga")))
		w.quiet()
	})
}

// An owner that never sends members is asked at the pace of repetitions, not in a circle.
func TestAnswersWithoutMembersAreNotAskedForInACircle(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect()
		r := w.owner.found(lobby, stranger("olga"), "elsewhere")
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.add(bob, c.Gateway, c.Seq)
		for started := time.Now(); time.Since(started) < 2*time.Second; c = w.owner.expectAgain(c) {
			a := r.done(c)
			a.Members = nil
			w.owner.answer(c, a)
		}
		if seen := w.owner.skipCommands(); seen > 0 {
			t.Errorf("%d more commands", seen)
		}
		r.answer(c)
		bob.expect(joined(lobby, stranger("olga"), stranger("olga")))
		w.quiet()
	})
}

// Others may have joined before a creator hears of its room: room-created names nobody, so they are told after it.
func TestOthersJoinBeforeTheCreatorHearsOfIt(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		alice := w.connect()
		alice.do(api.RoomCreate, lobby, "1")
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		r := w.owner.found(lobby, alice, c.Gateway) // the first answer is lost
		r.enters(stranger("bob"), "elsewhere")
		r.enters(stranger("carol"), "elsewhere")
		r.publish(r.remove(stranger("bob")))
		r.enters(stranger("dave"), "elsewhere")
		r.answer(w.owner.expectAgain(c))
		alice.expectID("1", created(lobby))
		alice.expect(clientJoined(lobby, stranger("carol")), clientJoined(lobby, stranger("dave")))
		w.quiet()
	})
}

// The room ends between the join and its answer, which comes late: the client sees both.
func TestClosedOvertakesTheAnswerOfAJoin(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect()
		r := w.owner.found(lobby, stranger("olga"), "elsewhere")
		bob.do(api.RoomJoin, lobby, "1")
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.add(bob, c.Gateway, c.Seq)
		a := &bus.Answer{Result: bus.Done, Roster: r.Roster}
		r.publish(r.end())
		w.owner.answer(c, a)
		bob.expectID("1", joined(lobby, stranger("olga"), stranger("olga")))
		bob.expect(kicked(lobby))
		// A join that was done and is not believed is a reason to compare.
		w.owner.correct(w.owner.expectAnnounce(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestClosedOvertakesTheAnswerOfACreate(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect()
		bob.do(api.RoomCreate, lobby, "1")
		c := w.owner.expectCommand(bus.Create, lobby, bob)
		r := w.owner.found(lobby, bob, c.Gateway)
		a := &bus.Answer{Result: bus.Done, Roster: r.Roster}
		r.publish(r.end())
		w.owner.answer(c, a)
		bob.expectID("1", created(lobby))
		bob.expect(kicked(lobby))
		w.owner.correct(w.owner.expectAnnounce(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

// The joiner has been removed again before its join is answered, in a room that others here follow.
func TestLeftOvertakesTheAnswerOfAJoin(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		a := &bus.Answer{Result: bus.Done, Roster: r.Roster}
		r.publish(r.remove(bob))
		w.owner.answer(c, a)
		alice.expect(clientJoined(lobby, bob), clientLeft(lobby, bob))
		bob.expect(joined(lobby, alice, alice), kicked(lobby))
		w.owner.correct(w.owner.expectAnnounce(lobby), r.same())
		w.quiet()
	})
}

// The room that a client joins is not the one that the gateway follows: that one has ended, and its end was lost.
func TestAJoinShowsThatTheFollowedRoomHasEnded(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		r.end() // lost
		r.Version += 2
		r.Born, r.Owner = r.Stamp, "olga"
		r.Members = []bus.Member{{Client: "olga", Gateway: "elsewhere", Since: r.Version, Seq: 1}}
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.add(bob, c.Gateway, c.Seq)
		w.owner.answer(c, &bus.Answer{Result: bus.Done, Roster: r.Roster})
		alice.expect(kicked(lobby))
		bob.expect(joined(lobby, stranger("olga"), stranger("olga")))
		r.enters(stranger("carol"), "elsewhere")
		bob.expect(clientJoined(lobby, stranger("carol")))
		w.quiet()
	})
}

// Two clients of the gateway join at once; each sees the other exactly once.
func TestTwoJoinAtOnce(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob, carol := w.connect(), w.connect()
		r := w.owner.found(lobby, stranger("olga"), "elsewhere")
		bob.join(lobby)
		b := w.owner.expectCommand(bus.Join, lobby, bob)
		carol.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, carol)
		r.publish(r.add(bob, b.Gateway, b.Seq))
		forBob := r.done(b)
		r.publish(r.add(carol, c.Gateway, c.Seq))
		forCarol := r.done(c)
		w.owner.answer(b, forBob)
		bob.expect(joined(lobby, stranger("olga"), stranger("olga")))
		w.owner.answer(c, forCarol)
		carol.expect(joined(lobby, stranger("olga"), stranger("olga"), bob))
		bob.expect(clientJoined(lobby, carol))
		w.quiet()
	})
}
