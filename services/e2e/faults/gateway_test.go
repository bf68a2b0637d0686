package faults

import (
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// A gateway is killed: its clients' sockets drop; other members get the client-left or room-left.
func TestSIGKILL_Gateway(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	one, two, three := s.Room(), s.Room(), s.Room()
	a, b, c := s.ConnectAt(0), s.ConnectAt(1), s.ConnectAt(1)
	meet(t, one, a, b, c) // it held the owner
	meet(t, two, b, a, c) // it held a member
	meet(t, three, b, c)  // it has nothing to do with it
	start := time.Now()
	must(t, s.Gateways[0].Kill())
	expectEnds(t, b, kicked(one), clientLeft(two, a))
	expectEnds(t, c, kicked(one), clientLeft(two, a))
	took(t, "until the others were told", start)
	stillThere(t, two, b, c)
	stillThere(t, three, b, c)

	// The name is free, and the gateway can come back.
	ask(t, c, create(one), created(one))
	must(t, s.Gateways[0].Start(labtest.Context(t)))
	d := s.ConnectAt(0)
	ask(t, d, join(one), joined(one, c, c))
	c.Expect(clientJoined(one, d))
	chat(t, one, c, d)
}

// A gateway that hangs is given up like one that is dead. When it goes on after all, its clients are told the truth: they
// are in no room any more.
func TestSIGSTOP_Gateway(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	one, two := s.Room(), s.Room()
	a, b := s.ConnectAt(0), s.ConnectAt(1)
	meet(t, one, a, b)
	meet(t, two, b, a)
	start := time.Now()
	must(t, s.Gateways[0].Pause())
	expectEnds(t, b, kicked(one), clientLeft(two, a))
	took(t, "until the others were told", start)
	start = time.Now()
	must(t, s.Gateways[0].Resume())
	expectEnds(t, a, kicked(one), kicked(two))
	took(t, "until its own clients were told", start)
	ask(t, a, join(two), joined(two, b, b))
	b.Expect(clientJoined(two, a))
	chat(t, two, b, a)
}

// A client's network dies silently: its membership ends after the heartbeat runs out.
func TestASilentClientIsGivenUp(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2, GatewayEnv: []string{
		"GATEWAY_PING_INTERVAL=500ms", "GATEWAY_PING_TIMEOUT=6s", "GATEWAY_COMMAND_TIMEOUT=5s",
	}})
	room, a, b := s.Room(), s.ConnectAt(0), s.ConnectAt(1)
	meet(t, room, a, b)
	silent := labtest.OpenUnread(t, s.URLOf(0), nil) // who does not read does not answer pings
	silent.Emit(join(room))
	e := a.Next()
	silent.ID, _ = e["clientId"].(string)
	b.Expect(clientJoined(room, silent))
	start := time.Now()
	a.Expect(clientLeft(room, silent))
	b.Expect(clientLeft(room, silent))
	took(t, "until the others were told", start)
	silent.Read()
	silent.ExpectCloseAfterFrames(4001)
	stillThere(t, room, a, b) // who answers stays
}
