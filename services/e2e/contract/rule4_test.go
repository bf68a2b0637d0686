package contract

import (
	"testing"

	"signalling/services/e2e/labtest"
)

// Rule 4: what a member knows is true: the clients of its room-joined, plus every later client-joined, less every later
// client-left, is exactly the membership. Each change is told once and in the same order to every member. A joiner sees no
// event from before its own room-joined.
//
// Package storm shows the same with many clients that do many things at once.

func TestRule4_EachChangeIsToldOnceAndInTheSameOrder(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room := s.Room()
		owner, watcher := s.Connect(), s.Connect() // at different gateways
		meet(t, room, owner, watcher)
		var visitors []*conn
		for range 8 {
			visitors = append(visitors, s.Connect())
		}
		// They all come at once, and then all go at once.
		for _, v := range visitors {
			v.Emit(join(room))
		}
		byID := map[any]*conn{}
		for _, v := range visitors {
			byID[v.ID] = v
		}
		here := []*conn{owner, watcher}
		for range visitors {
			e := owner.Next()
			v := byID[e["clientId"]]
			if v == nil {
				t.Fatalf("frame %v, want a visitor's client-joined", e)
			}
			delete(byID, v.ID)
			watcher.Expect(clientJoined(room, v)) // the same, in the same order
			for _, earlier := range here[2:] {
				earlier.Expect(clientJoined(room, v))
			}
			v.Expect(joined(room, owner, here...)) // in the same order, and nothing from before
			here = append(here, v)
		}
		for _, v := range visitors {
			v.Emit(leave(room))
		}
		gone := map[string]bool{}
		for range visitors {
			e := owner.Next()
			id, _ := e["clientId"].(string)
			if e["event"] != "client-left" || gone[id] {
				t.Fatalf("frame %v, want the client-left of another visitor", e)
			}
			gone[id] = true
			watcher.Expect(e)
		}
		for _, v := range visitors {
			if !gone[v.ID] {
				t.Errorf("%s left and the owner was not told", v.ID)
			}
		}
		ask(t, watcher, join(room), joined(room, owner, owner))
	})
}

func TestRule4_AJoinerSeesNoEventFromBefore(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, owner, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, owner, b)
		for range 50 {
			// c's join meets b's leave and join, whose events are on their way to the same gateways.
			b.Emit(leave(room))
			b.Emit(join(room))
			c.Emit(join(room))
			answer := c.Next()
			switch others := answer["clients"].([]any); { //nolint:forcetypeassert // it panics, and that is right
			case len(others) == 1: // b was away: c sees it come
				checkFrame(t, answer, joined(room, owner, owner))
				c.Expect(clientJoined(room, b))
				owner.Expect(clientLeft(room, b), clientJoined(room, c), clientJoined(room, b))
				b.Expect(left(room), joined(room, owner, owner, c))
			default: // b had not gone yet, and c sees it go and come; or was back already, and c sees nothing of it
				checkFrame(t, answer, joined(room, owner, owner, b))
				first := owner.Next()
				if first["event"] == "client-joined" {
					checkFrame(t, first, clientJoined(room, c))
					owner.Expect(clientLeft(room, b), clientJoined(room, b))
					c.Expect(clientLeft(room, b), clientJoined(room, b))
					b.Expect(clientJoined(room, c), left(room), joined(room, owner, owner, c))
				} else {
					checkFrame(t, first, clientLeft(room, b))
					owner.Expect(clientJoined(room, b), clientJoined(room, c))
					b.Expect(left(room), joined(room, owner, owner), clientJoined(room, c))
				}
			}
			ask(t, c, leave(room), left(room))
			owner.Expect(clientLeft(room, c))
			b.Expect(clientLeft(room, c))
		}
	})
}

func TestRule4_RoomsDoNotMix(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		one, two, a, b, c := s.Room(), s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, one, a, b)
		meet(t, two, b, c)
		ask(t, c, join(one), joined(one, a, a, b))
		a.Expect(clientJoined(one, c))
		b.Expect(clientJoined(one, c))
		ask(t, b, leave(one), left(one))
		a.Expect(clientLeft(one, b))
		c.Expect(clientLeft(one, b))
		ask(t, c, join(two), joined(two, b, b)) // b is still there
		ask(t, b, leave(two), left(two))
		c.Expect(kicked(two))
		c.Emit(signal(one, a.ID, 1)) // and this one is still open
		a.Expect(received(one, c, 1))
	})
}

func TestRule4_AJoinThatMeetsTheCreate(t *testing.T) {
	for name, places := range map[string][2]int{"at one gateway": {0, 0}, "at two gateways": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, a, b := s.Room(), s.ConnectAt(places[0]), s.ConnectAt(places[1])
				met := 0
				for range 300 {
					a.Emit(create(room))
					b.Emit(join(room))
					a.Expect(created(room))
					if e := b.Next(); e["event"] == "room-joined" {
						met++
						checkFrame(t, e, joined(room, a, a))
						a.Expect(clientJoined(room, b))
						ask(t, a, leave(room), left(room))
						b.Expect(kicked(room))
					} else {
						checkFrame(t, e, notExists(room))
						ask(t, a, leave(room), left(room))
					}
					a, b = b, a // the name passes from owner to owner
				}
				t.Logf("%d of 300 joins came after the create", met)
			})
		})
	}
}

func TestRule4_ACreateThatMeetsTheEndOfTheRoomBefore(t *testing.T) {
	for name, places := range map[string][2]int{"at one gateway": {0, 0}, "at two gateways": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, a, b := s.Room(), s.ConnectAt(places[0]), s.ConnectAt(places[1])
				won, met := 0, 0
				for range 300 {
					meet(t, room, a, b)
					a.Emit(leave(room))
					b.Emit(create(room))
					a.Emit(join(room))
					a.Expect(left(room))
					first := b.Next()
					if first["event"] == "room-exists" { // too early
						b.Expect(kicked(room))
						a.Expect(notExists(room))
						continue
					}
					won++
					checkFrame(t, first, kicked(room))
					b.Expect(created(room))
					if e := a.Next(); e["event"] == "room-joined" {
						met++
						checkFrame(t, e, joined(room, b, b))
						b.Expect(clientJoined(room, a))
						ask(t, b, leave(room), left(room))
						a.Expect(kicked(room))
					} else {
						checkFrame(t, e, notExists(room))
						ask(t, b, leave(room), left(room))
					}
				}
				t.Logf("of 300 creates %d came after the end, and %d joins after them", won, met)
			})
		})
	}
}
