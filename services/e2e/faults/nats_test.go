package faults

import (
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// NATS restarts: every client's view is repaired to the truth, with only the differences sent.
func TestSIGKILL_NATS(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	one, two := s.Room(), s.Room()
	a, b, c, d := s.ConnectAt(0), s.ConnectAt(1), s.ConnectAt(0), s.ConnectAt(1)
	meet(t, one, a, b, c, d)
	meet(t, two, d, c, b, a)
	for range 3 {
		start := time.Now()
		restart(t, s.NATS)
		stillThere(t, one, a, b, c, d) // nobody is dropped, and nobody was told anything
		stillThere(t, two, d, c, b, a)
		took(t, "restart and repair", start)
		chat(t, one, a, b, c, d)
		chat(t, two, d, c, b, a)
	}
}

// What happened meanwhile is told on its return, once.
func TestSIGKILL_NATSAndClientsMeanwhile(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	one, two, three := s.Room(), s.Room(), s.Room()
	a, b, c, d := s.ConnectAt(0), s.ConnectAt(1), s.ConnectAt(0), s.ConnectAt(1)
	meet(t, one, a, b, c)
	meet(t, two, c, a, b)
	meet(t, three, a, b)
	must(t, s.NATS.Kill())
	c.Abort()                        // the owner of a room, and a member of another
	b.Emit(leave(three))             // waits
	d.Emit(join(one))                // waits
	a.Emit(signal(one, b, "across")) // waits
	must(t, s.NATS.Start(labtest.Context(t)))
	a.ExpectSet(clientLeft(one, c), kicked(two), clientLeft(three, b), clientJoined(one, d))
	b.ExpectSet(clientLeft(one, c), kicked(two), left(three), clientJoined(one, d), received(one, a, "across"))
	if len(others(d.Next())) == 3 { // it joined before the other left
		d.Expect(clientLeft(one, c))
	}
	stillThere(t, one, a, b, d)
	ask(t, b, join(two), notExists(two))
	ask(t, b, create(three), exists(three))
}
