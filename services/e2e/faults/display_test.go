package faults

import (
	"net/url"
	"testing"

	"signalling/pkg/token"
	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// Display identities are known to nobody but the gateways when the rooms service has died, and to nobody but the rooms service
// when a gateway has.
func TestDisplayIdentitiesSurvive(t *testing.T) {
	const secret = "the secret that signs the tokens of these tests"
	s := labtest.Private(t, lab.Layout{Gateways: 2, GatewayEnv: []string{
		"GATEWAY_AUTH_SECRET=" + secret, "GATEWAY_AUTH_DISPLAY=name",
		"GATEWAY_RESUME_WINDOW=60s", "GATEWAY_RESUME_SECRET=0123456789abcdef0123456789abcdef",
	}})
	connect := func(gateway int, name string) *conn {
		text, err := token.Sign([]byte(secret), token.Order{Claims: map[string]any{"name": name}})
		must(t, err)
		return labtest.Open(t, s.URLOf(gateway)+"?token="+url.QueryEscape(text), nil)
	}
	room, a, b := s.Room(), connect(0, "Alice"), connect(1, "Bob")
	if a.Welcome["display"] != "Alice" {
		t.Errorf("the welcome is %v", a.Welcome)
	}
	// meets lets somebody join and be seen.
	meets := func(gateway int, name string, displays J, members ...*conn) *conn {
		t.Helper()
		c := connect(gateway, name)
		answer := joined(room, a, members...)
		answer["displays"] = displays
		ask(t, c, join(room), answer)
		arrival := clientJoined(room, c)
		arrival["display"] = name
		for _, m := range members {
			m.Expect(arrival)
		}
		return c
	}
	ask(t, a, create(room), created(room))
	joins := joined(room, a, a)
	joins["displays"] = J{a.ID: "Alice"}
	ask(t, b, join(room), joins)
	arrival := clientJoined(room, b)
	arrival["display"] = "Bob"
	a.Expect(arrival)

	restart(t, s.Rooms)
	c := meets(0, "Carol", J{a.ID: "Alice", b.ID: "Bob"}, a, b)

	must(t, s.Gateways[1].Kill())
	back := connect(0, "Bob")
	back.Emit(J{"event": "resume", "token": b.Welcome["resume"], "received": 2})
	for frame := back.Next(); frame["event"] != "room-joined"; frame = back.Next() {
		if frame["event"] == "error" {
			t.Fatal(frame)
		}
	}
	back.ID = b.ID
	meets(0, "Dave", J{a.ID: "Alice", b.ID: "Bob", c.ID: "Carol"}, a, back, c)
}
