package labtest

import "testing"

// The frames of the contract, as tests send and expect them.

// Create is the command room-create.
func Create(room string) J { return J{"event": "room-create", "room": room} }

// Join is the command room-join.
func Join(room string) J { return J{"event": "room-join", "room": room} }

// Leave is the command room-leave.
func Leave(room string) J { return J{"event": "room-leave", "room": room} }

// Signal is the command signal-send.
func Signal(room, target string, data any) J {
	return J{"event": "signal-send", "room": room, "targetId": target, "data": data}
}

// Created answers Create.
func Created(room string) J { return J{"event": "room-created", "room": room} }

// Exists answers Create: the name is taken.
func Exists(room string) J { return J{"event": "room-exists", "room": room} }

// NotExists answers Join.
func NotExists(room string) J { return J{"event": "room-not-exists", "room": room} }

// Left answers Leave.
func Left(room string) J { return J{"event": "room-left", "room": room, "kicked": false} }

// Kicked tells a member that the room was closed.
func Kicked(room string) J { return J{"event": "room-left", "room": room, "kicked": true} }

// Joined answers Join; the others are in join order, the owner, who is always the first, among them.
func Joined(room string, owner *Conn, others ...*Conn) J {
	ids := []string{}
	for _, o := range others {
		ids = append(ids, o.ID)
	}
	return J{"event": "room-joined", "room": room, "ownerId": owner.ID, "clients": ids}
}

// ClientJoined tells a member of a new one.
func ClientJoined(room string, c *Conn) J {
	return J{"event": "client-joined", "room": room, "clientId": c.ID}
}

// ClientLeft tells a member of one that is gone.
func ClientLeft(room string, c *Conn) J {
	return J{"event": "client-left", "room": room, "clientId": c.ID}
}

// Received is a signal at its target.
func Received(room string, sender *Conn, data any) J {
	return J{"event": "signal-receive", "room": room, "senderId": sender.ID, "data": data}
}

// Ask sends a command and takes its answer.
func Ask(t *testing.T, c *Conn, command, answer J) {
	t.Helper()
	c.Emit(command)
	c.Expect(answer)
}

// Meet makes a room with the first client as its owner and lets the others join one after the other. All of them have
// seen it when Meet returns.
func Meet(t *testing.T, room string, members ...*Conn) {
	t.Helper()
	Ask(t, members[0], Create(room), Created(room))
	for i, m := range members[1:] {
		before := members[:i+1]
		Ask(t, m, Join(room), Joined(room, members[0], before...))
		for _, b := range before {
			b.Expect(ClientJoined(room, m))
		}
	}
}
