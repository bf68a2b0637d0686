package contract

import (
	"testing"

	api "signalling/api/client"
	"signalling/pkg/token"
	"signalling/services/e2e/labtest"
)

// commands has a test for each row of the table of commands: all its answers.
var commands = map[string]func(t *testing.T, s *site){
	"room-create": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, a, create(room), created(room))
		ask(t, b, create(room), exists(room))
		ask(t, a, create(""), refused("bad-request"))
	},
	"room-join": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, b, join(room), notExists(room))
		ask(t, a, create(room), created(room))
		ask(t, b, join(room), joined(room, a, a))
		ask(t, b, join(""), refused("bad-request"))
	},
	"room-leave": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, b, leave(room), notInRoom(room))
		meet(t, room, a, b)
		ask(t, b, leave(room), left(room))
		ask(t, b, leave(room), notInRoom(room))
		ask(t, b, leave(""), refused("bad-request"))
	},
	"signal-send": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, b, signal(room, a.ID, 1), notInRoom(room))
		meet(t, room, a, b)
		b.Emit(signal(room, a.ID, J{"sdp": "v=0"}))
		a.Expect(received(room, b, J{"sdp": "v=0"}))
		b.ExpectNothing() // nothing when delivered
		ask(t, b, signal(room, "nobody", 1), targetNotFound(room, "nobody"))
		ask(t, b, signal("", a.ID, 1), refused("bad-request"))
	},
	"token-refresh": func(t *testing.T, s *site) {
		refresh := func(text string) J { return J{"event": "token-refresh", "token": text} }
		ask(t, s.Connect(), refresh("x"), refused("bad-request")) // no tokens are used here
		a := withToken(t, token.Order{Subject: "alice"})
		ask(t, a, refresh(signed(t, token.Order{Subject: "alice"})), J{"event": "token-refreshed", "expiresIn": 0})
		ask(t, a, refresh("x"), refused("unauthorized"))
		ask(t, a, refresh(signed(t, token.Order{Subject: "bob"})), refused("forbidden"))
		ask(t, a, refresh(""), refused("bad-request"))
	},
	"resume": func(t *testing.T, s *site) {
		resume := func(text string) J { return J{"event": "resume", "token": text, "received": 0} }
		ask(t, s.Connect(), resume("x"), refused("unauthorized")) // sessions are not resumed here
		late, room := s.Connect(), s.Room()
		ask(t, late, join(room), notExists(room))
		ask(t, late, resume("x"), refused("bad-request")) // it must be the first
		resumed(t)
	},
	"ice-servers": func(t *testing.T, s *site) {
		ask(t, s.Connect(), J{"event": "ice-servers"}, J{"event": "ice-servers", "iceServers": []any{}, "expiresIn": 0})
	},
	"room-update": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, a, update(room, J{"locked": true}), notInRoom(room))
		meet(t, room, a, b)
		ask(t, a, update(room, J{"locked": true}), updated(room, state("close", true, false, nil)))
		b.Expect(updated(room, state("close", true, false, nil)))
		ask(t, b, update(room, J{"locked": false}), refused("forbidden"))
	},
	"room-kick": func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		ask(t, a, kick(room, b), notInRoom(room))
		meet(t, room, a, b)
		a.Emit(kick(room, b))
		a.Expect(clientLeft(room, b), clientKicked(room, b))
		b.Expect(kicked(room))
		b.Close()
		ask(t, a, kick(room, s.Connect()), J{"event": "target-not-found", "room": room, "targetId": labtest.AnyText})
		ask(t, a, J{"event": "room-kick", "room": room}, refused("bad-request"))
	},
}

const tokenSecret = "the secret that signs the tokens of these tests"

func signed(t *testing.T, o token.Order) string {
	t.Helper()
	text, err := token.Sign([]byte(tokenSecret), o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// withToken connects with a token to a server that wants one.
func withToken(t *testing.T, o token.Order) *conn {
	t.Helper()
	s := labtest.PrivateOneProcess(t, "GATEWAY_AUTH_SECRET="+tokenSecret, "GATEWAY_AUTH_LEEWAY=0s")
	return labtest.Open(t, s.URLOf(0)+"?token="+signed(t, o), nil)
}

func TestCommands(t *testing.T) {
	for _, spec := range api.Commands {
		t.Run(spec.Name, func(t *testing.T) {
			test := commands[spec.Name]
			if test == nil {
				t.Fatal("the command has no test")
			}
			labtest.ForEachSite(t, test)
		})
	}
}
