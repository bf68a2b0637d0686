package gateway_test

import (
	"testing"

	"signalling/api/bus"
)

// A signal goes from member to member: directly if both are at this gateway, otherwise straight to the target's gateway.

func TestALocalSignalNeverSeesTheBus(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		_, alice, bob := pair(w)
		settle()
		before := w.nc.Stats()
		alice.signal(lobby, bob, `{"type" : "offer", "sdp":"…"}`)
		bob.expect(received(lobby, alice, `{"type" : "offer", "sdp":"…"}`))
		bob.signal(lobby, alice, `null`)
		bob.signal(lobby, bob, `{}`) // to oneself
		bob.expect(received(lobby, bob, `{}`))
		alice.expect(received(lobby, bob, `null`))
		w.quiet()
		if after := w.nc.Stats(); after.OutMsgs != before.OutMsgs {
			t.Errorf("%d messages were published", after.OutMsgs-before.OutMsgs)
		}
	})
}

func TestASignalWithoutDataArrivesAsNull(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		_, alice, bob := pair(w)
		alice.say(`{"event":"signal-send","room":"lobby","targetId":"` + bob.id + `"}`)
		bob.expect(received(lobby, alice, `null`))
	})
}

func TestSignalsThatGoNowhere(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		_, alice, bob := pair(w)
		carol := w.connect()
		carol.signalID(lobby, alice, `1`, `"a"`) // not a member
		carol.expectID(`"a"`, notIn(lobby))
		carol.signalID("nowhere", alice, `1`, `"b"`)
		carol.expectID(`"b"`, notIn("nowhere"))
		alice.signalID(lobby, carol, `1`, `"c"`) // not to a member
		alice.expectID(`"c"`, targetNotFound(lobby, carol))
		alice.signal(lobby, stranger("nobody"), `1`)
		alice.expect(targetNotFound(lobby, stranger("nobody")))
		bob.expectNothing()
		w.quiet()
	})
}

// A member that has asked to join but was not told yet that it is one must not get a signal before that.
func TestALocalSignalWaitsForTheTargetsAnswer(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		alice.expect(clientJoined(lobby, bob))
		alice.signal(lobby, bob, `1`)
		alice.signal(lobby, bob, `2`)
		alice.signal(lobby, alice, `3`) // others are not delayed
		alice.expect(received(lobby, alice, `3`))
		w.quiet()
		r.answer(c)
		bob.expect(joined(lobby, alice, alice), received(lobby, alice, `1`), received(lobby, alice, `2`))
		w.quiet()
	})
}

func TestALocalSignalWaitsInVain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		alice.expect(clientJoined(lobby, bob))
		alice.signalID(lobby, bob, `1`, "7")
		settle()
		r.publish(r.remove(bob))
		alice.expect(clientLeft(lobby, bob))
		alice.expectID("7", targetNotFound(lobby, bob))
		w.owner.answer(c, &bus.Answer{Result: bus.Refused, Code: "forbidden", Message: "no"})
		settle()
		if s := w.hub.Stats(); s.Held != 0 {
			t.Errorf("%d signals are held", s.Held)
		}
	})
}

func TestALocalSignalIsHeldForTwoSecondsAtMost(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		alice.expect(clientJoined(lobby, bob))
		alice.signalID(lobby, bob, `1`, "7")
		settle()
		for range 4 { // meanwhile the room is compared, which does not help
			pass(2 * tick)
			w.owner.correctAll(r.same())
		}
		alice.expectNothing()
		pass(2 * tick)
		w.owner.correctAll(r.same())
		alice.expectID("7", targetNotFound(lobby, bob))
		r.answer(c)
		bob.expect(joined(lobby, alice, alice))
		w.owner.skipCommands()
		settle()
		w.owner.correctAll(r.same())
		w.quiet()
	})
}

// What is held is bounded.
func TestTooMuchIsHeld(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		alice.expect(clientJoined(lobby, bob))
		for range 256 {
			alice.signal(lobby, bob, `1`)
		}
		w.quiet()
		alice.signalID(lobby, bob, `1`, "7")
		alice.expectID("7", unreachable())
		r.answer(c)
		bob.expect(joined(lobby, alice, alice))
		for range 256 {
			bob.expect(received(lobby, alice, `1`))
		}
		w.quiet()
		if s := w.hub.Stats(); s.Held != 0 {
			t.Errorf("%d signals are held", s.Held)
		}
	})
}
