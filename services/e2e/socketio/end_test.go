package socketio

import (
	"fmt"
	"maps"
	"testing"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// TestTheEndOfAConnection ends clients of each kind in each way that clients end: the rooms that they own are closed, and the
// others are told that they have left. An owner, a member and those that stay are at different gateways, if there are two.
func TestTheEndOfAConnection(t *testing.T) {
	for _, way := range []struct {
		name string
		// end ends all clients of d, which are connected through r.
		end func(d *driver, r *relay)
	}{
		{"socket.disconnect", func(d *driver, _ *relay) {
			for _, c := range d.all() {
				c.disconnect()
			}
		}},
		{"process-killed", func(d *driver, _ *relay) { d.kill() }},
		{"network-cut", func(_ *driver, r *relay) { r.cut() }},
	} {
		t.Run(way.name, func(t *testing.T) {
			stay := newDriver(t)
			labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
				goes := newDriver(t)
				r := newRelay(t, urlOf(s, 0))
				native := labtest.Open(t, s.URLOf(1), nil)
				room := s.Room()
				left := map[string]string{}
				var witnesses []*nodeClient
				for i, k := range kinds {
					leaver := goes.open(t, k, r.url(), J{"reconnection": false})
					stays := stay.open(t, kinds[(i+4)%len(kinds)], urlOf(s, 1))
					witnesses = append(witnesses, stays)
					meet(t, ownRoom(room, i), leaver, stays)
					// No two of them share a room: the server would try to tell one of the other's end, and a client that has gone
					// while a poll of it was answered is missed when its heartbeat is.
					other := ownRoom(room, len(kinds)+i)
					native.Emit(J{"event": "room-create", "room": other})
					native.Expect(J{"event": "room-created", "room": other})
					leaver.joins(other)
					native.Expect(J{"event": "client-joined", "room": other, "clientId": leaver.ID()})
					left[leaver.ID()] = other
				}
				for _, c := range goes.all() {
					c.settled()
				}
				way.end(goes, r)
				for i, c := range witnesses {
					c.expect("room-left", ownRoom(room, i), true)
					c.emit("room-create", ownRoom(room, i)) // the name is free
					c.expect("room-created", ownRoom(room, i))
					c.expectNothing()
					c.settled()
				}
				expectLeft(t, native, left)
				native.ExpectNothing()
			})
		})
	}
}

func ownRoom(room string, i int) string { return fmt.Sprintf("%s of %d", room, i) }

// expectLeft waits until a native client was told that the clients of these ids have left these rooms, each once, in any
// order.
func expectLeft(t *testing.T, c *labtest.Conn, ids map[string]string) {
	t.Helper()
	ids = maps.Clone(ids)
	for len(ids) > 0 {
		f := c.Next()
		id, _ := f["clientId"].(string)
		if f["event"] != "client-left" || ids[id] == "" || f["room"] != ids[id] {
			t.Fatalf("frame %v, want client-left of one of %v", f, ids)
		}
		delete(ids, id)
	}
}

// all are the driver's clients.
func (d *driver) all() (all []*nodeClient) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.clients {
		all = append(all, c)
	}
	return all
}

// TestClientsComeBackAfterAGateway stops a gateway by SIGTERM and kills it: each client loses its connection as by the
// network, not by the server's word ("io server disconnect"), after which it would stay away. It connects again as soon as
// the gateway is back, under a new id, and can use it as before.
func TestClientsComeBackAfterAGateway(t *testing.T) {
	t.Parallel()
	port, err := lab.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := labtest.Private(t, lab.Layout{
		Gateways:       2,
		EachGatewayEnv: [][]string{{fmt.Sprintf("GATEWAY_LISTEN=127.0.0.1:%d", port)}},
	})
	d := newDriver(t)
	witness := labtest.Open(t, s.URLOf(1), nil)
	room := s.Room()
	witness.Emit(J{"event": "room-create", "room": room})
	witness.Expect(J{"event": "room-created", "room": room})
	gateway := s.Gateways[0]
	var all []*nodeClient
	for _, k := range kinds {
		all = append(all, d.open(t, k, urlOf(s, 0)))
	}
	enter := func() (ids map[string]string) {
		ids = map[string]string{}
		for _, c := range all {
			c.joins(room)
			witness.Expect(J{"event": "client-joined", "room": room, "clientId": c.ID()})
			c.emit("signal-send", room, witness.ID, J{"from": c.ref})
			witness.Expect(J{"event": "signal-receive", "room": room, "senderId": c.ID(), "data": J{"from": c.ref}})
			ids[c.ID()] = room
		}
		for _, c := range all {
			c.settled()
		}
		return ids
	}
	ids := enter()
	if code, err := gateway.Stop(labtest.Context(t)); err != nil || code != 0 {
		t.Fatalf("the gateway ended with code %d, %v", code, err)
	}
	for _, c := range all {
		if o := c.await(sawDisconnect); o.Message != "transport close" {
			t.Errorf("%s: disconnected for %q", c.ref, o.Message)
		}
		if c.last() == websocket {
			if o := c.await(sawClosed); o.Code != 1001 {
				t.Errorf("%s: closed with code %d", c.ref, o.Code)
			}
		}
	}
	expectLeft(t, witness, ids)
	back := func() {
		if err := gateway.Start(labtest.Context(t)); err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if o := c.await(sawConnect); ids[o.ID] != "" {
				t.Errorf("%s: came back with an id that was in use", c.ref)
			}
			c.forget()
		}
	}
	back()
	ids = enter()
	if err := gateway.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if o := c.await(sawDisconnect); o.Message != "transport close" && o.Message != "transport error" {
			t.Errorf("%s: disconnected for %q", c.ref, o.Message)
		}
	}
	expectLeft(t, witness, ids)
	back()
	enter()
}
