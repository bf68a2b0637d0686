package gateway_test

import (
	"fmt"
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
	"signalling/services/gateway/internal/hub"
)

// Sessions that move from one gateway to another, both real.

// second is another gateway on the same bus. The owner of the first plays the rooms service for both.
func (w *world) second(change ...func(*settings)) *world {
	w.t.Helper()
	other := newWorld(w.t, w.srv, append(change, keeps())...)
	settle()
	w.owner.heard()
	return other
}

// moves takes the move of a member to another gateway through, and the proof that its client has the new token. Before it is
// carried out, the room may change.
func (r *room) moves(who named, from, to *world, meanwhile ...*bus.Event) {
	r.o.t.Helper()
	r.carriesOut(r.asksToMove(who, from.hub.ID(), to.hub.ID()), meanwhile...)
	was := r.o.gateway
	r.o.gateway = to.hub.ID()
	r.proves(who)
	r.o.gateway = was
}

// asksToMove waits for the move of a member from one gateway to another.
func (r *room) asksToMove(who named, from, to string) *command {
	r.o.t.Helper()
	was := r.o.gateway
	r.o.gateway = to
	c := r.o.expectCommand(bus.Move, r.name, who)
	r.o.gateway = was
	if m := r.member(who.name()); c.From != from || c.Inc <= m.Inc || c.Proven < m.Proven || c.Proven >= c.Inc || c.Dead {
		r.o.t.Errorf("move %+v of %+v", c.Command, m)
	}
	return c
}

// carriesOut tells of a move, and answers it.
func (r *room) carriesOut(c *command, meanwhile ...*bus.Event) {
	r.o.t.Helper()
	r.publish(meanwhile...)
	r.Version++
	m := r.member(c.Client)
	m.Gateway, m.Seq, m.Inc, m.Proven = c.Gateway, c.Seq, c.Inc, c.Proven
	r.publish(&bus.Event{
		Room: r.name, Stamp: r.Stamp, Kind: bus.Moved, Client: c.Client, Gateway: c.Gateway, Seq: c.Seq, Inc: c.Inc, Dead: c.Dead,
	})
	r.answer(c)
}

func TestASessionMoves(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		w2 := w.second()
		alice.vanish()
		settle()
		bob.signal(lobby, alice, `1`)
		settle()
		again, e := w2.resumed(alice, 2)
		if e.Seq != 2 || e.Missed || e.Received != 1 {
			w.t.Errorf("%+v", e)
		}
		again.expect(received(lobby, bob, `1`))
		bob.signal(lobby, again, `2`) // it waits until it is known where she is
		zoe := stranger("zoe")
		r.moves(again, w, w2, r.add(zoe, "elsewhere", 1), r.govern(bus.Policy{Locked: true}))
		bob.expect(clientJoined(lobby, zoe), updated(lobby, lockedState()))
		again.expect(clientJoined(lobby, zoe), updated(lobby, lockedState())) // what has changed on the way
		again.expect(received(lobby, bob, `2`))
		for n := range 10 {
			bob.signal(lobby, again, number(n))
			again.expect(received(lobby, bob, number(n)))
			again.signal(lobby, bob, number(n))
			bob.expect(received(lobby, again, number(n)))
		}
		_, used := w2.resume(alice.welcome.Resume, 2)
		refusedToken(w.t, used, "used")
		_, used = w.resume(alice.welcome.Resume, 2)
		refusedToken(w.t, used, "used")
		pass(2 * window)
		w.owner.expectNoCommand()
		bob.expectNothing()
	}, keeps())
}

// The old connection is still there, and its end comes late.
func TestASessionMovesFromALivingConnection(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		w2 := w.second()
		again, _ := w2.resumed(alice, 2)
		alice.expectEnd(api.CloseResumed)
		r.moves(again, w, w2)
		alice.vanish()
		pass(2 * window)
		bob.signal(lobby, again, `1`)
		again.expect(received(lobby, bob, `1`))
		w.owner.expectNoCommand()
		bob.expectNothing()
	}, keeps())
}

// finds answers the questions of the gateway, one to each partition, where a client is.
func (o *owner) finds(found ...bus.Found) {
	o.t.Helper()
	for range bus.Partitions {
		m := receive(o.t, o.commands, "question")
		var c bus.Command
		if err := c.Decode(m.Data); err != nil || c.Op != bus.Find || len(c.Clients) != 1 {
			o.t.Fatalf("%s, %v", m.Data, err)
		}
		a := bus.Answer{Result: bus.Done}
		for _, f := range found {
			if p, _ := bus.PartitionOf(m.Subject); p == bus.Partition(f.Room) {
				a.Found = append(a.Found, f)
			}
		}
		a.Epoch = o.epoch
		o.send(m.Reply, &a)
	}
}

// lost is a token of a gateway that is no more.
func (w *world) lost(client string, inc uint64) string {
	return w.hub.Tokens().Seal("native", hub.Token{Client: client, Gateway: "gone", Inc: inc})
}

// ask is resume without its answer.
func (w *world) ask(token string) *client {
	w.t.Helper()
	c := w.connect()
	c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":7}`, token))
	return c
}

func TestASessionOfADeadGateway(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r := w.owner.found(lobby, stranger("alice"), "gone")
		r.add(stranger("zoe"), "elsewhere", 1)
		alice := w.ask(w.lost("alice", 3))
		w.owner.finds(bus.Found{Client: "alice", Room: lobby, Gateway: "gone", Inc: 4, Proven: 2})
		e, _, err := api.DecodeObject([]byte(alice.next()))
		x, ok := e.(*api.Resumed)
		if err != nil || !ok || x.ClientID != "alice" || !x.Missed || x.Seq != 7 || x.Received != 0 || len(x.Rooms) != 1 {
			w.t.Fatalf("%+v, %v", e, err)
		}
		alice.id = "alice"
		c := w.owner.expectCommand(bus.Move, lobby, alice)
		if c.From != "gone" || c.Inc <= 4 || c.Proven != 3 || !c.Dead {
			w.t.Errorf("move %+v", c.Command)
		}
		r.Version++
		r.Members[0].Gateway, r.Members[0].Seq, r.Members[0].Inc = c.Gateway, c.Seq, c.Inc
		r.answer(c)
		r.proves(alice)
		alice.expect(&api.RoomJoined{Room: lobby, OwnerID: "alice", Clients: []string{"zoe"}, Resumed: true})
		w.quiet()
	}, keeps())
}

func TestASessionOfADeadGatewayThatIsNotThere(t *testing.T) {
	for _, tt := range []struct {
		name, word string
		found      []bus.Found
	}{
		{"nowhere", "ended", nil},
		{"elsewhere", "used", []bus.Found{{Client: "alice", Room: lobby, Gateway: "elsewhere", Inc: 4, Proven: 4}}},
		{"asked for later", "cannot", []bus.Found{{Client: "alice", Room: lobby, Gateway: "gone", Inc: 1 << 50, Proven: 2}}},
		{"newer", "used", []bus.Found{{Client: "alice", Room: lobby, Gateway: "gone", Inc: 4, Proven: 4}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scene(t, func(_ *testing.T, w *world) {
				alice := w.ask(w.lost("alice", 3))
				w.owner.finds(tt.found...)
				e, _, err := api.DecodeObject([]byte(alice.next()))
				if err != nil {
					w.t.Fatal(err)
				}
				if tt.word == "cannot" {
					if x, ok := e.(*api.Error); !ok || x.Code != api.Unavailable {
						w.t.Errorf("got %+v, want unavailable", e)
					}
				} else {
					refusedToken(w.t, e, tt.word)
				}
				alice.join(lobby) // it goes on as a new client
				w.owner.result(w.owner.expectCommand(bus.Join, lobby, alice), bus.NotExists)
				alice.expect(notExists(lobby))
				w.quiet()
			}, keeps())
		})
	}
}

// All clients of a dead gateway come at once: the owners are asked for them together.
func TestAStormAfterADeadGateway(t *testing.T) {
	const n = 200
	scene(t, func(_ *testing.T, w *world) {
		var all []*client
		for range n {
			all = append(all, w.connect())
		}
		for i, c := range all {
			c.say(fmt.Sprintf(`{"event":"resume","token":%q,"received":7}`, w.lost(fmt.Sprintf("client-%d", i), 0)))
		}
		settle()
		pass(time.Second)
		if got := len(w.owner.commands); got != bus.Partitions {
			w.t.Errorf("%d questions for %d clients, want %d", got, n, bus.Partitions)
		}
		for range bus.Partitions {
			m := receive(w.t, w.owner.commands, "question")
			var c bus.Command
			if err := c.Decode(m.Data); err != nil || c.Op != bus.Find || len(c.Clients) != n {
				w.t.Fatalf("%.200s, %v", m.Data, err)
			}
			a := bus.Answer{Result: bus.Done}
			a.Epoch = w.owner.epoch
			w.owner.send(m.Reply, &a)
		}
		for _, c := range all {
			e, _, err := api.DecodeObject([]byte(c.next()))
			if err != nil {
				w.t.Fatal(err)
			}
			refusedToken(w.t, e, "ended")
		}
		w.quiet()
	}, keeps())
}

// takeFinds takes the questions to all partitions, and answers all but that to one, which it returns.
func (o *owner) takeFinds(partition, clients int) *command {
	o.t.Helper()
	var kept *command
	for range bus.Partitions {
		c := o.takeFind(clients)
		if c.Seq%bus.Partitions == uint64(partition) {
			kept = c
		} else {
			o.answerFind(c, &bus.Answer{Result: bus.Done})
		}
	}
	if kept == nil {
		o.t.Fatalf("partition %d was not asked", partition)
	}
	return kept
}

// takeFind waits for a question for so many clients.
func (o *owner) takeFind(clients int) *command {
	o.t.Helper()
	m := receive(o.t, o.commands, "question")
	c := &command{reply: m.Reply}
	if err := c.Decode(m.Data); err != nil || c.Op != bus.Find || len(c.Clients) != clients {
		o.t.Fatalf("%.200s, %v: want a question for %d clients", m.Data, err, clients)
	}
	return c
}

func (o *owner) answerFind(c *command, a *bus.Answer) {
	o.t.Helper()
	a.Epoch = o.epoch
	o.send(c.reply, a)
}

// An owner that has more than a message takes is asked again. Clients of which all is known do not wait for that, nor do they
// share the lot of one that is in more rooms than any message takes.
func TestManyMembershipsAreFoundBitByBit(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		in := func(client string) bus.Found {
			return bus.Found{Client: client, Room: lobby, Gateway: "elsewhere", Inc: 4, Proven: 4}
		}
		ask := func(client string) *client { return w.ask(w.lost(client, 0)) }
		told := func(c *client, word string) {
			w.t.Helper()
			e, _, err := api.DecodeObject([]byte(c.next()))
			if err != nil {
				w.t.Fatal(err)
			}
			refusedToken(w.t, e, word)
		}
		few, many, tooMany := ask("few"), ask("many"), ask("too many")
		settle()
		pass(time.Second)
		c := w.owner.takeFinds(bus.Partition(lobby), 3)
		w.owner.answerFind(c, &bus.Answer{Result: bus.Partial, Found: []bus.Found{in("few")}, Again: []string{"many", "too many", "unasked"}})
		told(few, "used")
		c = w.owner.takeFind(2)
		w.owner.answerFind(c, &bus.Answer{Result: bus.Partial, Found: []bus.Found{in("many")}, Again: []string{"too many"}})
		told(many, "used")
		tooMany.expectNothing()
		c = w.owner.takeFind(1)
		w.owner.answerFind(c, &bus.Answer{Result: bus.Partial, Again: []string{"too many"}})
		told(tooMany, "ended")
		w.owner.expectNoCommand()
		w.quiet()
	}, keeps())
}
