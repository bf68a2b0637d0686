package rooms_test

import (
	"testing"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/natsbus/natstest"
)

// repeat sends a command that was sent before, and returns its answer.
func (g *fakeGateway) repeat(op bus.Op, seq uint64, room, client string) bus.Answer {
	g.t.Helper()
	return g.resend(bus.Command{Op: op, Room: room, Client: client, Seq: seq})
}

func (g *fakeGateway) resend(c bus.Command) bus.Answer {
	g.t.Helper()
	g.mu.Lock()
	delete(g.answers, c.Seq)
	g.mu.Unlock()
	a, ok := g.send(c)
	if !ok {
		g.t.Fatalf("no answer to a repeated %s", c.Op)
	}
	return a
}

// A repetition can come after the answer to the first attempt was taken, and after the room has changed.
func TestARepetitionThatComesLateHasNoEffect(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		refused := func(ans bus.Answer) {
			t.Helper()
			if ans.Result != bus.Refused || ans.Code != string(client.Unavailable) || ans.Message == "" {
				t.Errorf("answer %+v", ans)
			}
		}
		a.must(bus.Done, bus.Create, lobby, "owner")
		b.must(bus.Exists, bus.Create, lobby, "late")
		late := b.seq
		a.must(bus.Done, bus.Leave, lobby, "owner")
		refused(b.repeat(bus.Create, late, lobby, "late")) // it must not make a room that "late" does not know of
		b.must(bus.NotExists, bus.Join, lobby, "guest")
		join := b.seq
		a.must(bus.Done, bus.Create, lobby, "owner")
		create := a.seq
		refused(b.repeat(bus.Join, join, lobby, "guest"))
		b.must(bus.Done, bus.Join, lobby, "guest")
		join = b.seq
		if ans := b.repeat(bus.Join, join, lobby, "guest"); ans.Result != bus.Done || len(ans.Members) != 2 { // as the first time
			t.Errorf("answer %+v", ans)
		}
		if ans := a.repeat(bus.Create, create, lobby, "owner"); ans.Result != bus.Done || len(ans.Members) != 2 {
			t.Errorf("answer %+v", ans)
		}
		b.must(bus.Done, bus.Leave, lobby, "guest")
		refused(b.repeat(bus.Join, join, lobby, "guest"))
		for range 10_000 { // and long after
			b.must(bus.NotIn, bus.Leave, lobby, "guest")
			b.must(bus.Exists, bus.Create, lobby, "guest")
		}
		refused(b.repeat(bus.Join, join, lobby, "guest"))
		if ans := a.repeat(bus.Create, create, lobby, "owner"); ans.Result != bus.Done || len(ans.Members) != 1 {
			t.Errorf("answer %+v", ans)
		}
		s.ready(t)
	})
}

// A new owner has not seen the first attempts. What gateways do not wait for any more, they have said.
func TestARepetitionThatComesToTheNextOwner(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		a := newGateway(t, srv)
		a.seq = 10 * bus.Partitions
		answered, waits := a.seq-bus.Partitions, a.seq
		s := restarted(t, srv)
		a.asked(bus.Partitions-1, 1)
		a.announceAll(bus.AnnouncedRoom{Room: lobby, Unsettled: []string{"waits"}})
		s.ready(t)
		if ans := a.repeat(bus.Create, answered, lobby, "answered"); ans.Result != bus.Refused {
			t.Errorf("answer %+v", ans)
		}
		if ans := a.repeat(bus.Create, waits, lobby, "waits"); ans.Result != bus.Done {
			t.Errorf("answer %+v", ans)
		}
		a.must(bus.Done, bus.Join, lobby, "next")
	})
}

// What the owner of a room has done since must not be undone by a repetition of what it did before.
func TestARepetitionOfAnOwnersCommandHasNoEffect(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		do := func(c bus.Command) bus.Command {
			t.Helper()
			a.seq += bus.Partitions
			c.Room, c.Client, c.Seq = lobby, "owner", a.seq
			if ans := a.resend(c); ans.Result != bus.Done {
				t.Fatalf("%s: %+v", c.Op, ans)
			}
			return c
		}
		want := func(c bus.Command, result bus.Result, code client.Code) {
			t.Helper()
			if ans := a.resend(c); ans.Result != result || ans.Code != string(code) {
				t.Errorf("a repeated %s is answered %+v", c.Op, ans)
			}
		}
		a.must(bus.Done, bus.Create, lobby, "owner")
		b.must(bus.Done, bus.Join, lobby, "guest")
		lock := do(bus.Command{Op: bus.Update, Settings: &bus.Settings{Lock: true, Password: bus.Proof(lobby, "x")}})
		want(lock, bus.Done, "") // it is so
		do(bus.Command{Op: bus.Update, Settings: &bus.Settings{Unlock: true}})
		want(lock, bus.Refused, client.Unavailable)
		do(bus.Command{Op: bus.Update, Settings: &bus.Settings{NoPassword: true}})
		b.must(bus.Done, bus.Join, lobby, "other") // neither locked nor guarded
		kick := do(bus.Command{Op: bus.Kick, Target: "guest"})
		want(kick, bus.Done, "")
		a.must(bus.Done, bus.Leave, lobby, "owner")
		want(kick, bus.NotIn, "")
		a.must(bus.Done, bus.Create, lobby, "owner")
		b.must(bus.Done, bus.Join, lobby, "guest")
		want(kick, bus.Refused, client.Unavailable) // it is another room
		b.must(bus.Done, bus.Join, lobby, "third")
		s.ready(t)
	})
}
