package gateway_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"signalling/api/bus"
)

// Signals to another gateway are numbered, acknowledged in bulk, and sent again until they are.

const resendAfter = time.Second

// apart is a room of alice, at this gateway, with bob at another one.
func apart(w *world) (r *room, alice *client, p *peer, bob stranger) {
	w.t.Helper()
	alice, p, bob = w.connect(), w.peer(), "bob"
	r = w.owner.open(lobby, alice)
	r.enters(bob, p.id)
	alice.expect(clientJoined(lobby, bob))
	return r, alice, p, bob
}

func TestARemoteSignal(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		alice.signal(lobby, bob, `{"a" : "ü"}`)
		s := p.expectSignal(1)
		if s.Base != 1 || s.Stamp != r.Stamp || string(s.Room) != lobby || string(s.Sender) != alice.id || string(s.Target) != string(bob) || string(s.Data) != `{"a" : "ü"}` {
			t.Errorf("signal %+v", s.Signal)
		}
		alice.signal(lobby, bob, `2`)
		if s = p.expectSignal(2); s.Base != 1 {
			t.Errorf("base %d", s.Base)
		}
		p.ack(2)
		settle()
		alice.signal(lobby, bob, `3`)
		if s = p.expectSignal(3); s.Base != 3 {
			t.Errorf("base %d", s.Base)
		}
		p.ack(3)
		pass(10 * time.Second)
		p.expectNoSignal()
		w.quiet() // nothing is told to the sender of a signal that was delivered
		if s := w.hub.Stats(); s.Unacked != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

func TestALostAckMakesTheSignalsComeAgain(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		_, alice, p, bob := apart(w)
		alice.signal(lobby, bob, `1`)
		alice.signal(lobby, bob, `2`)
		alice.signal(lobby, bob, `3`)
		at := p.expectSignal(1).at
		p.expectSignal(2)
		p.expectSignal(3)
		p.ack(1)
		first := p.expectSignal(2)
		within(t, "sending again", first.at.Sub(at), resendAfter, resendAfter+tick)
		if first.Base != 2 {
			t.Errorf("base %d", first.Base)
		}
		p.expectSignal(3)
		second := p.expectSignal(2)
		within(t, "sending again", second.at.Sub(first.at), resendAfter, resendAfter+tick)
		p.expectSignal(3)
		p.ack(3)
		pass(10 * time.Second)
		p.expectNoSignal()
		w.quiet()
	})
}

func TestAGapMakesTheSignalsComeAgainAtOnce(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		_, alice, p, bob := apart(w)
		for n := range 5 {
			alice.signal(lobby, bob, number(n+1))
		}
		for n := range 5 {
			p.expectSignal(uint64(n + 1))
		}
		at := time.Now()
		p.gap(2)
		for n := 3; n <= 5; n++ {
			if s := p.expectSignal(uint64(n)); string(s.Data) != number(n) {
				t.Errorf("signal %d is %s", n, s.Data)
			}
		}
		within(t, "sending again", time.Since(at), 0, 0)
		p.ack(5)
		pass(10 * time.Second)
		p.expectNoSignal()
	})
}

// The receiver could not deliver: the sender is told as if it had been known here.
func TestRefusals(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		_, alice, p, bob := apart(w)
		for n := range 4 {
			alice.signalID(lobby, bob, number(n), `"s`+number(n+1)+`"`)
			p.expectSignal(uint64(n + 1))
		}
		p.ack(3, bus.Refusal{Seq: 1}, bus.Refusal{Seq: 3, SenderGone: true})
		alice.expectID(`"s1"`, targetNotFound(lobby, bob))
		alice.expectID(`"s3"`, notIn(lobby))
		p.ack(4, bus.Refusal{Seq: 1}, bus.Refusal{Seq: 3, SenderGone: true}) // told once, however often it is said
		w.quiet()
	})
}

func TestRefusalsForASenderThatHasGone(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		alice.signal(lobby, bob, `1`)
		p.expectSignal(1)
		alice.vanish()
		c := w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(r.end())
		r.left(c)
		p.ack(1, bus.Refusal{Seq: 1})
		w.quiet()
		w.holdsNothing()
	})
}

// What is not acknowledged within the time of a command is given up. The receiver learns from the base that it never comes.
func TestASignalThatIsNeverAcknowledged(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		_, alice, p, bob := apart(w)
		alice.signalID(lobby, bob, `1`, "1")
		p.expectSignal(1)
		pass(3 * time.Second)
		alice.signalID(lobby, bob, `2`, "2")
		started := time.Now().Add(-3 * time.Second)
		alice.expectID("1", unreachable())
		within(t, "giving up", time.Since(started), commandTimeout, commandTimeout+resendAfter+tick)
		w.quiet()
		p.skipSignals()
		if s := p.expectSignal(2); s.Base != 2 {
			t.Errorf("base %d", s.Base)
		}
		p.ack(2)
		pass(10 * time.Second)
		p.expectNoSignal()
		w.quiet()
	})
}

// A signal whose target has left meanwhile is not sent for long.
func TestASignalWhoseTargetLeaves(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		alice.signalID(lobby, bob, `1`, "1")
		at := p.expectSignal(1).at
		r.publish(r.remove(bob)) // its gateway has died, say
		alice.expect(clientLeft(lobby, bob))
		alice.expectID("1", targetNotFound(lobby, bob))
		within(t, "giving up", time.Since(at), 0, resendAfter+tick)
		if s := w.hub.Stats(); s.Unacked != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

// Signals to others at the same gateway go on. What is missing between them is seen from the base.
func TestOneOfSeveralTargetsLeaves(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		carol := stranger("carol")
		r.enters(carol, p.id)
		alice.expect(clientJoined(lobby, carol))
		for n, who := range []stranger{bob, carol, bob, carol, bob} {
			alice.signalID(lobby, who, number(n+1), number(n+1))
			p.expectSignal(uint64(n + 1))
		}
		r.publish(r.remove(carol))
		alice.expect(clientLeft(lobby, carol))
		alice.expectID("2", targetNotFound(lobby, carol))
		alice.expectID("4", targetNotFound(lobby, carol))
		if s := p.expectSignal(1); s.Base != 1 {
			t.Errorf("base %d", s.Base)
		}
		p.expectSignal(3)
		p.expectSignal(5)
		p.gap(1) // the second is missing here
		if s := p.expectSignal(3); s.Base != 3 || string(s.Data) != "3" {
			t.Errorf("base %d, data %s", s.Base, s.Data)
		}
		p.expectSignal(5)
		p.gap(4)
		if s := p.expectSignal(5); s.Base != 5 || string(s.Data) != "5" {
			t.Errorf("base %d, data %s", s.Base, s.Data)
		}
		p.ack(5)
		pass(10 * time.Second)
		p.expectNoSignal()
		w.quiet()
		if s := w.hub.Stats(); s.Unacked != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

func TestTooManySignalsOnTheirWay(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		_, alice, p, bob := apart(w)
		data := `"` + strings.Repeat("x", 200<<10) + `"`
		n := 0
		for ; n*len(data) < 32<<20; n++ {
			alice.signal(lobby, bob, data)
			p.expectSignal(uint64(n + 1))
		}
		w.quiet()
		alice.signalID(lobby, bob, `1`, "1")
		alice.expectID("1", unreachable())
		p.ack(uint64(n))
		settle()
		alice.signal(lobby, bob, `2`)
		if s := p.expectSignal(uint64(n + 1)); !bytes.Equal(s.Data, []byte(`2`)) {
			t.Errorf("signal %s", s.Data)
		}
	})
}

// Each gateway has its own numbers.
func TestSignalsToSeveralGateways(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		other, carol := w.peer(), stranger("carol")
		r.enters(carol, other.id)
		alice.expect(clientJoined(lobby, carol))
		for n := range 3 {
			alice.signal(lobby, bob, number(n))
			alice.signal(lobby, carol, number(n))
			p.expectSignal(uint64(n + 1))
			other.expectSignal(uint64(n + 1))
		}
		p.ack(3)
		other.expectSignal(1) // p's acknowledgement is not other's
		other.ack(3)
		settle()
		p.expectNoSignal()
		w.quiet()
	})
}

// A link that was idle for long begins again from 1, when the receiver has certainly forgotten the old one.
func TestAnIdleLinkIsForgotten(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		_, alice, p, bob := apart(w)
		alice.signal(lobby, bob, `1`)
		p.expectSignal(1)
		p.ack(1)
		pass(15 * time.Minute)
		w.owner.skipAnnounces()
		alice.signal(lobby, bob, `2`)
		p.expectSignal(2)
		p.ack(2)
		pass(20*time.Minute + time.Second)
		alice.signal(lobby, bob, `3`)
		p.expectSignal(1)
		p.ack(1)
		settle()
		if s := w.hub.Stats(); s.Unacked != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	}, func(s *settings) { s.hub.AnnounceInterval = 24 * time.Hour })
}
