package socketio

import (
	"bytes"
	"slices"
	"testing"

	"signalling/services/e2e/labtest"
)

// TestBinaryDataBetweenAllKinds puts one client of each kind into one room and lets each send Buffers to each other one:
// every pair of protocol versions and transports meets, at one gateway and across two.
func TestBinaryDataBetweenAllKinds(t *testing.T) {
	d := newDriver(t)
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		room := s.Room()
		var all []*nodeClient
		for i, k := range kinds {
			all = append(all, d.open(t, k, urlOf(s, i)))
		}
		meet(t, room, all...)
		data := J{
			"name": "日本.bin", "empty": buffer{}, "parts": []any{
				buffer{0, 1, 2, 0x1e, 0xff}, "text", buffer(bytes.Repeat([]byte{0xf0, 0x9f}, 1_000)), nil,
			},
		}
		for _, from := range all {
			var acks []int
			for _, to := range all {
				if to != from {
					acks = append(acks, from.emitAck("signal-send", room, to.ID(), data))
					from.emit("signal-send", room, to.ID(), buffer("whole"))
				}
			}
			for _, to := range all {
				if to != from {
					to.expect("signal-receive", room, from.ID(), data)
					to.expect("signal-receive", room, from.ID(), buffer("whole"))
				}
			}
			for range acks {
				o := from.next("acknowledgement", from.flowing)
				if i := slices.Index(acks, o.Ack); i < 0 || o.What != "ack" || len(o.Args) > 0 {
					t.Fatalf("%s: %+v, want an empty acknowledgement, one of %v", from.ref, *o, acks)
				}
			}
		}
		refused := J{"b": buffer{1}}
		for _, c := range all {
			ack := c.emitAck("room-join", refused)
			c.expect("error", labtest.AnyText, "bad-request")
			c.expectAck(ack, "error", labtest.AnyText, "bad-request")
			c.emit("signal-send", room, buffer{1}, J{})
			c.expect("error", labtest.AnyText, "bad-request")
			c.emit("no-such-event", refused)
			c.expect("error", labtest.AnyText, "bad-request")
			c.expectNothing()
			c.settled()
		}
	})
}

// meet makes a room with the first client as its owner and lets the others join one after the other. All of them have
// seen it when meet returns.
func meet(t *testing.T, room string, members ...*nodeClient) {
	t.Helper()
	owner := members[0]
	owner.emit("room-create", room)
	owner.expect("room-created", room)
	ids := []any{owner.ID()}
	for i, m := range members[1:] {
		m.emit("room-join", room)
		m.expect("room-joined", room, owner.ID(), ids)
		for _, before := range members[:i+1] {
			before.expect("client-joined", room, m.ID())
		}
		ids = append(ids, m.ID())
	}
}
