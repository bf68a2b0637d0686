package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalling/services/e2e/labtest"
)

// Rule 8: commands of one connection are answered in the order they were sent, per room.
func TestRule8_AnswersComeInTheOrderOfTheCommandsPerRoom(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		c := s.Connect()
		rooms := []string{s.Room(), s.Room(), s.Room(), s.Room()}
		const rounds = 40
		want := map[any][]J{}
		id := 0
		send := func(command, answer J) {
			id++
			c.Emit(with(command, "id", id))
			room := command["room"]
			want[room] = append(want[room], with(answer, "id", float64(id)))
		}
		for range rounds {
			for _, room := range rooms { // all of it without waiting for anything
				send(leave(room), notInRoom(room))
				send(join(room), notExists(room))
				send(signal(room, "x", 1), notInRoom(room))
				send(create(room), created(room))
				send(create(room), exists(room))
				send(signal(room, "x", 1), targetNotFound(room, "x"))
				send(join(room), J{"event": "room-joined", "room": room, "ownerId": c.ID, "clients": []any{}})
				send(leave(room), left(room))
			}
		}
		got := map[any][]J{}
		for range id {
			e := c.Next()
			got[e["room"]] = append(got[e["room"]], e)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers by room (-want +got):\n%s", diff)
		}
	})
}

// TestRule8_AnswersKeepTheirPlaceAmongTheEvents shows that an answer also has its place among the events of its room.
func TestRule8_AnswersKeepTheirPlaceAmongTheEvents(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, owner, b)
		const rounds = 100
		for range rounds {
			b.Emit(leave(room))
			b.Emit(join(room))
			owner.Emit(join(room))
		}
		in, answers := true, 0
		for moves := 0; moves < 2*rounds || answers < rounds; {
			switch e := owner.Next(); {
			case e["event"] == "client-left" && in, e["event"] == "client-joined" && !in:
				in = !in
				moves++
			case e["event"] == "room-joined":
				answers++
				want := []any{}
				if in {
					want = append(want, b.ID)
				}
				if diff := cmp.Diff(want, e["clients"]); diff != "" {
					t.Fatalf("the answer does not fit the events before it (-want +got):\n%s", diff)
				}
			default:
				t.Fatalf("frame %v while b is in the room: %v", e, in)
			}
		}
	})
}

// Section 3: a command may carry "id", any JSON string or number; its answer repeats it as "id".
func TestTheAnswerRepeatsTheId(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		c := s.Connect()
		for _, id := range []string{
			`1`, `0`, `-7`, `1.50`, `1e3`, `9007199254740993`, `""`, `"x"`, `"\u00e9"`, `"a\"b"`, `"🤝"`,
			`"` + strings.Repeat("i", 126) + `"`,
		} {
			for _, command := range []string{"room-create", "room-join", "room-leave"} {
				c.Send(fmt.Sprintf(`{"event":%q,"id":%s,"room":"\u0000"}`, command, id))
				answer := map[string]string{
					"room-create": `{"event":"room-created","id":%s,"room":"\u0000"}`,
					"room-join":   `{"event":"room-joined","id":%s,"room":"\u0000","ownerId":"` + c.ID + `","clients":[]}`,
					"room-leave":  `{"event":"room-left","id":%s,"room":"\u0000","kicked":false}`,
				}[command]
				c.ExpectText(fmt.Sprintf(answer, id)) // as it was written
			}
			c.Send(fmt.Sprintf(`{"room":"r","id":%s,"event":"room-leave"}`, id))
			c.ExpectText(fmt.Sprintf(`{"event":"not-in-room","id":%s,"room":"r"}`, id))
			c.Send(fmt.Sprintf(`{"event":"signal-send","room":"r","targetId":"x","id":%s}`, id))
			c.ExpectText(fmt.Sprintf(`{"event":"not-in-room","id":%s,"room":"r"}`, id))
		}
	})
}
