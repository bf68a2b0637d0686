package socketio

import (
	"strings"
	"testing"

	"signalling/services/e2e/labtest"
)

// TestEveryEvent goes through the two tables of the contract with each client: every event with its exact arguments, first
// for clients that ask for no acknowledgements and then for those that do. With two gateways the clients are spread over
// both.
func TestEveryEvent(t *testing.T) {
	d := newDriver(t)
	labtest.ForEachSite(t, func(t *testing.T, s *labtest.Site) {
		forEachKind(t, func(t *testing.T, k kind) {
			for _, acks := range []bool{false, true} {
				name := "without-acks"
				if acks {
					name = "with-acks"
				}
				t.Run(name, func(t *testing.T) {
					e := everyEvent{
						t: t, acks: acks,
						// In the payloads of polling, lengths count UTF-16 units for client 2, and newlines are no separators.
						room: s.Room() + " 日本 👩‍🚀 é > * $. \n \"\\ \u2028",
						a:    d.open(t, k, urlOf(s, 0)),
						b:    d.open(t, k, urlOf(s, 1)),
						c:    d.open(t, k, urlOf(s, 2)),
					}
					e.run()
				})
			}
		})
	})
}

// everyEvent is the scenario: a owns the room, b and c are guests.
type everyEvent struct {
	t       *testing.T
	room    string
	acks    bool
	a, b, c *nodeClient
}

func (e *everyEvent) run() {
	e.outside()
	e.enter()
	e.signals()
	e.refusals()
	e.leave()
	for _, c := range []*nodeClient{e.a, e.b, e.c} {
		c.expectNothing()
		c.settled()
		c.disconnect()
	}
}

// ask sends a command and takes its answer; no answer is a signal that was delivered.
func (e *everyEvent) ask(c *nodeClient, command []any, answer ...any) {
	e.t.Helper()
	if !e.acks {
		c.emit(command...)
		if len(answer) > 0 {
			c.expect(answer...)
		}
		return
	}
	ack := c.emitAck(command...)
	if len(answer) > 0 {
		c.expect(answer...)
	}
	c.expectAck(ack, answer...)
}

func (e *everyEvent) outside() {
	a, room := e.a, e.room
	e.ask(a, []any{"room-join", room}, "room-not-exists", room)
	e.ask(a, []any{"room-leave", room}, "not-in-room", room)
	e.ask(a, []any{"signal-send", room, e.b.ID(), J{}}, "not-in-room", room)
}

func (e *everyEvent) enter() {
	a, b, c, room := e.a, e.b, e.c, e.room
	e.ask(a, []any{"room-create", room}, "room-created", room)
	e.ask(a, []any{"room-create", room}, "room-exists", room)
	e.ask(b, []any{"room-create", room}, "room-exists", room)
	e.ask(b, []any{"signal-send", room, a.ID(), J{}}, "not-in-room", room)
	e.ask(a, []any{"signal-send", room, b.ID(), J{}}, "target-not-found", room, b.ID())

	e.ask(b, []any{"room-join", room}, "room-joined", room, a.ID(), []any{a.ID()})
	a.expect("client-joined", room, b.ID())
	e.ask(c, []any{"room-join", room}, "room-joined", room, a.ID(), []any{a.ID(), b.ID()})
	a.expect("client-joined", room, c.ID())
	b.expect("client-joined", room, c.ID())
	e.ask(a, []any{"room-join", room}, "room-joined", room, a.ID(), []any{b.ID(), c.ID()}) // told to nobody
}

func (e *everyEvent) signals() {
	a, b, c, room := e.a, e.b, e.c, e.room
	for _, data := range []any{
		J{"type": "offer", "sdp": "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n日本 👩 \u2028"},
		J{},
		nil, "text", "", 42, -1.5e-7, true,
		[]any{},
		[]any{1, []any{nil, J{"a": "b"}}},
		J{"_placeholder": true, "num": 0}, // of an attachment that is not there
		strings.Repeat("long ", 10_000),
	} {
		e.ask(a, []any{"signal-send", room, b.ID(), data})
		b.expect("signal-receive", room, a.ID(), data)
		e.ask(b, []any{"signal-send", room, a.ID(), data})
		a.expect("signal-receive", room, b.ID(), data)
		e.ask(c, []any{"signal-send", room, a.ID(), data})
		a.expect("signal-receive", room, c.ID(), data)
	}
	e.ask(a, []any{"signal-send", room, b.ID()})
	b.expect("signal-receive", room, a.ID(), nil)
	e.ask(a, []any{"signal-send", room, "nobody"}, "target-not-found", room, "nobody")
}

func (e *everyEvent) refusals() {
	room := e.room
	for _, command := range [][]any{
		{"room-create"},
		{"room-create", ""},
		{"room-create", 5},
		{"room-create", nil},
		{"room-create", []any{room}},
		{"room-create", strings.Repeat("r", 257)},
		{"room-join", J{"room": room}},
		{"room-leave", true},
		{"signal-send", room},
		{"signal-send", room, 7, J{}},
		{"signal-send", nil, e.b.ID(), J{}},
		{"room-destroy", room},
		{"ROOM-CREATE", room},
		{"room-joined", room},
		{"", room},
	} {
		e.ask(e.a, command, "error", labtest.AnyText, "bad-request")
	}
}

func (e *everyEvent) leave() {
	a, b, c, room := e.a, e.b, e.c, e.room
	e.ask(b, []any{"room-leave", room}, "room-left", room, false)
	a.expect("client-left", room, b.ID())
	c.expect("client-left", room, b.ID())
	e.ask(b, []any{"room-leave", room}, "not-in-room", room)
	e.ask(b, []any{"room-join", room}, "room-joined", room, a.ID(), []any{a.ID(), c.ID()})
	a.expect("client-joined", room, b.ID())
	c.expect("client-joined", room, b.ID())
	e.ask(a, []any{"room-leave", room}, "room-left", room, false)
	b.expect("room-left", room, true)
	c.expect("room-left", room, true)
	e.ask(a, []any{"room-join", room}, "room-not-exists", room)
}
