package socketio

import (
	"strings"
	"testing"

	"signalling/services/e2e/labtest"
)

// TestOversizeMessages sends, with each kind of client, the longest message that is taken and then one that is too long. It
// ends the client's connection with WebSocket close code 1009, or by polling with HTTP status 413, and no other's.
func TestOversizeMessages(t *testing.T) {
	const limit = 256 << 10
	d := newDriver(t)
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		forEachKind(t, func(t *testing.T, k kind) {
			room := s.Room()
			owner, other, big := d.open(t, k, urlOf(s, 0)), d.open(t, k, urlOf(s, 1)), d.open(t, k, urlOf(s, 1), J{"reconnection": false})
			meet(t, room, owner, other, big)
			big.settled()
			other.settled()

			most := limit - len(`42["signal-send","","",""]`) - len(room) - len(owner.ID()) - len("262144:") // the last is client 2's
			data := strings.Repeat("x", most)
			big.emit("signal-send", room, owner.ID(), data)
			owner.expect("signal-receive", room, big.ID(), data)

			big.emit("signal-send", room, owner.ID(), strings.Repeat("x", limit+1))
			owner.expect("client-left", room, big.ID())
			other.expect("client-left", room, big.ID())
			big.await(sawDisconnect)
			if k.last() == websocket {
				if o := big.await(sawClosed); o.Code != 1009 {
					t.Errorf("%s: closed with code %d", big.ref, o.Code)
				}
			} else if o := big.await(sawHTTP); o.Code != 413 {
				t.Errorf("%s: HTTP status %d", big.ref, o.Code)
			}
			for _, c := range []*nodeClient{owner, other} {
				c.expectNothing()
				c.never(sawDisconnect, sawClosed, sawHTTP)
			}
		})
	})
}

// TestForeignNamespaces: there is one namespace, "/". Others are refused so that each client can tell, and a client's
// connection to "/" is as good as before.
func TestForeignNamespaces(t *testing.T) {
	d := newDriver(t)
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		forEachKind(t, func(t *testing.T, k kind) {
			refused := func(c *nodeClient) {
				if k.version == 2 { // its clients take the server's word as an event
					c.expect("error", "Invalid namespace")
				} else if o := c.await(sawConnectError); o.Message != "Invalid namespace" {
					t.Errorf("%s: %q", c.ref, o.Message)
				}
				c.never(sawConnect)
			}
			refused(d.start(t, k, urlOf(s, 0)+"/chat"))

			main := d.open(t, k, urlOf(s, 1), J{"auth": J{"token": "t"}})
			refused(main.namespace("/chat room"))
			refused(main.namespace("/日本"))
			main.emit("room-create", s.Room())
			main.next("room-created", main.flowing)
			main.expectNothing()
			main.settled()
		})
	})
}

// TestPollingTurnedOff: clients that begin by polling are refused, those that begin by WebSocket come in.
func TestPollingTurnedOff(t *testing.T) {
	s := labtest.PrivateOneProcess(t, "GATEWAY_POLLING=false")
	d := newDriver(t)
	forEachKind(t, func(t *testing.T, k kind) {
		if k.first() == websocket {
			c := d.open(t, k, urlOf(s, 0))
			c.expectNothing()
			c.settled()
			return
		}
		c := d.start(t, k, urlOf(s, 0), J{"reconnection": false})
		c.await(sawConnectError)
		if o := c.await(sawHTTP); o.Code != 400 {
			t.Errorf("%s: HTTP status %d", c.ref, o.Code)
		}
		c.never(sawConnect)
	})
}
