package contract

import (
	"testing"

	"signalling/services/e2e/labtest"
)

// Rule 3: room-join by a member is answered room-joined again and announced to nobody. room-create of a room that exists is
// room-exists, also for its owner.

func TestRule3_JoinByAMemberIsAnsweredAgainAndAnnouncedToNobody(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, owner, b, c)
		ask(t, b, join(room), joined(room, owner, owner, c)) // the same as a join now, and the order is kept
		ask(t, owner, join(room), joined(room, owner, b, c))
		// What the others see next is the next change.
		ask(t, b, leave(room), left(room))
		owner.Expect(clientLeft(room, b))
		c.Expect(clientLeft(room, b))
	})
}

func TestRule3_CreateOfARoomThatExistsIsRoomExistsAlsoForItsOwner(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, owner, b)
		ask(t, owner, create(room), exists(room))
		ask(t, b, create(room), exists(room))
		ask(t, c, create(room), exists(room))
		// The room is as it was.
		ask(t, c, join(room), joined(room, owner, owner, b))
		owner.Expect(clientJoined(room, c))
		b.Expect(clientJoined(room, c))
	})
}
