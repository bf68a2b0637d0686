package socketio

import (
	"testing"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// TestRecovery ends the gateway of clients that have connection state recovery: they connect to the other one by themselves,
// as the same clients, and nobody is told that they were away. Sessions are kept by setting.
func TestRecovery(t *testing.T) {
	d := newDriver(t)
	for _, end := range []struct {
		name string
		// end ends the gateway. What a client had not got is lost with one that is killed.
		end  func(g *lab.Process) error
		lost bool
	}{
		{"killed", (*lab.Process).Kill, true},
		{"stopped", (*lab.Process).Terminate, false},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := labtest.Private(t, lab.Layout{Gateways: 2, GatewayEnv: []string{
				"GATEWAY_RESUME_WINDOW=60s", "GATEWAY_RESUME_SECRET=0123456789abcdef0123456789abcdef",
			}})
			r := newRelay(t, urlOf(s, 0))
			native, room := labtest.Open(t, s.URLOf(1), nil), s.Room()
			native.Emit(J{"event": "room-create", "room": room})
			native.Expect(J{"event": "room-created", "room": room})
			var all []*nodeClient
			before := []any{native.ID}
			for _, transports := range []string{byDefault, websocket, polling} {
				c := d.open(t, kind{4, transports}, r.url())
				c.expect("welcome", c.ID(), 1, 256<<10, nil, nil, 60_000, nil, labtest.AnyText)
				c.emit("room-join", room)
				c.expect("room-joined", room, native.ID, before, nil, nil, nil, labtest.AnyText)
				native.Expect(J{"event": "client-joined", "room": room, "clientId": c.ID()})
				for _, other := range all {
					other.expect("client-joined", room, c.ID(), nil, labtest.AnyText)
				}
				all, before = append(all, c), append(before, c.ID())
			}
			for _, c := range all {
				signals(t, room, native, c, "before")
			}
			r.to(urlOf(s, 1))
			if err := end.end(s.Gateways[0]); err != nil {
				t.Fatal(err)
			}
			for _, c := range all {
				native.Emit(J{"event": "signal-send", "room": room, "targetId": c.ID(), "data": "while away"})
			}
			for i, c := range all {
				id := before[1+i]
				if o := c.await(sawConnect); !o.Recovered || o.ID != id {
					t.Fatalf("%s: it came back as %s, recovered %v, and was %v", c.ref, o.ID, o.Recovered, id)
				}
				c.back(room, end.lost)
				signals(t, room, native, c, "after")
			}
			native.ExpectNothing()
		})
	}
}

// signals sends one each way.
func signals(t *testing.T, room string, native *labtest.Conn, c *nodeClient, data string) {
	t.Helper()
	native.Emit(J{"event": "signal-send", "room": room, "targetId": c.ID(), "data": data})
	c.expect("signal-receive", room, native.ID, data, labtest.AnyText)
	c.emit("signal-send", room, native.ID, data)
	native.Expect(J{"event": "signal-receive", "room": room, "senderId": c.ID(), "data": data})
}

// back takes what a client is told that has come back to a room: that it has, what was sent to it meanwhile and, if it has
// missed something, the room. In which order they come is not said: the signal can have arrived before the gateway stopped.
func (c *nodeClient) back(room string, lost bool) {
	c.t.Helper()
	want := map[string]bool{"resumed": true, "signal-receive": true}
	if lost {
		want["room-joined"] = true
	}
	for len(want) > 0 {
		o := c.next("news", c.flowing)
		name, _ := o.Args[0].(string)
		if lost && name == "signal-receive" && o.Args[3] == "before" {
			continue // the gateway died before it had said that this one was delivered
		}
		if !want[name] || (name == "resumed" && o.Args[4] != lost) {
			c.t.Fatalf("%s: %.500v, while %v", c.ref, o.Args, want)
		}
		if name == "signal-receive" && o.Args[3] != "while away" {
			c.t.Fatalf("%s: %.500v", c.ref, o.Args)
		}
		delete(want, name)
	}
}
