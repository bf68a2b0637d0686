package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/services/gateway/internal/hub"
)

// Sessions that outlive their connections, at one gateway. A bubble fails if a goroutine or timer of theirs is left.

const window = 30 * time.Second

// keeps turns resumption on.
func keeps(change ...func(*hub.Resume)) func(*settings) {
	return func(s *settings) {
		s.hub.Resume = hub.Resume{
			Window: window, Frames: 64, Bytes: 1 << 16, Memory: 1 << 20, Secret: []byte("0123456789abcdef0123456789abcdef"),
		}
		for _, f := range change {
			f(&s.hub.Resume)
		}
	}
}

// resume asks for the session of a token on a new connection, and returns that and the answer.
func (w *world) resume(token string, received int) (*client, api.Event) {
	w.t.Helper()
	c := w.connect()
	c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":%d}`, token, received))
	e, _, err := api.DecodeObject([]byte(c.next()))
	if err != nil {
		w.t.Fatal(err)
	}
	return c, e
}

// resumed is resume that succeeds: the client goes on as the one that it was.
func (w *world) resumed(was *client, received int) (*client, *api.Resumed) {
	w.t.Helper()
	c, e := w.resume(was.welcome.Resume, received)
	r, ok := e.(*api.Resumed)
	if !ok || r.ClientID != was.id || r.Resume == "" || r.Resume == was.welcome.Resume {
		w.t.Fatalf("%+v", e)
	}
	c.id = was.id
	c.welcome.Resume = r.Resume
	return c, r
}

// proves answers the move with which a gateway tells that a client has shown its newest token.
func (r *room) proves(who named) {
	r.o.t.Helper()
	c := r.o.expectCommand(bus.Move, r.name, who)
	m := r.member(who.name())
	if c.From != c.Gateway || c.Inc < m.Inc || c.Inc == 0 || c.Proven != c.Inc {
		r.o.t.Errorf("move %+v of %+v", c.Command, m)
	}
	m.Inc, m.Proven = c.Inc, c.Proven
	r.answer(c)
}

func refusedToken(t testing.TB, e api.Event, word string) {
	t.Helper()
	if x, ok := e.(*api.Error); !ok || x.Code != api.Unauthorized || !strings.Contains(x.Message, word) {
		t.Errorf("got %+v, want unauthorized: %s", e, word)
	}
}

// The old connection is alive when another one comes with its token: it is closed and its end is nobody's loss.
func TestTheOldConnectionCannotEndItsSuccessor(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		again, e := w.resumed(alice, 2) // room-created, client-joined
		if e.Seq != 2 || e.Missed || e.Received != 1 || len(e.Rooms) != 0 {
			w.t.Errorf("%+v", e)
		}
		alice.expectEnd(api.CloseResumed)
		r.proves(again)
		alice.vanish()
		pass(2 * window)
		bob.signal(lobby, again, `1`)
		again.expect(received(lobby, bob, `1`))
		again.signal(lobby, bob, `2`)
		bob.expect(received(lobby, again, `2`))
		w.quiet()
	}, keeps())
}

func TestTokensAreGoodOnce(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		token := alice.welcome.Resume
		for _, forged := range []string{
			"x", "....", token[:len(token)-1], token + "x", strings.Replace(token, alice.id, bob.id, 1),
			strings.Replace(token, ".0.", ".1.", 1),
			w.hub.Tokens().Seal("socket.io", hub.Token{Client: alice.id, Gateway: w.hub.ID()}),
		} {
			_, e := w.resume(forged, 0)
			refusedToken(w.t, e, "not valid")
		}
		_, e := w.resume(token, 3) // more than it can have
		refusedToken(w.t, e, "does not fit")
		again, _ := w.resumed(alice, 2)
		r.proves(again)
		stolen, e := w.resume(token, 2)
		refusedToken(w.t, e, "used")
		stolen.say(`{"event":"room-leave","room":"lobby"}`) // it goes on as nobody
		stolen.expect(notIn(lobby))
		third, _ := w.resumed(again, 2)
		r.proves(third)
		for _, old := range []string{token, again.welcome.Resume} {
			if old != third.welcome.Resume {
				_, e = w.resume(old, 2)
			}
		}
		refusedToken(w.t, e, "used")
		_, e = w.resume(w.hub.Tokens().Seal("native", hub.Token{Client: "nobody", Gateway: w.hub.ID()}), 0)
		refusedToken(w.t, e, "ended")
		w.quiet()
	}, keeps())
}

// What comes while the client is away is kept in order, and nobody is told that it was away.
func TestWhatWasMissedComesInOrder(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		alice.vanish()
		settle()
		for n := range 10 {
			bob.signal(lobby, alice, number(n))
		}
		zoe := stranger("zoe")
		settle()
		r.enters(zoe, "elsewhere")
		bob.expect(clientJoined(lobby, zoe))
		pass(window - time.Second)
		again, e := w.resumed(alice, 1) // client-joined was lost on the way
		if e.Seq != 1 || e.Missed {
			w.t.Errorf("%+v", e)
		}
		again.expect(clientJoined(lobby, bob))
		for n := range 10 {
			again.expect(received(lobby, bob, number(n)))
		}
		again.expect(clientJoined(lobby, zoe))
		r.proves(again)
		pass(2 * window)
		w.quiet()
	}, keeps())
}

func TestTheWindowEnds(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.vanish()
		pass(window - time.Second)
		w.owner.expectNoCommand()
		pass(time.Second + time.Second/2) // it is not repeated yet
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(c)
		alice.expect(clientLeft(lobby, bob))
		_, e := w.resume(bob.welcome.Resume, 1)
		refusedToken(w.t, e, "ended")
		w.quiet()
	}, keeps())
}

// A client that was removed while it was away hears of it.
func TestRemovedWhileAway(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.vanish()
		settle()
		alice.leave(lobby)
		c := w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(r.end())
		r.left(c)
		alice.expect(left(lobby))
		again, e := w.resumed(bob, 1)
		if e.Missed {
			w.t.Errorf("%+v", e)
		}
		again.expect(kicked(lobby))
		w.quiet()
		again.vanish()
		alice.vanish()
		pass(2 * window)
		w.holdsNothing()
	}, keeps())
}

// What is kept is bounded in number, in bytes and for all together. A client that has missed something is told so, and gets
// the whole room.
func TestWhatIsKeptIsBounded(t *testing.T) {
	for name, bound := range map[string]func(*hub.Resume){
		"frames": func(r *hub.Resume) { r.Frames = 4 },
		"bytes":  func(r *hub.Resume) { r.Bytes = 2048 },
		"memory": func(r *hub.Resume) { r.Memory = 2048 },
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, func(_ *testing.T, w *world) {
				r, alice, bob := pair(w)
				alice.vanish()
				settle()
				data := `"` + strings.Repeat("x", 500) + `"`
				for range 8 {
					bob.signal(lobby, alice, data)
				}
				settle()
				again, e := w.resumed(alice, 2)
				if !e.Missed || e.Seq != 10 || len(e.Rooms) != 1 || e.Rooms[0] != lobby {
					w.t.Errorf("%+v", e)
				}
				again.expect(&api.RoomJoined{Room: lobby, OwnerID: alice.id, Clients: []string{bob.id}, Resumed: true})
				r.proves(again)
				bob.signal(lobby, again, `1`)
				again.expect(received(lobby, bob, `1`))
				w.quiet()
			}, keeps(bound))
		})
	}
}

// Ten come at once with one token: one has the session in the end, and all others know that they have not.
func TestAStormWithOneToken(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, _ := pair(w)
		alice.vanish()
		var all []*client
		for range 10 {
			all = append(all, w.connect())
		}
		for _, c := range all {
			c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":2}`, alice.welcome.Resume))
		}
		settle()
		has := 0
		for _, c := range all {
			e, _, err := api.DecodeObject([]byte(c.next()))
			if err != nil {
				w.t.Fatal(err)
			}
			select {
			case <-c.over:
				c.expectEnd(api.CloseResumed)
				continue
			default:
			}
			if _, ok := e.(*api.Resumed); ok {
				has++
				continue
			}
			refusedToken(w.t, e, "used")
		}
		if has != 1 {
			w.t.Errorf("%d have the session", has)
		}
		for len(w.owner.commands) > 0 { // how many have shown that they had it
			r.proves(alice)
		}
		w.quiet()
	}, keeps())
}

// Off, a token is worth nothing, and the end of a connection is the end of its memberships at once.
func TestOffNothingIsKept(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		if alice.welcome.Resume != "" || alice.welcome.ResumeWindow != 0 {
			w.t.Errorf("%+v", alice.welcome)
		}
		bob.vanish()
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(c)
		alice.expect(clientLeft(lobby, bob))
		_, e := w.resume("x", 0)
		refusedToken(w.t, e, "not resumed here")
		w.quiet()
	})
}

// A gateway that stops has acknowledged the signals that it delivered: else they would be sent again to where their targets
// are now.
func TestSignalsAreAcknowledgedBeforeAGatewayStops(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		p.publish(p.next(r, bob, alice, `1`))
		alice.expect(received(lobby, bob, `1`))
		settle()
		goodBye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		if err := alice.ws.WriteControl(websocket.CloseMessage, goodBye, time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		c := w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(r.remove(alice))
		r.left(c)
		settle()
		p.expectNoAck()
		w.hub.Away(t.Context())
		settle()
		if len(p.acks) == 0 {
			t.Fatal("the gateway may stop, and has acknowledged nothing")
		}
		p.expectAck(1, false)
	}, keeps())
}
