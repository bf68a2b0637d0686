package contract

import (
	"maps"
	"testing"

	"signalling/services/e2e/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// J is a frame as its fields.
type J = labtest.J

type (
	site = labtest.Site
	conn = labtest.Conn
)

// The frames of the contract.

func create(room string) J { return J{"event": "room-create", "room": room} }
func join(room string) J   { return J{"event": "room-join", "room": room} }
func leave(room string) J  { return J{"event": "room-leave", "room": room} }

func signal(room, target string, data any) J {
	return J{"event": "signal-send", "room": room, "targetId": target, "data": data}
}

func created(room string) J   { return J{"event": "room-created", "room": room} }
func exists(room string) J    { return J{"event": "room-exists", "room": room} }
func notExists(room string) J { return J{"event": "room-not-exists", "room": room} }
func notInRoom(room string) J { return J{"event": "not-in-room", "room": room} }
func left(room string) J      { return J{"event": "room-left", "room": room, "kicked": false} }
func kicked(room string) J    { return J{"event": "room-left", "room": room, "kicked": true} }

// joined is the answer to a join; the others are in join order, the owner, who is always the first, among them.
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

func targetNotFound(room, target string) J {
	return J{"event": "target-not-found", "room": room, "targetId": target}
}

func refused(code string) J {
	return J{"event": "error", "message": labtest.AnyText, "code": code}
}

// with returns the frame with one more field.
func with(frame J, name string, value any) J {
	all := J{name: value}
	maps.Copy(all, frame)
	return all
}

// ask sends a command and takes its answer.
func ask(t *testing.T, c *conn, command, answer J) {
	t.Helper()
	c.Emit(command)
	c.Expect(answer)
}

// meet makes a room with the first client as its owner and lets the others join one after the other. All of them have
// seen it when meet returns.
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
