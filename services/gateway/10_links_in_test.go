package gateway_test

import (
	"testing"
	"time"

	"signalling/api/bus"
)

// Signals from another gateway are delivered once and in order, acknowledged 64 at a time or after 20 ms.

const ackDelay = 20 * time.Millisecond

func TestARemoteSignalIsDelivered(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		p.publish(p.next(r, bob, alice, `{"a" : "ü"}`))
		alice.expect(received(lobby, bob, `{"a" : "ü"}`))
		settle()
		p.expectNoAck()
		at := time.Now()
		p.expectAck(1, false)
		within(t, "the acknowledgement", time.Since(at), ackDelay, ackDelay)
		p.publish(p.next(r, bob, alice, `2`), p.next(r, bob, alice, `3`))
		alice.expect(received(lobby, bob, `2`), received(lobby, bob, `3`))
		p.expectAck(3, false)
		pass(10 * time.Second)
		p.expectNoAck()
		w.quiet()
	})
}

func TestManySignalsAreAcknowledgedAtOnce(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		for range 130 {
			p.publish(p.next(r, bob, alice, `1`))
		}
		settle()
		p.expectAck(64, false)
		p.expectAck(128, false)
		p.expectNoAck()
		pass(ackDelay)
		p.expectAck(130, false)
		for range 130 {
			alice.expect(received(lobby, bob, `1`))
		}
		w.quiet()
	})
}

func TestDuplicatesAreDroppedAndAcknowledgedAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		one, two := p.next(r, bob, alice, `1`), p.next(r, bob, alice, `2`)
		p.publish(one, two)
		alice.expect(received(lobby, bob, `1`), received(lobby, bob, `2`))
		p.expectAck(2, false)
		p.publish(one, two) // the acknowledgement was lost
		p.expectAck(2, false)
		pass(10 * time.Second)
		p.expectNoAck()
		w.quiet()
	})
}

// One word about a gap is enough: everything behind it is on its way as well, and will come again as well.
func TestAGap(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		var signals []*bus.Signal
		for n := range 100 {
			signals = append(signals, p.next(r, bob, alice, number(n)))
		}
		p.publish(signals[0])
		p.publish(signals[2:]...)
		alice.expect(received(lobby, bob, `0`))
		p.expectAck(1, true)
		pass(time.Second)
		p.expectNoAck()
		p.publish(signals[1:]...)
		for n := 1; n < 100; n++ {
			alice.expect(received(lobby, bob, number(n)))
		}
		p.expectAck(65, false)
		p.expectAck(100, false)
		// The next gap is another one.
		p.next(r, bob, alice, `lost`)
		p.publish(p.next(r, bob, alice, `1`))
		p.expectAck(100, true)
		w.quiet()
	})
}

// The sender gives up what it could not bring; its base says so.
func TestTheBaseClosesAGap(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		for range 5 {
			p.next(r, bob, alice, `"given up"`)
		}
		s := p.next(r, bob, alice, `6`)
		s.Base = 6
		p.publish(s)
		alice.expect(received(lobby, bob, `6`))
		p.expectAck(6, false)
		w.quiet()
	})
}

// A gateway that is new here, or was silent for long, goes on where it is.
func TestTheFirstSignalNeedNotBeNumberOne(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		p.seq = 500
		one, two := p.next(r, bob, alice, `1`), p.next(r, bob, alice, `2`)
		one.Base, two.Base = 501, 501
		p.publish(two)
		p.expectAck(500, true)
		p.publish(one, two)
		alice.expect(received(lobby, bob, `1`), received(lobby, bob, `2`))
		p.expectAck(502, false)
		w.quiet()
	})
}

func TestRefusalsOfSignals(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		gone, elsewhere := stranger("gone"), stranger("elsewhere")
		r.enters(elsewhere, "another-gateway")
		alice.expect(clientJoined(lobby, elsewhere))
		other := w.owner.room("other")
		p.publish(
			p.next(r, bob, gone, `1`),      // the target is not in the room
			p.next(r, gone, alice, `2`),    // the sender is not
			p.next(other, bob, alice, `3`), // nobody here is in that room
			p.next(r, bob, elsewhere, `4`), // the target is at another gateway
			p.next(r, bob, alice, `5`),
		)
		alice.expect(received(lobby, bob, `5`))
		refused := []bus.Refusal{{Seq: 1}, {Seq: 2, SenderGone: true}, {Seq: 3}, {Seq: 4}}
		p.expectAck(5, false, refused...)
		late := p.next(r, bob, alice, `6`) // base 1: the sender has not heard of the refusals
		p.publish(late)
		alice.expect(received(lobby, bob, `6`))
		p.expectAck(6, false, refused...)
		last := p.next(r, bob, alice, `7`)
		last.Base = 3
		p.publish(last)
		alice.expect(received(lobby, bob, `7`))
		p.expectAck(7, false, refused[2:]...)
		w.quiet()
	})
}

func TestASignalFromARoomThatHasEnded(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		r.publish(r.end())
		alice.expect(kicked(lobby))
		p.publish(p.next(r, bob, alice, `1`))
		p.expectAck(1, false, bus.Refusal{Seq: 1})
		w.quiet()
		w.holdsNothing()
	})
}
