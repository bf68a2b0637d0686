package socketio

import (
	"encoding/base64"
	"fmt"
	"testing"

	"signalling/services/e2e/labtest"
)

// TestNativeAndSocketIOClientsShareRooms mixes clients of both doors in one room, spread over the gateways. The native
// door's frames are compared as text, so that nothing of the other door shows in them.
func TestNativeAndSocketIOClientsShareRooms(t *testing.T) {
	d := newDriver(t)
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		forEachKind(t, func(t *testing.T, k kind) {
			m := &mixed{
				t: t, room: s.Room(),
				owner:  labtest.Open(t, s.URLOf(0), nil),
				native: labtest.Open(t, s.URLOf(1), nil),
				near:   d.open(t, k, urlOf(s, 0)),
				far:    d.open(t, k, urlOf(s, 1)),
			}
			m.enter()
			m.signals()
			m.binary()
			m.leave()
		})
	})
}

// mixed is a room that a native client owns, with a native and two Socket.IO guests: near is at the owner's gateway.
type mixed struct {
	t             *testing.T
	room          string
	owner, native *labtest.Conn
	near, far     *nodeClient
}

// text checks a native client's next frame; the format gets the room first.
func (m *mixed) text(c *labtest.Conn, format string, args ...any) {
	m.t.Helper()
	c.ExpectText(fmt.Sprintf(format, append([]any{labtest.Quote(m.room)}, args...)...))
}

func (m *mixed) enter() {
	room, owner := m.room, m.owner.ID
	m.owner.Emit(J{"event": "room-create", "room": room})
	m.text(m.owner, `{"event":"room-created","room":%s}`)

	m.far.emit("room-join", room)
	m.far.expect("room-joined", room, owner, []any{owner})
	m.text(m.owner, `{"event":"client-joined","room":%s,"clientId":%q}`, m.far.ID())

	m.native.Emit(J{"event": "room-join", "room": room, "id": 7})
	m.text(m.native, `{"event":"room-joined","id":7,"room":%s,"ownerId":%q,"clients":[%q,%q]}`, owner, owner, m.far.ID())
	m.text(m.owner, `{"event":"client-joined","room":%s,"clientId":%q}`, m.native.ID)
	m.far.expect("client-joined", room, m.native.ID)

	m.near.emit("room-join", room)
	m.near.expect("room-joined", room, owner, []any{owner, m.far.ID(), m.native.ID})
	for _, c := range []*labtest.Conn{m.owner, m.native} {
		m.text(c, `{"event":"client-joined","room":%s,"clientId":%q}`, m.near.ID())
	}
	m.far.expect("client-joined", room, m.near.ID())
}

func (m *mixed) signals() {
	for _, to := range []*nodeClient{m.near, m.far} {
		for _, from := range []*labtest.Conn{m.owner, m.native} {
			from.Send(fmt.Sprintf(`{"event":"signal-send","room":%s,"targetId":%q,"data":{"candidate": "a\u2028👩",  "n":1.50}}`,
				labtest.Quote(m.room), to.ID()))
			to.expect("signal-receive", m.room, from.ID, J{"candidate": "a\u2028👩", "n": 1.5})
			from.Emit(J{"event": "signal-send", "room": m.room, "targetId": to.ID(), "data": J{"_placeholder": true, "num": 0}})
			to.expect("signal-receive", m.room, from.ID, J{"_placeholder": true, "num": 0})

			to.emit("signal-send", m.room, from.ID, J{"sdp": "v=0\r\n"})
			m.text(from, `{"event":"signal-receive","room":%s,"senderId":%q,"data":{"sdp":"v=0\r\n"}}`, to.ID())
			to.emit("signal-send", m.room, from.ID, J{})
			m.text(from, `{"event":"signal-receive","room":%s,"senderId":%q,"data":{}}`, to.ID())
			ack := to.emitAck("signal-send", m.room, from.ID)
			m.text(from, `{"event":"signal-receive","room":%s,"senderId":%q,"data":null}`, to.ID())
			to.expectAck(ack)
		}
	}
}

// binary: a native client gets the bytes of a Buffer in place, as base64.
func (m *mixed) binary() {
	bytes := buffer{0, 1, 0xfe, 0xff, '"', 0x1e}
	base64 := base64.StdEncoding.EncodeToString(bytes)
	for _, from := range []*nodeClient{m.near, m.far} {
		for _, to := range []*labtest.Conn{m.owner, m.native} {
			from.emit("signal-send", m.room, to.ID, bytes)
			to.Expect(J{
				"event": "signal-receive", "room": m.room, "senderId": from.ID(),
				"data": J{"_placeholder": true, "num": 0, "base64": base64},
			})
			from.emit("signal-send", m.room, to.ID, J{"a": buffer{}, "b": []any{1, bytes, "👩"}, "c": 1e300})
			to.Expect(J{
				"event": "signal-receive", "room": m.room, "senderId": from.ID(),
				"data": J{
					"a": J{"_placeholder": true, "num": 0, "base64": ""},
					"b": []any{1, J{"_placeholder": true, "num": 1, "base64": base64}, "👩"},
					"c": 1e300,
				},
			})
		}
	}
}

func (m *mixed) leave() {
	m.native.Emit(J{"event": "room-leave", "room": m.room})
	m.text(m.native, `{"event":"room-left","room":%s,"kicked":false}`)
	m.text(m.owner, `{"event":"client-left","room":%s,"clientId":%q}`, m.native.ID)
	m.near.expect("client-left", m.room, m.native.ID)
	m.far.expect("client-left", m.room, m.native.ID)

	m.far.settled()
	m.far.disconnect()
	m.text(m.owner, `{"event":"client-left","room":%s,"clientId":%q}`, m.far.ID())
	m.near.expect("client-left", m.room, m.far.ID())
	m.owner.ExpectNothing()

	m.owner.Emit(J{"event": "room-leave", "room": m.room})
	m.text(m.owner, `{"event":"room-left","room":%s,"kicked":false}`)
	m.near.expect("room-left", m.room, true)
	m.near.expectNothing()
	m.near.settled()
	m.native.ExpectNothing()
}
