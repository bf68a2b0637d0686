package gateway_test

import (
	"strings"
	"testing"
	"time"

	"signalling/api/bus"
)

// A signal never overtakes the news of its sender, nor its target's own join: it is held until they are here, two seconds
// at most.

const holdTime = 2 * time.Second

func TestASignalWaitsForTheNewsOfItsSender(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		carol := stranger("carol")
		news := r.add(carol, p.id, 1)
		p.publish(p.next(r, carol, alice, `1`), p.next(r, bob, alice, `2`), p.next(r, carol, alice, `3`))
		settle()
		alice.expectNothing()
		pass(ackDelay)
		p.expectAck(0, false) // received, and not settled
		r.publish(news)
		alice.expect(clientJoined(lobby, carol), received(lobby, carol, `1`), received(lobby, bob, `2`), received(lobby, carol, `3`))
		p.expectAck(3, false)
		w.quiet()
		if s := w.hub.Stats(); s.Held+s.Owed != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

func TestOtherRoomsAreNotHeld(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		other := w.owner.open("other", alice)
		other.enters(bob, p.id)
		alice.expect(clientJoined("other", bob))
		news := r.add(stranger("carol"), p.id, 1)
		p.publish(p.next(r, bob, alice, `1`), p.next(other, bob, alice, `2`))
		alice.expect(received("other", bob, `2`))
		p.expectAck(0, false) // the first one keeps the others waiting for their acknowledgement only
		r.publish(news)
		alice.expect(clientJoined(lobby, stranger("carol")), received(lobby, bob, `1`))
		p.expectAck(2, false)
		w.quiet()
	})
}

// The news was lost: the room is repaired long before the signal's time is over.
func TestAHeldSignalStartsARepair(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, _ := apart(w)
		carol := stranger("carol")
		r.add(carol, p.id, 1) // lost
		p.publish(p.next(r, carol, alice, `1`))
		settle()
		at := time.Now()
		a := w.owner.expectRepair(lobby)
		within(t, "the repair", a.at.Sub(at), tick, 2*tick)
		w.owner.correct(a, r.as())
		alice.expect(clientJoined(lobby, carol), received(lobby, carol, `1`))
		p.expectAck(0, false)
		p.expectAck(1, false)
		w.quiet()
	})
}

func TestNoNewsOfTheSender(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		carol := stranger("carol")
		ahead := *r
		ahead.add(carol, p.id, 1)
		p.publish(p.next(&ahead, carol, alice, `1`), p.next(&ahead, bob, alice, `2`))
		settle()
		at := time.Now()
		p.expectAck(0, false)
		for time.Since(at) < holdTime {
			w.owner.correctAll(r.same()) // the owner knows of no carol
			alice.expectNothing()
			pass(ackDelay)
		}
		// What is known now decides: carol is not in the room, bob is.
		alice.expect(received(lobby, bob, `2`))
		within(t, "holding", time.Since(at), holdTime, holdTime+2*tick)
		p.expectAck(2, false, bus.Refusal{Seq: 1, SenderGone: true})
		settle()
		w.owner.correctAll(r.same())
		w.quiet()
		if s := w.hub.Stats(); s.Held+s.Owed != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

func TestARemoteSignalWaitsForTheTargetsAnswer(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, p, olga := w.connect(), w.peer(), stranger("olga")
		r := w.owner.found(lobby, olga, p.id)
		alice.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, alice)
		r.publish(r.add(alice, c.Gateway, c.Seq))
		p.publish(p.next(r, olga, alice, `1`)) // olga was told of alice before alice was told of the room
		w.quiet()
		p.expectNoAck()
		r.answer(c)
		alice.expect(joined(lobby, olga, olga), received(lobby, olga, `1`))
		p.expectAck(1, false)
		w.quiet()
	})
}

func TestARemoteSignalWaitsForTheTargetsAnswerInAFollowedRoom(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		carol := w.connect()
		carol.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, carol)
		r.publish(r.add(carol, c.Gateway, c.Seq))
		p.publish(p.next(r, bob, carol, `1`))
		alice.expect(clientJoined(lobby, carol))
		w.quiet()
		r.answer(c)
		carol.expect(joined(lobby, alice, alice, bob), received(lobby, bob, `1`))
		p.expectAck(1, false)
		w.quiet()
	})
}

// The command that a held signal waits for comes to nothing: the sender is told, and nothing is left behind.
func TestTheTargetsJoinComesToNothing(t *testing.T) {
	ends := map[string]func(w *world, r *room, alice *client, c *command){
		"refused": func(w *world, _ *room, alice *client, c *command) {
			w.owner.result(c, bus.NotExists)
			alice.expect(notExists(lobby))
		},
		"connection ends": func(w *world, r *room, alice *client, c *command) {
			alice.vanish()
			settle()
			r.answer(c)
			w.owner.result(w.owner.expectCommand(bus.Leave, lobby, alice), bus.NotIn)
		},
		"room ends": func(w *world, r *room, alice *client, c *command) {
			a := r.done(c)
			r.publish(r.end())
			w.owner.answer(c, a)
			alice.next() // room-joined
			alice.expect(kicked(lobby))
			w.owner.correct(w.owner.expectAnnounce(lobby))
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			scene(t, func(t *testing.T, w *world) {
				alice, p, olga := w.connect(), w.peer(), stranger("olga")
				r := w.owner.found(lobby, olga, p.id)
				alice.join(lobby)
				c := w.owner.expectCommand(bus.Join, lobby, alice)
				r.add(alice, c.Gateway, c.Seq)
				p.publish(p.next(r, olga, alice, `1`))
				w.quiet()
				end(w, r, alice, c)
				p.expectAck(1, false, bus.Refusal{Seq: 1})
				w.quiet()
				w.holdsNothing()
				p.publish(p.next(r, olga, alice, `2`)) // the link goes on
				p.expectAck(2, false, bus.Refusal{Seq: 1}, bus.Refusal{Seq: 2})
			})
		})
	}
}

// The last member here goes while signals for it are held.
func TestTheTargetGoesWhileSignalsAreHeld(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		news := r.add(stranger("carol"), p.id, 1)
		p.publish(p.next(r, stranger("carol"), alice, `1`), p.next(r, bob, alice, `2`))
		settle()
		alice.vanish()
		c := w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(news, r.end())
		r.left(c)
		p.expectAck(2, false, bus.Refusal{Seq: 1}, bus.Refusal{Seq: 2})
		w.quiet()
		w.holdsNothing()
	})
}

// When too much is held, signals are not taken: they come again when there is room.
func TestTooManyRemoteSignalsAreHeld(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		news := r.add(stranger("carol"), p.id, 1)
		data := `"` + strings.Repeat("x", 200<<10) + `"`
		var signals []*bus.Signal
		for range 20 {
			signals = append(signals, p.next(r, bob, alice, data))
		}
		p.publish(signals...)
		settle()
		held := w.hub.Stats().Held
		if held < 4 || held*len(data) > 1<<20 {
			t.Fatalf("%d signals are held", held)
		}
		p.expectAck(0, true)
		r.publish(news)
		alice.expect(clientJoined(lobby, stranger("carol")))
		for range held {
			alice.expect(received(lobby, bob, data))
		}
		alice.expectNothing()
		p.expectAck(uint64(held), false)
		p.publish(signals...) // from the beginning
		for range 20 - held {
			alice.expect(received(lobby, bob, data))
		}
		p.expectAck(20, false)
		w.quiet()
	})
}
