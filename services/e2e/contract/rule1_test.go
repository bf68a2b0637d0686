package contract

import (
	"testing"

	"signalling/services/e2e/labtest"
)

// Rule 1: a room exists from room-created until its owner leaves or its owner's connection ends. Then it is closed: every
// other member gets room-left(room, true), nobody gets client-left, and the name is free at once. No member stays behind,
// and no member's connection is closed: it may be in other rooms.

// ends are the ways in which a client can stop to be a member.
var ends = []struct {
	name string
	by   func(t *testing.T, room string, c *conn)
}{
	{"leave", func(t *testing.T, room string, c *conn) { ask(t, c, leave(room), left(room)) }},
	{"close", func(_ *testing.T, _ string, c *conn) { c.Close() }},
	{"lost connection", func(_ *testing.T, _ string, c *conn) { c.Abort() }},
}

func TestRule1_ARoomEndsWithItsOwner(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, other := s.Room(), s.Room()
				owner, b, c := s.Connect(), s.Connect(), s.Connect()
				meet(t, room, owner, b, c)
				meet(t, other, b, c)

				end.by(t, room, owner)
				b.Expect(kicked(room))
				c.Expect(kicked(room))

				// The name is free at once, and nobody has stayed behind.
				ask(t, c, create(room), created(room))
				ask(t, b, leave(room), notInRoom(room))
				ask(t, b, signal(room, c.ID, 1), notInRoom(room))
				ask(t, b, join(room), joined(room, c, c))
				c.Expect(clientJoined(room, b))

				// The other room is as it was.
				b.Emit(signal(other, c.ID, "still here"))
				c.Expect(received(other, b, "still here"))
				c.ExpectNothing()
				b.ExpectNothing()
			})
		})
	}
}

func TestRule1_ARoomOutlivesAllButItsOwner(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, owner, b)
		ask(t, b, leave(room), left(room))
		owner.Expect(clientLeft(room, b))
		ask(t, b, create(room), exists(room))
		ask(t, b, join(room), joined(room, owner, owner))
		owner.Expect(clientJoined(room, b))
	})
}

func TestRule1_TheNameIsFreeForItsOldOwnerToo(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b := s.Room(), s.Connect(), s.Connect()
		for range 20 {
			meet(t, room, owner, b)
			ask(t, owner, leave(room), left(room))
			b.Expect(kicked(room))
			ask(t, b, join(room), notExists(room))
		}
	})
}
