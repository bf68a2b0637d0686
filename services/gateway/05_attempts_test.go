package gateway_test

import (
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
)

// A command is repeated, with the same number, until it is answered or its time is over.

const (
	commandTimeout = 5 * time.Second
	tick           = 250 * time.Millisecond
)

func TestRetryIsTriedAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.do(api.RoomCreate, lobby, "1")
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		// 20 ms doubled up to 250 ms, each with jitter over its half.
		for _, ms := range []int{20, 40, 80, 160, 250, 250} {
			d := time.Duration(ms) * time.Millisecond
			w.owner.result(c, bus.Retry)
			again := w.owner.expectAgain(c)
			within(t, "the pause", again.at.Sub(c.at), d/2, d)
			c = again
		}
		w.owner.result(c, bus.Exists)
		alice.expectID("1", exists(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestRetryWithAnotherAnswerBeforeItsTime(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, alice)
		w.owner.result(c, bus.Retry)
		w.owner.result(c, bus.NotExists)
		alice.expect(notExists(lobby))
		pass(time.Second)
		w.quiet() // it is not tried again
		w.holdsNothing()
	})
}

func TestNoRespondersIsTriedAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		w.owner.die()
		alice.create(lobby)
		pass(time.Second)
		alice.expectNothing()
		w.owner.listen()
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		if first := uint64(bus.Partitions + bus.Partition(lobby)); c.Seq != first {
			t.Errorf("number %d, want %d", c.Seq, first)
		}
		w.owner.result(c, bus.Exists)
		alice.expect(exists(lobby))
		w.quiet()
	})
}

func TestNoAnswerIsTriedAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.create(lobby)
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		for range 3 {
			again := w.owner.expectAgain(c)
			within(t, "an attempt", again.at.Sub(c.at), time.Second, time.Second+tick)
			c = again
		}
		w.owner.result(c, bus.Exists)
		alice.expect(exists(lobby))
		w.owner.result(c, bus.Exists) // the other attempts are answered too
		w.owner.result(c, bus.NotExists)
		w.quiet()
		w.holdsNothing()
	})
}

// An owner that asks to announce is another one, or was cut off: what it has not answered it may never have got.
func TestNoAnswerIsTriedAgainWhenTheOwnerAsks(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.create(lobby)
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		pass(50 * time.Millisecond)
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		w.owner.correct(w.owner.takeAnnounce())
		again := w.owner.expectAgain(c)
		within(t, "an attempt", again.at.Sub(c.at), 50*time.Millisecond, 60*time.Millisecond)
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		w.owner.correct(w.owner.takeAnnounce())
		w.owner.result(again, bus.Exists) // it was under way
		alice.expect(exists(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestAnAnswerOfALowerEpochIsTriedAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		w.owner.answer(c, &bus.Answer{Result: bus.NotExists, Roster: bus.Roster{Stamp: bus.Stamp{Epoch: w.owner.epoch - 1}}})
		c = w.owner.expectAgain(c)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		r.answer(c)
		alice.expect(clientJoined(lobby, bob))
		bob.expect(joined(lobby, alice, alice))
		a := w.owner.expectAnnounce(lobby) // tells that owner that it was followed
		if a.Epoch != w.owner.epoch {
			t.Errorf("announced for epoch %d", a.Epoch)
		}
		w.owner.correct(a, r.same())
		w.quiet()
	})
}

// What was not answered in time may have been done: the owner is told what the gateway has, as of that command.
func TestUnavailable(t *testing.T) {
	for _, op := range []api.Op{api.RoomCreate, api.RoomJoin} {
		t.Run(op.String(), func(t *testing.T) {
			scene(t, func(t *testing.T, w *world) {
				alice := w.connect()
				started := time.Now()
				alice.do(op, lobby, `"x"`)
				c := w.owner.takeCommand()
				alice.expectID(`"x"`, unavailable())
				within(t, "unavailable", time.Since(started), commandTimeout, commandTimeout+tick)
				a := w.owner.expectAnnounce(lobby)
				if a.AsOf < c.Seq || len(a.Rooms) != 0 {
					t.Errorf("announced %+v after command %d", a.Announce, c.Seq)
				}
				w.owner.skipCommands() // repetitions
				w.owner.correct(a)
				w.quiet()
				w.holdsNothing()
				// An answer that is too late after all changes nothing for the client; that somebody was made a member is
				// a reason to announce once more.
				r := w.owner.found(lobby, alice, c.Gateway)
				r.answer(c)
				w.owner.correct(w.owner.expectAnnounce(lobby))
				w.owner.result(c, bus.NotExists)
				w.quiet()
				w.holdsNothing()
			})
		})
	}
}

func TestUnavailableJoinOfAFollowedRoom(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq)) // it was done; the answers are lost
		alice.expect(clientJoined(lobby, bob))
		bob.expect(unavailable())
		a := w.owner.expectAnnounce(lobby)
		ar := a.room(lobby)
		if a.AsOf < c.Seq || len(a.members(lobby)) != 1 || a.members(lobby)[0] != alice.id || len(ar.Unsettled) != 0 {
			t.Errorf("announced %+v", a.Announce)
		}
		r.publish(r.remove(bob))
		w.owner.correct(a, r.same())
		alice.expect(clientLeft(lobby, bob))
		w.owner.skipCommands()
		w.quiet()
		bob.leave(lobby)
		bob.expect(notIn(lobby))
		r.letIn(bob) // the command may be sent again
		alice.expect(clientJoined(lobby, bob))
		w.quiet()
	})
}

// While a command is on its way nothing may be concluded from its client's absence.
func TestClientsWithACommandOnItsWayAreAnnouncedAsUnsettled(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		w.owner.send(bus.ResyncOneSubject(w.hub.ID()), &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		ar := a.room(lobby)
		if a.AsOf < c.Seq || len(ar.Members) != 1 || len(ar.Unsettled) != 1 || ar.Unsettled[0] != bob.id {
			t.Errorf("announced %+v", a.Announce)
		}
		w.owner.correct(a, r.same())
		r.publish(r.add(bob, c.Gateway, c.Seq))
		r.answer(c)
		alice.expect(clientJoined(lobby, bob))
		bob.expect(joined(lobby, alice, alice))
		w.quiet()
	})
}

// A room that does not exist for the owner yet must not end the create that is on its way.
func TestGoneDoesNotEndACreateOnItsWay(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		alice.create(lobby)
		c := w.owner.expectCommand(bus.Create, lobby, alice)
		w.owner.send(bus.ResyncOneSubject(w.hub.ID()), &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		if ar := a.room(lobby); ar == nil || ar.Born != (bus.Stamp{}) || len(ar.Unsettled) != 1 {
			t.Errorf("announced %+v", a.Announce)
		}
		w.owner.correct(a, bus.CorrectedRoom{Room: lobby, Gone: true})
		r := w.owner.found(lobby, alice, c.Gateway)
		r.answer(c)
		alice.expect(created(lobby))
		r.enters(stranger("bob"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("bob")))
		w.quiet()
	})
}
