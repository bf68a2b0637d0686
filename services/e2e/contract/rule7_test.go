package contract

import (
	"regexp"
	"testing"

	"signalling/services/e2e/labtest"
)

// Rule 7: a client id is what the client knows as its own id: unguessable, URL-safe, at most 40 bytes, never reused. It is
// not a credential: knowing another's id gives no power beyond signal-send in a shared room.

// urlSafe are the characters that need no escaping in a URL (RFC 3986 section 2.3). 16 of them are 96 bits if all are
// chance.
var urlSafe = regexp.MustCompile(`^[A-Za-z0-9._~-]{16,40}$`)

func TestRule7_IdsAreUnguessableUrlSafeShortAndNeverReused(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		seen := map[string]bool{}
		const n = 200
		places := make([]map[byte]int, 40)
		for range n {
			c := s.Connect()
			if !urlSafe.MatchString(c.ID) {
				t.Errorf("id %q", c.ID)
			}
			if seen[c.ID] {
				t.Errorf("id %s was given out before", c.ID)
			}
			seen[c.ID] = true
			for i := range len(c.ID) {
				if places[i] == nil {
					places[i] = map[byte]int{}
				}
				places[i][c.ID[i]]++
			}
			c.Abort()
		}
		// No place may tell anything, such as a gateway's name or a counter would: of 200 ids with 64 characters, more than
		// 30 with the same one in a place have a chance of less than one in 10^18.
		random := 0
		for _, place := range places {
			most := 0
			for _, count := range place {
				most = max(most, count)
			}
			if most > 0 && most <= 30 {
				random++
			}
		}
		if random < 16 {
			t.Errorf("only %d characters of an id are random", random)
		}
	})
}

func TestRule7_TheIdIsWhatOthersKnowTheClientBy(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, a, b) // the ids of the welcomes are those in room-joined and client-joined
		b.Emit(signal(room, a.ID, 1))
		a.Expect(received(room, b, 1))
	})
}

func TestRule7_AnIdIsNoCredential(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, thief := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		// What the thief adds about who it is counts for nothing.
		as := func(frame J) J { return with(with(with(frame, "clientId", a.ID), "senderId", a.ID), "ownerId", a.ID) }
		ask(t, thief, as(signal(room, b.ID, 1)), notInRoom(room))
		ask(t, thief, as(leave(room)), notInRoom(room))
		ask(t, thief, as(create(room)), exists(room))
		ask(t, thief, as(join(room)), joined(room, a, a, b))
		a.Expect(clientJoined(room, thief))
		b.Expect(clientJoined(room, thief))
		thief.Emit(as(signal(room, b.ID, 1)))
		b.Expect(received(room, thief, 1))
		ask(t, thief, as(leave(room)), left(room)) // the room goes on: it was not its owner's leave
		a.Expect(clientLeft(room, thief))
		b.Expect(clientLeft(room, thief))
	})
}
