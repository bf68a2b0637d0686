package contract

import (
	"testing"

	"signalling/services/e2e/labtest"
)

// Rule 2: a member's leave, or the end of its connection, sends client-left to the members that remain.
func TestRule2_AMembersEndIsToldToThoseThatRemain(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, owner, b, c, d := s.Room(), s.Connect(), s.Connect(), s.Connect(), s.Connect()
				meet(t, room, owner, b, c, d)
				end.by(t, room, c)
				for _, m := range []*conn{owner, b, d} {
					m.Expect(clientLeft(room, c))
				}
				// The next thing that they see is the next thing that happens: it was told once.
				ask(t, b, leave(room), left(room))
				owner.Expect(clientLeft(room, b))
				d.Expect(clientLeft(room, b))
				ask(t, b, join(room), joined(room, owner, owner, d))
			})
		})
	}
}

func TestRule2_TheEndOfAConnectionIsToldInAllItsRooms(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		a, b := s.Connect(), s.Connect()
		rooms := map[string]bool{}
		for range 10 {
			room := s.Room()
			rooms[room] = true
			meet(t, room, a, b)
		}
		b.Abort()
		for range len(rooms) {
			e := a.Next()
			room, _ := e["room"].(string)
			if e["event"] != "client-left" || e["clientId"] != b.ID || !rooms[room] {
				t.Fatalf("frame %v", e)
			}
			delete(rooms, room)
		}
		a.ExpectNothing()
	})
}
