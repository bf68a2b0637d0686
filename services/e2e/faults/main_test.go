package faults

import (
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// J is a frame as its fields.
type J = labtest.J

type conn = labtest.Conn

func create(room string) J { return J{"event": "room-create", "room": room} }
func join(room string) J   { return J{"event": "room-join", "room": room} }
func leave(room string) J  { return J{"event": "room-leave", "room": room} }

func signal(room string, target *conn, data any) J {
	return J{"event": "signal-send", "room": room, "targetId": target.ID, "data": data}
}

func created(room string) J   { return J{"event": "room-created", "room": room} }
func exists(room string) J    { return J{"event": "room-exists", "room": room} }
func notExists(room string) J { return J{"event": "room-not-exists", "room": room} }
func left(room string) J      { return J{"event": "room-left", "room": room, "kicked": false} }
func kicked(room string) J    { return J{"event": "room-left", "room": room, "kicked": true} }

func joined(room string, owner *conn, others ...*conn) J {
	ids := []string{}
	for _, o := range others {
		ids = append(ids, o.ID)
	}
	return J{"event": "room-joined", "room": room, "ownerId": owner.ID, "clients": ids}
}

func clientJoined(room string, c *conn) J {
	return J{"event": "client-joined", "room": room, "clientId": c.ID}
}

func clientLeft(room string, c *conn) J {
	return J{"event": "client-left", "room": room, "clientId": c.ID}
}

func received(room string, sender *conn, data any) J {
	return J{"event": "signal-receive", "room": room, "senderId": sender.ID, "data": data}
}

// unavailable is the answer of a gateway whose rooms service does not answer.
var unavailable = J{"event": "error", "message": labtest.AnyText, "code": "unavailable"}

func ask(t *testing.T, c *conn, command, answer J) {
	t.Helper()
	c.Emit(command)
	c.Expect(answer)
}

// meet makes a room with the first client as its owner and lets the others join one after the other.
func meet(t *testing.T, room string, members ...*conn) {
	t.Helper()
	ask(t, members[0], create(room), created(room))
	for i, m := range members[1:] {
		before := members[:i+1]
		ask(t, m, join(room), joined(room, members[0], before...))
		for _, b := range before {
			b.Expect(clientJoined(room, m))
		}
	}
}

// stillThere checks that nobody was dropped and nothing was told meanwhile: each member, asked again, knows all others, and
// that answer is the next frame that it gets. Members are in join order, the owner first.
func stillThere(t *testing.T, room string, members ...*conn) {
	t.Helper()
	for i, m := range members {
		others := append(append([]*conn(nil), members[:i]...), members[i+1:]...)
		ask(t, m, join(room), joined(room, members[0], others...))
	}
}

// chat checks that signals pass between each two members.
func chat(t *testing.T, room string, members ...*conn) {
	t.Helper()
	for i, from := range members {
		for j, to := range members {
			from.Emit(signal(room, to, 10*i+j))
			to.Expect(received(room, from, 10*i+j))
		}
	}
}

// others are the clients of a room-joined.
func others(frame J) []any {
	ids, _ := frame["clients"].([]any)
	return ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// restart kills a process and starts it again.
func restart(t *testing.T, p *lab.Process) {
	t.Helper()
	must(t, p.Kill())
	must(t, p.Start(labtest.Context(t)))
}

// took logs how long something took.
func took(t *testing.T, what string, since time.Time) {
	t.Helper()
	t.Logf("%s: %v", what, time.Since(since).Round(time.Millisecond))
}
