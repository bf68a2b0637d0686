package faults

import (
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// The rooms service is killed, none is running: commands answer error(unavailable) after their time; members keep their
// sockets, signals between known members still pass; on its return it learns the rooms back from the gateways and nobody is
// dropped.
func TestSIGKILL_Rooms(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2, GatewayEnv: []string{"GATEWAY_COMMAND_TIMEOUT=5s"}})
	one, two, fresh := s.Room(), s.Room(), s.Room()
	a, b, c, d := s.ConnectAt(0), s.ConnectAt(1), s.ConnectAt(0), s.ConnectAt(1)
	meet(t, one, a, b, c, d)
	meet(t, two, d, c, b, a)
	must(t, s.Rooms.Kill())

	for _, m := range []*conn{a, b} {
		m.Emit(create(fresh))
		m.Emit(join(fresh))
	}
	for _, m := range []*conn{a, a, b, b} {
		m.Expect(unavailable)
	}
	chat(t, one, a, b, c, d)
	chat(t, two, d, c, b, a)

	start := time.Now()
	must(t, s.Rooms.Start(labtest.Context(t)))
	stillThere(t, one, a, b, c, d)
	stillThere(t, two, d, c, b, a)
	took(t, "from its return until all is as before", start)
	ask(t, a, create(fresh), created(fresh))
	ask(t, b, join(fresh), joined(fresh, a, a))
	a.Expect(clientJoined(fresh, b))
	ask(t, a, leave(one), left(one))
	for _, m := range []*conn{b, c, d} {
		m.Expect(kicked(one))
	}
}

// Commands that wait for the return are carried out by it, once.
func TestSIGKILL_RoomsWhileCommandsWait(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2, GatewayEnv: []string{"GATEWAY_COMMAND_TIMEOUT=40s", "GATEWAY_PING_TIMEOUT=60s"}})
	room, fresh, a, b, c := s.Room(), s.Room(), s.ConnectAt(0), s.ConnectAt(1), s.ConnectAt(1)
	meet(t, room, a, b)
	must(t, s.Rooms.Kill())
	a.Emit(create(fresh))
	b.Emit(leave(room))
	c.Emit(join(room))
	must(t, s.Rooms.Start(labtest.Context(t)))
	a.ExpectSet(created(fresh), clientLeft(room, b), clientJoined(room, c))
	if len(others(c.Next())) == 2 { // it joined before the other left
		b.Expect(clientJoined(room, c))
		c.Expect(clientLeft(room, b))
	}
	b.Expect(left(room))
	stillThere(t, room, a, c)
}

// What happens to members while no rooms service is running is told on its return.
func TestSIGKILL_RoomsAndClientsMeanwhile(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	one, two := s.Room(), s.Room()
	a, b, c := s.ConnectAt(0), s.ConnectAt(1), s.ConnectAt(0)
	meet(t, one, a, b, c)
	meet(t, two, c, a, b)
	must(t, s.Rooms.Kill())
	c.Abort()
	must(t, s.Rooms.Start(labtest.Context(t)))
	expectEnds(t, a, clientLeft(one, c), kicked(two))
	expectEnds(t, b, clientLeft(one, c), kicked(two))
	stillThere(t, one, a, b)
	ask(t, a, join(two), notExists(two))
}
