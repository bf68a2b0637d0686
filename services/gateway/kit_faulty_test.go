package gateway_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
)

// faultyOwner is an owner that does everything right by itself, on a bus that loses messages. It is as simple as it can
// be: one goroutine, one map.
type faultyOwner struct {
	t       testing.TB
	nc      *nats.Conn
	rng     *rand.Rand
	inbox   chan *nats.Msg
	calls   chan func()
	epoch   uint64
	counter uint64
	rooms   map[string]*room
	// loss is the share of messages that are lost, in each direction.
	loss float64
}

func newFaultyOwner(t testing.TB, nc *nats.Conn, rng *rand.Rand) *faultyOwner {
	t.Helper()
	o := &faultyOwner{
		t: t, nc: nc, rng: rng, inbox: make(chan *nats.Msg, ownerQueue), calls: make(chan func()), epoch: 7, counter: 100,
		rooms: make(map[string]*room),
	}
	for _, subject := range []string{bus.AllCommands, bus.AllAnnounces} {
		if _, err := nc.ChanSubscribe(subject, o.inbox); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return o
}

func (o *faultyOwner) run(ctx context.Context) {
	for {
		select {
		case m := <-o.inbox:
			o.handle(m)
		case f := <-o.calls:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// do runs f between two messages.
func (o *faultyOwner) do(f func()) {
	done := make(chan struct{})
	o.calls <- func() { defer close(done); f() }
	<-done
}

func (o *faultyOwner) lost() bool { return o.rng.Float64() < o.loss }

func (o *faultyOwner) send(subject string, m interface{ Append([]byte) []byte }) {
	if o.lost() {
		return
	}
	if err := o.nc.Publish(subject, m.Append(nil)); err != nil {
		o.t.Error(err)
	}
}

func (o *faultyOwner) publish(e *bus.Event) { o.send(bus.EventSubject(bus.Token(e.Room)), e) }

func (o *faultyOwner) handle(m *nats.Msg) {
	if o.lost() {
		return
	}
	var c bus.Command
	if err := c.Decode(m.Data); err == nil && c.Op != "" {
		a := o.apply(&c)
		a.Epoch = o.epoch
		o.send(m.Reply, a)
		return
	}
	var a bus.Announce
	if err := a.Decode(m.Data); err != nil {
		o.t.Error(err)
		return
	}
	o.send(m.Reply, o.compare(&a))
}

func (o *faultyOwner) apply(c *bus.Command) *bus.Answer {
	r := o.rooms[c.Room]
	switch c.Op {
	case bus.Create:
		return o.create(r, c)
	case bus.Join:
		if r == nil {
			return &bus.Answer{Result: bus.NotExists}
		}
		if m := r.member(c.Client); m != nil {
			m.Seq = max(m.Seq, c.Seq)
		} else {
			o.publish(o.count(r.add(stranger(c.Client), c.Gateway, c.Seq)))
		}
		return r.done(&command{Command: *c})
	default:
		if r == nil || r.member(c.Client) == nil {
			return &bus.Answer{Result: bus.NotIn}
		}
		o.publish(o.take(r, c.Client))
		return &bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: r.Stamp}}
	}
}

func (o *faultyOwner) create(r *room, c *bus.Command) *bus.Answer {
	switch {
	case r == nil:
		o.counter += 2
		stamp := bus.Stamp{Epoch: o.epoch, Version: o.counter}
		r = &room{name: c.Room, Roster: bus.Roster{Stamp: stamp, Born: stamp, Owner: c.Client}}
		r.Members = []bus.Member{{Client: c.Client, Gateway: c.Gateway, Since: stamp.Version, Seq: c.Seq}}
		o.rooms[c.Room] = r
	case r.Owner != c.Client || r.member(c.Client).Seq != c.Seq:
		return &bus.Answer{Result: bus.Exists}
	}
	return r.done(&command{Command: *c})
}

func (o *faultyOwner) count(e *bus.Event) *bus.Event {
	o.counter = max(o.counter, e.Version)
	return e
}

// take removes a member, or with the owner the room.
func (o *faultyOwner) take(r *room, client string) *bus.Event {
	if client != r.Owner {
		return o.count(r.remove(stranger(client)))
	}
	delete(o.rooms, r.name)
	return o.count(r.end())
}

func (o *faultyOwner) compare(a *bus.Announce) *bus.Correction {
	for name, r := range o.rooms {
		if bus.Partition(name) != int(a.Seq%bus.Partitions) {
			continue
		}
		i := slices.IndexFunc(a.Rooms, func(ar bus.AnnouncedRoom) bool { return ar.Room == name })
		if i < 0 && !a.Full {
			continue
		}
		for _, m := range slices.Clone(r.Members) {
			held := i >= 0 && holds(&a.Rooms[i], m.Client)
			if m.Gateway == a.Gateway && m.Seq <= a.AsOf && !held && o.rooms[name] == r {
				o.publish(o.take(r, m.Client))
			}
		}
	}
	c := &bus.Correction{Last: true, Epoch: o.epoch}
	for _, ar := range a.Rooms {
		switch r := o.rooms[ar.Room]; {
		case r == nil:
			c.Rooms = append(c.Rooms, bus.CorrectedRoom{Room: ar.Room, Gone: true})
		case r.Born == ar.Born && r.Digest() == ar.Digest:
			c.Rooms = append(c.Rooms, r.same())
		default:
			c.Rooms = append(c.Rooms, r.as())
		}
	}
	return c
}

func holds(ar *bus.AnnouncedRoom, client string) bool {
	return slices.Contains(ar.Unsettled, client) || slices.ContainsFunc(ar.Members, func(m bus.Member) bool { return m.Client == client })
}

// takeOver begins a new epoch, of an owner that has learnt everything.
func (o *faultyOwner) takeOver() {
	o.epoch++
	for _, r := range o.rooms {
		o.counter++
		r.Stamp = bus.Stamp{Epoch: o.epoch, Version: o.counter}
	}
	for p := range bus.Partitions {
		o.send(bus.ResyncSubject, &bus.Resync{Partition: p, Epoch: o.epoch})
	}
}

// member returns a member, or nil.
func (r *room) member(client string) *bus.Member {
	if i := slices.IndexFunc(r.Members, func(m bus.Member) bool { return m.Client == client }); i >= 0 {
		return &r.Members[i]
	}
	return nil
}
