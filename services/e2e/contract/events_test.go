package contract

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "signalling/api/client"
	"signalling/pkg/token"
	"signalling/services/e2e/labtest"
)

// events has a test for each row of the table of events: its exact fields, and to whom it is sent. Expect allows no other
// fields and no other frame in between, so each of these also shows to whom it is not sent.
var events = map[string]func(t *testing.T, s *site){
	// Section 3: the first frame of the native door.
	"welcome": func(t *testing.T, s *site) {
		a := s.Connect()
		if a.Welcome["event"] != "welcome" || a.Welcome["protocol"] != float64(1) || a.ID == "" {
			t.Errorf("the first frame is %v", a.Welcome)
		}
		if a.Welcome["maxMessageBytes"] != float64(256<<10) {
			t.Errorf("the limit that it announces is %v", a.Welcome["maxMessageBytes"])
		}
		a.ExpectNothing()
	},
	"room-created": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, a, create(room), created(room))
		// The caller is now owner and first member.
		ask(t, b, join(room), joined(room, a, a))
	},
	"room-exists": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, a, create(room), created(room))
		ask(t, b, create(room), exists(room))
		ask(t, b, leave(room), notInRoom(room)) // it has changed nothing
		ask(t, a, leave(room), left(room))      // and was told to nobody else
	},
	"room-joined": func(t *testing.T, s *site) {
		// The ids of the other members, in join order.
		room, a, b, c, d := s.Room(), s.Connect(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, c, d)
		ask(t, b, join(room), joined(room, a, a, c, d))
		for _, m := range []*conn{a, c, d} {
			m.Expect(clientJoined(room, b))
		}
	},
	"room-not-exists": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, a, join(room), notExists(room))
		ask(t, b, create(room), created(room)) // it has changed nothing
		b.ExpectNothing()
	},
	"room-left": func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		ask(t, b, leave(room), left(room)) // the caller
		for _, m := range []*conn{a, c} {
			m.Expect(clientLeft(room, b))
		}
		ask(t, a, leave(room), left(room))
		c.Expect(kicked(room)) // every other member when the room is closed
		b.ExpectNothing()
	},
	"not-in-room": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, a, create(room), created(room))
		ask(t, b, leave(room), notInRoom(room))
		ask(t, b, signal(room, a.ID, 1), notInRoom(room))
		a.ExpectNothing()
	},
	"signal-receive": func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		b.Emit(signal(room, c.ID, J{"candidate": "…"}))
		c.Expect(received(room, b, J{"candidate": "…"}))
		a.ExpectNothing() // the target only
		b.ExpectNothing()
	},
	"target-not-found": func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		ask(t, b, signal(room, c.ID, 1), targetNotFound(room, c.ID)) // connected, but not in that room
		c.ExpectNothing()
		a.ExpectNothing()
	},
	"client-joined": func(t *testing.T, s *site) {
		room, a, b, c, d := s.Room(), s.Connect(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		ask(t, c, join(room), joined(room, a, a, b))
		a.Expect(clientJoined(room, c)) // all other members
		b.Expect(clientJoined(room, c))
		c.ExpectNothing()
		d.ExpectNothing()
	},
	"client-left": func(t *testing.T, s *site) {
		room, a, b, c, d := s.Room(), s.Connect(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		ask(t, c, leave(room), left(room))
		a.Expect(clientLeft(room, c)) // all other members
		b.Expect(clientLeft(room, c))
		c.ExpectNothing()
		d.ExpectNothing()
	},
	"ice-servers": func(t *testing.T, s *site) {
		const stun = "stun:stun.example.org"
		p := labtest.PrivateOneProcess(t, "GATEWAY_ICE_SERVERS="+stun)
		want, a, b := []any{map[string]any{"urls": []any{stun}}}, p.Connect(), p.Connect()
		if diff := cmp.Diff(want, a.Welcome["iceServers"]); diff != "" {
			t.Error(diff)
		}
		ask(t, a, J{"event": "ice-servers"}, J{"event": "ice-servers", "iceServers": want, "expiresIn": 0})
		b.ExpectNothing()
	},
	"token-expiring": func(t *testing.T, _ *site) {
		a := withToken(t, token.Order{Lifetime: 30 * time.Second}) // it is less than a minute from its end
		got := a.Next()
		left, _ := got["expiresIn"].(float64)
		if got["event"] != "token-expiring" || left <= 0 || left > 30_000 || len(got) != 2 {
			t.Errorf("%v", got)
		}
		a.ExpectNothing()
	},
	"token-refreshed": func(t *testing.T, _ *site) {
		a := withToken(t, token.Order{})
		a.Emit(J{"event": "token-refresh", "token": signed(t, token.Order{Lifetime: time.Hour})})
		got := a.Next()
		left, _ := got["expiresIn"].(float64)
		if got["event"] != "token-refreshed" || left < 3_500_000 || left > 3_600_000 || len(got) != 2 {
			t.Errorf("%v", got)
		}
	},
	"owner-changed": func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meetWith(t, room, J{"onOwnerLost": "transfer"}, state("transfer", false, false, nil), a, b, c)
		ask(t, a, leave(room), left(room))
		b.Expect(clientLeft(room, a), ownerChanged(room, b))
		c.Expect(clientLeft(room, a), ownerChanged(room, b)) // all members
		a.ExpectNothing()
	},
	"room-updated": func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		ask(t, a, update(room, J{"capacity": 9, "metadata": []int{1}}), updated(room, state("close", false, false, J{"capacity": 9, "metadata": []int{1}})))
		b.Expect(updated(room, state("close", false, false, J{"capacity": 9, "metadata": []int{1}})))
		a.ExpectNothing() // the answer is all
		c.ExpectNothing()
	},
	"client-kicked": func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		a.Emit(kick(room, c))
		a.Expect(clientLeft(room, c), clientKicked(room, c))
		b.Expect(clientLeft(room, c)) // the caller only is told that it was a kick
		b.ExpectNothing()
	},
	"resumed": func(t *testing.T, _ *site) { resumed(t) },
	"going-away": func(t *testing.T, _ *site) {
		s := labtest.PrivateOneProcess(t)
		a := s.Connect()
		if err := s.Gateways[0].Terminate(); err != nil {
			t.Fatal(err)
		}
		a.Expect(J{"event": "going-away", "retryAfter": 0})
		a.ExpectClose(1001)
	},
	"error": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		ask(t, b, J{"event": "no such event", "room": room}, refused("bad-request"))
		a.ExpectNothing()
		ask(t, b, leave(room), left(room)) // the connection stays open
	},
}

// resumed loses a connection and comes back to its session.
func resumed(t *testing.T) {
	t.Helper()
	s := labtest.PrivateOneProcess(t, "GATEWAY_RESUME_WINDOW=30s")
	room, a, b := s.Room(), s.Connect(), s.Connect()
	meet(t, room, a, b)
	a.Abort()
	b.Emit(signal(room, a.ID, 1))
	again := s.Connect()
	again.Emit(J{"event": "resume", "token": a.Welcome["resume"], "received": 2}) // room-created, client-joined
	got := again.Next()
	token, _ := got["resume"].(string)
	want := J{
		"event": "resumed", "clientId": a.ID, "received": 1.0, "seq": 2.0, "missed": false, "rooms": []any{},
		"resume": token, "resumeWindow": 30_000.0,
	}
	if diff := cmp.Diff(want, got); diff != "" || token == "" || token == a.Welcome["resume"] {
		t.Errorf("resumed: %s", diff)
	}
	again.Expect(received(room, b, 1))
	ask(t, again, join(room), joined(room, a, b))
}

func TestEvents(t *testing.T) {
	for _, name := range api.EventNames {
		t.Run(name, func(t *testing.T) {
			test := events[name]
			if test == nil {
				t.Fatal("the event has no test")
			}
			labtest.ForEachSite(t, test)
		})
	}
}
