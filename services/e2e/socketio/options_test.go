package socketio

import (
	"testing"

	"signalling/services/e2e/labtest"
)

// TestOptions goes through rooms with options with each client: arguments and events by position. The owner's client and
// its guests are at different gateways where there are two.
func TestOptions(t *testing.T) {
	d := newDriver(t)
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		forEachKind(t, func(t *testing.T, k kind) {
			room, a, b, c := s.Room(), d.open(t, k, urlOf(s, 0)), d.open(t, k, urlOf(s, 1)), d.open(t, k, urlOf(s, 0))
			e := everyEvent{t: t, acks: true, room: room, a: a, b: b, c: c}
			state := func(locked bool) J {
				return J{"onOwnerLost": "transfer", "capacity": 3, "locked": locked, "password": true, "metadata": J{"x": []any{1, nil}}}
			}
			options := J{"onOwnerLost": "transfer", "capacity": 3, "password": "p", "ownerKey": "k", "metadata": J{"x": []any{1, nil}}}
			e.ask(a, []any{"room-create", room, J{"lock": true}}, "error", labtest.AnyText, "bad-request")
			e.ask(a, []any{"room-create", room, options}, "room-created", room)
			e.ask(b, []any{"room-join", room}, "error", labtest.AnyText, "forbidden")
			e.ask(b, []any{"room-join", room, "p"}, "room-joined", room, a.ID(), []any{a.ID()}, state(false))
			a.expect("client-joined", room, b.ID())
			e.ask(a, []any{"room-update", room, J{"locked": true}}, "room-updated", room, state(true))
			b.expect("room-updated", room, state(true))
			e.ask(c, []any{"room-join", room, "p"}, "error", labtest.AnyText, "forbidden")
			e.ask(b, []any{"room-kick", room, a.ID()}, "error", labtest.AnyText, "forbidden")

			c.emit("room-join", room, nil, "k") // the owner's key opens
			c.expect("room-joined", room, c.ID(), []any{a.ID(), b.ID()}, state(true))
			for _, other := range []*nodeClient{a, b} {
				other.expect("client-joined", room, c.ID())
				other.expect("owner-changed", room, c.ID())
			}
			c.emit("room-kick", room, b.ID())
			c.expect("client-left", room, b.ID())
			c.expect("client-kicked", room, b.ID())
			b.expect("room-left", room, true)
			a.expect("client-left", room, b.ID())
			e.ask(b, []any{"room-join", room, "p"}, "error", labtest.AnyText, "forbidden")

			c.disconnect() // passes the room on
			a.expect("client-left", room, c.ID())
			a.expect("owner-changed", room, a.ID())
			for _, left := range []*nodeClient{a, b} {
				left.expectNothing()
				left.settled()
				left.disconnect()
			}
		})
	})
}
