package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	api "signalling/api/client"
)

// The answer to a resume can be lost. A client that has not got it comes again with the token that it has, which is good until
// the client has shown that it has a newer one.

// lostAnswer asks for the session of a token on a connection that ends before the answer has reached the client: it shows
// nothing of having got it.
func (w *world) lostAnswer(token string, received int) {
	w.t.Helper()
	c := w.connect(deaf)
	c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":%d}`, token, received))
	if e, _, err := api.DecodeObject([]byte(c.next())); err != nil || e.Name() != "resumed" {
		w.t.Fatalf("%v, %v", e, err)
	}
	c.vanish()
	settle()
	for len(c.frames) > 0 {
		c.next()
	}
}

func TestTheAnswerIsLost(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		alice.vanish()
		settle()
		bob.signal(lobby, alice, `1`)
		settle()
		w.lostAnswer(alice.welcome.Resume, 2)
		bob.signal(lobby, alice, `2`)
		w.lostAnswer(alice.welcome.Resume, 2)
		w.owner.expectNoCommand()
		again, e := w.resumed(alice, 2)
		if e.Seq != 2 || e.Missed || e.Received != 1 {
			w.t.Errorf("%+v", e)
		}
		again.expect(received(lobby, bob, `1`), received(lobby, bob, `2`)) // once
		r.proves(again)
		_, refused := w.resume(alice.welcome.Resume, 2) // a replay, or a stolen one
		refusedToken(w.t, refused, "used")
		again.signal(lobby, bob, `3`)
		bob.expect(received(lobby, again, `3`))
		w.quiet()
	}, keeps())
}

// What shows that the client has its new token.
func TestProofs(t *testing.T) {
	for name, show := range map[string]func(w *world, alice, again *client){
		"a command": func(w *world, _, again *client) {
			again.say(`{"event":"room-leave","room":"elsewhere"}`)
			again.expect(notIn("elsewhere"))
		},
		"coming back with it": func(w *world, alice, again *client) {
			again.vanish()
			settle()
			w.lostAnswer(again.welcome.Resume, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, func(_ *testing.T, w *world) {
				_, alice, _ := pair(w)
				alice.vanish()
				settle()
				c := w.connect(deaf)
				c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":2}`, alice.welcome.Resume))
				e, _, err := api.DecodeObject([]byte(c.next()))
				if err != nil {
					w.t.Fatal(err)
				}
				c.id, c.welcome.Resume = alice.id, e.(*api.Resumed).Resume
				show(w, alice, c)
				settle()
				w.owner.skipCommands()
				_, e = w.resume(alice.welcome.Resume, 2)
				refusedToken(w.t, e, "used")
				settle()
				w.owner.skipCommands()
			}, keeps())
		})
	}
}

// A client that was told that it has missed something, and was not reached by that, is told it again.
func TestTheAnswerIsLostOfOneThatHasMissedSomething(t *testing.T) {
	t.Run("before it has moved", func(t *testing.T) { hasMissed(t, true) })
	t.Run("after it has moved", func(t *testing.T) { hasMissed(t, false) })
}

func hasMissed(t *testing.T, early bool) {
	t.Helper()
	scene(t, func(_ *testing.T, w *world) {
		r := w.owner.found(lobby, stranger("alice"), "gone")
		r.add(stranger("zoe"), "elsewhere", 1)
		token := w.lost("alice", 3)
		c := w.connect(deaf)
		c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":7}`, token))
		w.owner.finds(bus.Found{Client: "alice", Room: lobby, Gateway: "gone", Inc: 3, Proven: 3})
		if e, _, err := api.DecodeObject([]byte(c.next())); err != nil || e.Name() != "resumed" {
			w.t.Fatalf("%v, %v", e, err)
		}
		c.vanish()
		move := w.owner.expectCommand(bus.Move, lobby, stranger("alice"))
		if !early {
			r.carriesOut(move)
		}
		settle()
		alice, e := w.resume(token, 7)
		x, ok := e.(*api.Resumed)
		if !ok || !x.Missed || x.Received != 0 || len(x.Rooms) != 1 {
			w.t.Fatalf("%+v", e)
		}
		alice.id = "alice"
		if early { // the owner answers only now
			r.carriesOut(move)
		}
		alice.expect(&api.RoomJoined{Room: lobby, OwnerID: "alice", Clients: []string{"zoe"}, Resumed: true})
		r.proves(alice)
		w.quiet()
	}, keeps())
}

// The client comes back to a gateway that has its session from the one that the token names, to that one itself, and to a
// third one.
func TestTheAnswerOfAnotherGatewayIsLost(t *testing.T) {
	for name, last := range map[string]int{"to the first": 0, "to the second": 1, "to a third": 2} {
		t.Run(name, func(t *testing.T) {
			scene(t, func(_ *testing.T, w *world) {
				r, alice, bob := pair(w)
				all := []*world{w, w.second(), w.second()}
				alice.vanish()
				settle()
				bob.signal(lobby, alice, `1`)
				settle()
				all[1].lostAnswer(alice.welcome.Resume, 2)
				r.carriesOut(r.asksToMove(alice, w.hub.ID(), all[1].hub.ID()))
				settle()
				bob.signal(lobby, alice, `2`)
				settle()
				again, e := all[last].resumed(alice, 2)
				if e.Seq != 2 || e.Missed {
					w.t.Errorf("%+v", e)
				}
				if last == 1 {
					w.owner.gateway = all[1].hub.ID()
					r.proves(again)
					w.owner.gateway = w.hub.ID()
				} else {
					r.moves(again, all[1], all[last])
				}
				again.expect(received(lobby, bob, `1`), received(lobby, bob, `2`))
				for _, g := range all {
					_, refused := g.resume(alice.welcome.Resume, 2)
					refusedToken(w.t, refused, "used")
				}
				again.signal(lobby, bob, `3`)
				bob.expect(received(lobby, again, `3`))
				pass(2 * window)
				w.owner.expectNoCommand()
				bob.expectNothing()
			}, keeps())
		})
	}
}

// The second gateway takes the session, and is asked for it before the room's owner has heard of that.
func TestASessionIsHandedOnBeforeItHasMoved(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		// Pipes have no buffer: while the gateway waits, it does not take the pong to a ping of its heartbeat.
		seldom := func(s *settings) { s.door.PingInterval = time.Hour }
		w2, w3 := w.second(seldom), w.second(seldom)
		alice.vanish()
		settle()
		w2.lostAnswer(alice.welcome.Resume, 2)
		early := r.asksToMove(alice, w.hub.ID(), w2.hub.ID())
		again, e := w3.resumed(alice, 2) // after w2 has waited for an answer
		if e.Missed {
			w.t.Errorf("%+v", e)
		}
		settle() // the last command is w3's
		for w.owner.gateway = w2.hub.ID(); len(w.owner.commands) > 1; {
			w.owner.expectAgain(early)
		}
		w.owner.gateway = w.hub.ID()
		r.moves(again, w, w3)
		w.owner.result(early, bus.Elsewhere)
		settle()
		bob.signal(lobby, again, `1`)
		again.expect(received(lobby, bob, `1`))
		pass(2 * window)
		bob.expectNothing()
		again.vanish()
	}, keeps())
}

// A client that asks on a second connection has given up the first. What comes of that later takes nothing from the second.
func TestWhoHasAskedEarlierDoesNotTakeTheSession(t *testing.T) {
	for name, earlier := range map[string]bool{"earlier": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			scene(t, func(t *testing.T, w *world) {
				_, alice, _ := pair(w)
				alice.vanish()
				began := time.Now()
				pass(time.Second)
				w.lostAnswer(alice.welcome.Resume, 2)
				if !earlier {
					pass(time.Second)
					began = time.Now()
				}
				take := &bus.Take{
					Gateway: "elsewhere", Seq: 1, Client: alice.id, Received: 2, Door: "native", Began: uint64(began.UnixMilli()),
				}
				answers := make(chan *nats.Msg, 1)
				if _, err := w.owner.nc.ChanSubscribe(bus.TakenSubject(take.Gateway, take.Seq), answers); err != nil {
					t.Fatal(err)
				}
				w.owner.flush()
				w.owner.send(bus.TakeSubject(w.hub.ID()), take)
				var taken bus.Taken
				if err := taken.Decode(receive(t, answers, "answer").Data); err != nil {
					t.Fatal(err)
				}
				if want := map[bool]string{true: bus.TakeBusy}[earlier]; taken.Refused != want {
					t.Errorf("got %+v, want refused %q", taken, want)
				}
				if earlier {
					_, e := w.resume(alice.welcome.Resume, 2)
					if _, ok := e.(*api.Resumed); !ok {
						t.Errorf("the client itself gets %+v", e)
					}
					settle()
					w.owner.skipCommands()
				}
			}, keeps())
		})
	}
}

// The gateway that the client has asked later cannot be reached, and has told nobody. Who looks for the session in vain there
// takes it as of when it was asked: so the other one is right when it is back.
func TestASessionIsTakenAsOfWhenItWasAskedFor(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		w.owner.found(lobby, stranger("alice"), "gone")
		began := uint64(time.Now().UnixMilli())
		alice := w.ask(w.lost("alice", 3))
		pass(time.Second)
		w.owner.finds(bus.Found{Client: "alice", Room: lobby, Gateway: "gone", Inc: 4, Proven: 2})
		alice.next()
		alice.id = "alice"
		if c := w.owner.expectCommand(bus.Move, lobby, alice); c.Inc != began {
			t.Errorf("moved as of %d, want %d", c.Inc, began)
		}
		alice.vanish()
		settle()
		w.owner.skipCommands()
	}, keeps())
}

// The client has asked at three gateways. While the first to take the session is told that another one is right, the client
// comes there again: that is the last time, and right.
func TestAMoveIsRepeatedForWhoHasAskedSince(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r := w.owner.found(lobby, stranger("alice"), "gone")
		token := w.lost("alice", 3)
		c := w.connect(deaf)
		c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":7}`, token))
		w.owner.finds(bus.Found{Client: "alice", Room: lobby, Gateway: "gone", Inc: 3, Proven: 3})
		c.next()
		c.vanish()
		early := w.owner.expectCommand(bus.Move, lobby, stranger("alice"))
		pass(tick)
		again, e := w.resume(token, 7)
		if _, ok := e.(*api.Resumed); !ok {
			t.Fatalf("%+v", e)
		}
		again.id = "alice"
		again.say(`{"event":"room-leave","room":"lobby"}`) // it waits
		settle()
		w.owner.result(early, bus.Elsewhere)
		move := w.owner.expectCommand(bus.Move, lobby, again)
		if move.Inc <= early.Inc {
			t.Errorf("moved as of %d, and again as of %d", early.Inc, move.Inc)
		}
		r.carriesOut(move)
		again.expect(&api.RoomJoined{Room: lobby, OwnerID: "alice", Clients: []string{}, Resumed: true})
		settle()
		leave := w.owner.expectCommand(bus.Leave, lobby, again)
		r.publish(r.end())
		r.left(leave)
		again.expect(left(lobby))
		w.quiet()
	}, keeps())
}

// A gateway is told to stop while it is being given a session. It keeps that until the client takes it elsewhere.
func TestAGatewayThatStopsKeepsWhatItIsGiven(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		seldom := func(s *settings) { s.door.PingInterval = time.Hour }
		w2, w3 := w.second(seldom), w.second(seldom)
		alice.say(`{"event":"room-join","room":"slow"}`) // as long as it is not answered the session is not given away
		slow := w.owner.expectCommand(bus.Join, "slow", alice)
		alice.vanish()
		settle()
		c := w2.connect()
		c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":2}`, alice.welcome.Resume))
		settle()
		w2.hub.CloseAll(api.CloseGoingAway)
		settle()
		w.owner.result(slow, bus.NotExists)
		pass(tick)
		c.vanish()
		early := r.asksToMove(alice, w.hub.ID(), w2.hub.ID())
		r.carriesOut(early)
		settle()
		bob.signal(lobby, alice, `1`)
		settle()
		again, e := w3.resumed(alice, 2)
		if e.Missed || e.Received != 2 {
			t.Errorf("%+v", e)
		}
		again.expect(notExists("slow"))
		r.moves(again, w2, w3)
		again.expect(received(lobby, bob, `1`))
		pass(2 * window)
		w.owner.expectNoCommand()
		bob.expectNothing()
	}, keeps())
}

// A gateway that was away may have a session that has gone on elsewhere, and whose rooms its client has left there. What it
// has itself is no session then: the owners of rooms know better.
func TestASessionWithoutRoomsIsInDoubtAfterAnOutage(t *testing.T) {
	for name, tt := range map[string]struct {
		found []bus.Found
		word  string
	}{
		"it is nowhere":            {nil, "ended"},
		"it has gone on elsewhere": {[]bus.Found{{Client: "", Room: lobby, Gateway: "elsewhere", Inc: 1 << 20, Proven: 1 << 20}}, "used"},
	} {
		for _, here := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, here %v", name, here), func(t *testing.T) {
				scene(t, func(t *testing.T, w *world) {
					at := w
					if !here {
						at = w.second()
					}
					alice := w.connect()
					alice.vanish()
					settle()
					w.hub.AnnounceAll() // as it does when it is back
					settle()
					w.owner.skipCommands()
					c := at.connect()
					c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":0}`, alice.welcome.Resume))
					for i := range tt.found {
						tt.found[i].Client = alice.id
					}
					w.owner.finds(tt.found...)
					e, _, err := api.DecodeObject([]byte(c.next()))
					if err != nil {
						t.Fatal(err)
					}
					refusedToken(t, e, tt.word)
				}, keeps())
			})
		}
	}
}

// A gateway that does not answer, and is there, may have a session in no room: that is not known.
func TestASessionOfASilentGatewayIsNotKnownToHaveEnded(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		if _, err := w.owner.nc.SubscribeSync(bus.TakeSubject("gone")); err != nil {
			t.Fatal(err)
		}
		w.owner.flush()
		alice := w.ask(w.lost("alice", 3))
		pass(3 * time.Second)
		w.owner.finds()
		e, _, err := api.DecodeObject([]byte(alice.next()))
		if x, ok := e.(*api.Error); err != nil || !ok || x.Code != api.Unavailable {
			t.Errorf("got %+v, %v, want unavailable", e, err)
		}
		w.quiet()
	}, keeps(), func(s *settings) { s.door.PingInterval = time.Hour }) // a pipe has no buffer for a pong while the gateway waits
}

// One that its client has used since is in no doubt.
func TestASessionWithoutRoomsThatWasUsedSinceAnOutage(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		alice := w.connect()
		w.hub.AnnounceAll()
		settle()
		w.owner.skipAnnounces()
		alice.say(`{"event":"room-leave","room":"elsewhere"}`)
		alice.expect(notIn("elsewhere"))
		alice.vanish()
		settle()
		w.resumed(alice, 1)
		w.quiet()
	}, keeps())
}

// recoverer is a Socket.IO client with connection state recovery, by hand.
type recoverer struct {
	t       testing.TB
	ws      *websocket.Conn
	sid     string
	pid     string
	offsets []string
	event   string // the last one
}

// recover connects with what a client has of its session; both are empty for a new one.
func (w *world) recover(pid, offset string) *recoverer {
	w.t.Helper()
	ws, _, err := w.tryDial(sioPath, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &recoverer{t: w.t, ws: ws}
	c.next("0") // the handshake
	hello := "40"
	if pid != "" {
		hello += fmt.Sprintf(`{"pid":%q,"offset":%q}`, pid, offset)
	}
	if err := ws.WriteMessage(websocket.TextMessage, []byte(hello)); err != nil {
		w.t.Fatal(err)
	}
	var joined struct{ SID, PID string }
	if err := json.Unmarshal([]byte(c.next("40")), &joined); err != nil {
		w.t.Fatal(err)
	}
	c.sid, c.pid = joined.SID, joined.PID
	c.events(1)
	return c
}

// next reads a packet that begins so, and returns the rest.
func (c *recoverer) next(begin string) string {
	c.t.Helper()
	_, m, err := c.ws.ReadMessage()
	rest, ok := strings.CutPrefix(string(m), begin)
	if err != nil || !ok {
		c.t.Fatalf("%q, %v", m, err)
	}
	return rest
}

// events reads some, and keeps their offsets.
func (c *recoverer) events(n int) {
	c.t.Helper()
	for range n {
		var args []any
		if err := json.Unmarshal([]byte(c.next("42")), &args); err != nil {
			c.t.Fatal(err)
		}
		c.event = args[0].(string)
		c.offsets = append(c.offsets, args[len(args)-1].(string))
	}
}

// Socket.IO clients have their pid and the offset of the last event that has reached them.
func TestTheAnswerToARecoveryIsLost(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		first := w.recover("", "")
		_ = first.ws.Close()
		settle()
		old := first.offsets[0]
		for range 2 { // the pings behind the answer are never answered
			lost := w.recover(first.pid, old)
			if lost.sid != first.sid || lost.pid != first.pid || lost.event != "resumed" || lost.offsets[0] == old {
				t.Fatalf("%+v after %+v", lost, first)
			}
			lost.next("2")
			_ = lost.ws.Close()
			settle()
		}
		again := w.recover(first.pid, old)
		again.next("2")
		if err := again.ws.WriteMessage(websocket.TextMessage, []byte("3")); err != nil {
			t.Fatal(err)
		}
		settle()
		if stolen := w.recover(first.pid, old); stolen.sid == first.sid || stolen.pid == first.pid {
			t.Errorf("%+v after %+v", stolen, first)
		}
		_ = again.ws.Close()
		settle()
		if back := w.recover(first.pid, again.offsets[0]); back.sid != first.sid {
			t.Errorf("%+v after %+v", back, again)
		}
	}, keeps())
}
