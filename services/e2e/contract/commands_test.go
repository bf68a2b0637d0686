package contract

import (
	"testing"

	api "signalling/api/client"
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
