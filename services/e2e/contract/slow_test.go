package contract

import (
	"strings"
	"testing"

	"signalling/services/e2e/labtest"
)

// A client that stops reading does not delay others in its room by more than its queue; it is closed, and is then gone from
// the room for everyone.
func TestAClientThatStopsReadingIsClosedAndDelaysNobody(t *testing.T) {
	for name, place := range map[string]int{"at the sender's gateway": 0, "at the other gateway": 1} {
		t.Run(name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, owner, near, far := s.Room(), s.ConnectAt(0), s.ConnectAt(0), s.ConnectAt(1)
				meet(t, room, owner, near, far)
				victim := labtest.OpenUnread(t, s.URLOf(place), nil)
				victim.Emit(join(room))
				e := owner.Next()
				victim.ID, _ = e["clientId"].(string)
				checkFrame(t, e, clientJoined(room, victim))
				near.Expect(clientJoined(room, victim))
				far.Expect(clientJoined(room, victim))

				load := strings.Repeat("x", 32<<10)
				gone := map[*conn]bool{}
				for i := 0; !gone[near] || !gone[far]; i++ {
					if i == 4000 {
						t.Fatal("the victim was sent 128 MB that it did not read, and is still in the room")
					}
					owner.Emit(signal(room, victim.ID, load))
					for _, m := range []*conn{near, far} {
						// Each of these arrives although the victim's have nowhere to go.
						owner.Emit(signal(room, m.ID, i))
						e := m.Next()
						if e["event"] == "client-left" {
							checkFrame(t, e, clientLeft(room, victim))
							if gone[m] {
								t.Fatal("it was told twice")
							}
							gone[m] = true
							e = m.Next()
						}
						checkFrame(t, e, received(room, owner, i))
					}
				}
				victim.Read()
				victim.ExpectCloseAfterFrames(4000) // it must have been slow, and it may come back
				ask(t, near, join(room), joined(room, owner, owner, far))
				far.ExpectNothing()
			})
		})
	}
}
