package resume

import (
	"testing"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// J is a frame as its fields.
type J = labtest.J

type conn = labtest.Conn

const secret = "GATEWAY_RESUME_SECRET=0123456789abcdef0123456789abcdef"

// site starts two gateways that keep sessions for the window.
func site(t *testing.T, window string, env ...string) *labtest.Site {
	t.Helper()
	return labtest.Private(t, lab.Layout{
		Gateways: 2, GatewayEnv: append([]string{"GATEWAY_RESUME_WINDOW=" + window, secret}, env...),
	})
}

// client is a client that can come back.
type client struct {
	t *testing.T
	s *labtest.Site
	*conn
	id, token string
	got       int // frames of the session
}

func connect(t *testing.T, s *labtest.Site, gateway int) *client {
	t.Helper()
	c := &client{t: t, s: s, conn: s.ConnectAt(gateway)}
	c.id = c.ID
	c.token, _ = c.Welcome["resume"].(string)
	if c.token == "" {
		t.Fatalf("no token in %v", c.Welcome)
	}
	return c
}

// expect is Expect, and counts.
func (c *client) expect(want ...J) {
	c.t.Helper()
	c.Expect(want...)
	c.got += len(want)
}

func (c *client) ask(command, answer J) {
	c.t.Helper()
	c.Emit(command)
	c.expect(answer)
}

// meet makes a room of the clients, the owner first.
func meet(t *testing.T, room string, members ...*client) {
	t.Helper()
	members[0].ask(labtest.Create(room), labtest.Created(room))
	for i, m := range members {
		if i == 0 {
			continue
		}
		m.ask(labtest.Join(room), joined(room, members[0], members[:i]...))
		for _, b := range members[:i] {
			b.expect(clientJoined(room, m))
		}
	}
}

// tries to resume with a token at a gateway; the connection that asked is returned, and the answer.
func (c *client) try(gateway int, token string, received int) (*conn, J) {
	c.t.Helper()
	n := c.s.ConnectAt(gateway)
	n.Emit(J{"event": "resume", "id": 1, "token": token, "received": received})
	answer := n.Next()
	return n, answer
}

// resume comes back at a gateway. commands is how many of its commands the server is to know, and missed whether
// it is to have missed something.
func (c *client) resume(gateway, commands int, missed bool) J {
	c.t.Helper()
	n, answer := c.try(gateway, c.token, c.got)
	if answer["event"] != "resumed" || answer["clientId"] != c.id || answer["missed"] != missed {
		c.t.Fatalf("resume: %v", answer)
	}
	if commands >= 0 && answer["received"] != float64(commands) {
		c.t.Fatalf("resume: %v, want %d commands", answer, commands)
	}
	c.conn = n
	c.conn.ID = c.id
	c.token, _ = answer["resume"].(string)
	seq, _ := answer["seq"].(float64)
	c.got = int(seq)
	return answer
}

func joined(room string, owner *client, others ...*client) J {
	ids := []string{}
	for _, o := range others {
		ids = append(ids, o.id)
	}
	return J{"event": "room-joined", "room": room, "ownerId": owner.id, "clients": ids}
}

func clientJoined(room string, c *client) J {
	return J{"event": "client-joined", "room": room, "clientId": c.id}
}

func clientLeft(room string, c *client) J {
	return J{"event": "client-left", "room": room, "clientId": c.id}
}

func signal(room string, target *client, data any) J { return labtest.Signal(room, target.id, data) }

func received(room string, sender *client, data any) J {
	return J{"event": "signal-receive", "room": room, "senderId": sender.id, "data": data}
}

// picture is a room as a client is told that has missed something.
func picture(room string, owner *client, others ...*client) J {
	j := joined(room, owner, others...)
	j["resumed"] = true
	return j
}

// stillThere asks the server who is in the room.
func stillThere(t *testing.T, room string, members ...*client) {
	t.Helper()
	for i, m := range members {
		others := append(append([]*client(nil), members[:i]...), members[i+1:]...)
		m.ask(labtest.Join(room), joined(room, members[0], others...))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
