package contract

import (
	"fmt"
	"strings"
	"testing"

	"signalling/services/e2e/labtest"
)

// Rule 5: signal-send needs sender and target in the same room; the server checks it. Signals between one sender and one
// target arrive in the order sent. data may be any JSON value, null and {} included; absent data arrives as null.

func TestRule5_SenderAndTargetMustBeInTheSameRoom(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		one, two := s.Room(), s.Room()
		a, b, c, d := s.Connect(), s.Connect(), s.Connect(), s.Connect()
		meet(t, one, a, b)
		meet(t, two, c, b) // b is in both
		ask(t, a, signal(one, c.ID, 1), targetNotFound(one, c.ID))
		ask(t, a, signal(two, c.ID, 1), notInRoom(two))
		ask(t, a, signal(two, b.ID, 1), notInRoom(two)) // although they share another room
		ask(t, c, signal(two, a.ID, 1), targetNotFound(two, a.ID))
		ask(t, d, signal(one, a.ID, 1), notInRoom(one))
		ask(t, a, signal("there is no such room", b.ID, 1), notInRoom("there is no such room"))

		a.Emit(signal(one, b.ID, "one"))
		c.Emit(signal(two, b.ID, "two"))
		got := map[any]J{}
		for range 2 {
			e := b.Next()
			got[e["room"]] = e
		}
		checkFrame(t, got[one], received(one, a, "one"))
		checkFrame(t, got[two], received(two, c, "two"))
		for _, x := range []*conn{a, b, c, d} {
			x.ExpectNothing()
		}
	})
}

func TestRule5_WhoHasLeftNeitherSendsNorReceives(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, owner, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
				meet(t, room, owner, b, c)
				end.by(t, room, b)
				c.Expect(clientLeft(room, b))
				owner.Expect(clientLeft(room, b))
				ask(t, c, signal(room, b.ID, 1), targetNotFound(room, b.ID))
				ask(t, owner, signal(room, b.ID, 1), targetNotFound(room, b.ID))
				if end.name == "leave" {
					ask(t, b, signal(room, c.ID, 1), notInRoom(room))
				}
				c.ExpectNothing()
			})
		})
	}
}

func TestRule5_ToOneself(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a := s.Room(), s.Connect()
		ask(t, a, create(room), created(room))
		ask(t, a, signal(room, a.ID, "echo"), received(room, a, "echo")) // it is in the same room as itself
	})
}

func TestRule5_SignalsArriveInTheOrderSent(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect() // b is at another gateway than a and c
		meet(t, room, a, b, c)
		const n = 500
		for i := range n {
			a.Emit(signal(room, b.ID, i))
			a.Emit(signal(room, c.ID, i))
			b.Emit(signal(room, c.ID, i))
		}
		for i := range n {
			b.Expect(received(room, a, i))
		}
		next := map[any]int{}
		for range 2 * n {
			e := c.Next()
			from := e["senderId"]
			if e["data"] != float64(next[from]) {
				t.Fatalf("frame %v, want data %d", e, next[from])
			}
			next[from]++
		}
		a.ExpectNothing()
	})
}

// values are JSON texts that something on the way might want to improve.
var values = []string{
	`null`, `{}`, `[]`, `""`, `0`, `-0`, `true`, `false`,
	`{"type":"offer","sdp":"v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\n"}`,
	`{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 61665 typ host","sdpMid":"0","sdpMLineIndex":0}`,
	`{ "odd" :	"white space" , "x":[ 1 ,2 ] }`,
	"{\n  \"line\": \"breaks\"\r\n}",
	`123456789012345678901234567890.12345678901234567890e+400`, `1E5`, `1.0`, `9007199254740993`,
	`"\u00e9\u0000\/\b\f\ud83d\ude00"`, `"é😀<>&   "`, `"\ud800 alone"`,
	`{"a":1,"a":2}`, `{"":{"":[[[[[[]]]]]]}}`, `{"z":1,"a":2}`,
	`{"event":"room-left","room":"x","kicked":true}`, `"\"},{\"event\":"`,
}

func TestRule5_DataArrivesByteForByte(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		values := append(values, fmt.Sprintf("%q", strings.Repeat("long ", 20_000)))
		for _, target := range []*conn{b, c} {
			for _, v := range values {
				a.Send(fmt.Sprintf(`{"event":"signal-send","room":%q,"targetId":%q,"data":%s}`, room, target.ID, v))
				target.ExpectText(fmt.Sprintf(`{"event":"signal-receive","room":%q,"senderId":%q,"data":%s}`, room, a.ID, v))
			}
		}
	})
}

func TestRule5_AbsentDataArrivesAsNull(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		for _, target := range []*conn{b, c} {
			a.Emit(J{"event": "signal-send", "room": room, "targetId": target.ID})
			target.ExpectText(fmt.Sprintf(`{"event":"signal-receive","room":%q,"senderId":%q,"data":null}`, room, a.ID))
		}
	})
}

func TestRule5_ASignalDoesNotOvertakeItsSendersJoin(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, owner, b)
		c := s.ConnectAt(0)
		for i := range 50 {
			c.Emit(join(room))
			c.Emit(signal(room, owner.ID, i))
			c.Emit(signal(room, b.ID, i))
			owner.Expect(clientJoined(room, c), received(room, c, i))
			b.Expect(clientJoined(room, c), received(room, c, i))
			c.Expect(joined(room, owner, owner, b))
			ask(t, c, leave(room), left(room))
			owner.Expect(clientLeft(room, c))
			b.Expect(clientLeft(room, c))
		}
	})
}

// A signal that its sender's leave overtakes on the way is not delivered, because a target hears members only; then the
// sender is told.
func TestRule5_ASignalIsDeliveredOrAnswered(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b := s.Room(), s.Connect(), s.Connect()
		meet(t, room, owner, b)
		c := s.ConnectAt(0)
		const rounds = 100
		for i := range rounds {
			c.Emit(join(room))
			c.Emit(with(signal(room, b.ID, i), "id", i))
			c.Emit(leave(room))
		}
		c.Emit(join(room))
		c.Emit(signal(room, b.ID, "last"))
		settled := map[any]bool{}
		for inside, last := false, false; !last; {
			e := b.Next()
			switch e["event"] {
			case "client-joined":
				inside = true
			case "client-left":
				inside = false
			default:
				if !inside || e["event"] != "signal-receive" || settled[e["data"]] {
					t.Fatalf("frame %v, while c is in the room: %v", e, inside)
				}
				settled[e["data"]] = true
				last = e["data"] == "last"
			}
		}
		for len(settled) < rounds+1 {
			e := c.Next()
			if e["event"] != "not-in-room" {
				continue
			}
			if settled[e["id"]] {
				t.Fatalf("frame %v, but the signal was delivered, or refused before", e)
			}
			settled[e["id"]] = true
		}
	})
}
