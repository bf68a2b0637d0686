package rooms_test

import (
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"signalling/api/bus"
	"signalling/pkg/natsbus"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms"
)

// two returns two gateways; b owns the room that it returns the events of.
func two(t *testing.T, a, b *fakeGateway) {
	t.Helper()
	a.follow(lobby)
	b.must(bus.Done, bus.Create, lobby, "owner")
	a.must(bus.Done, bus.Join, lobby, "guest")
}

func TestAKilledGatewayIsGivenUpSoon(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		two(t, a, b)
		a.must(bus.Done, bus.Create, "mine", "guest")
		a.follow("mine")
		b.must(bus.Done, bus.Join, "mine", "owner")
		killed := time.Now()
		b.kill()
		if e := a.eventsOf("mine", 2)[1]; e.Kind != bus.Left || e.Client != "owner" || e.Gateway != b.id {
			t.Errorf("event %+v", e)
		}
		if e := a.eventsOf(lobby, 2)[1]; e.Kind != bus.Closed || e.Client != "owner" {
			t.Errorf("event %+v", e)
		}
		if took := time.Since(killed); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		a.must(bus.Done, bus.Create, lobby, "guest") // the name is free
	})
}

func TestAHangingGatewayIsGivenUpAfterItsTimeout(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		two(t, a, b)
		b.hang()
		hung := time.Now()
		if e := a.eventsOf(lobby, 2)[1]; e.Kind != bus.Closed {
			t.Errorf("event %+v", e)
		}
		if took := time.Since(hung); took < 4*time.Second || took > 5200*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

// What a gateway has sent before it was cut off can come when it has been given up, and no heartbeat with it. Its members are
// kept all the same when it is given up again.
func TestMembersAreKeptAfterALateMessageToo(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		const window = 20 * time.Second
		srv := natstest.Run(t)
		fresh(t, srv)
		a, b := newGateway(t, srv), keepingGateway(t, natstest.Connect(t, srv), window)
		two(t, a, b)
		b.hang()
		time.Sleep(6 * time.Second) // it is given up
		late := bus.Command{Op: bus.Join, Gateway: b.id, Seq: 1000, Room: lobby, Client: "owner"}
		b.check(b.nc.Publish(bus.CommandSubject(bus.Partition(lobby)), late.Append(nil)))
		time.Sleep(time.Second)
		b.nc.Close()
		time.Sleep(window - time.Second)
		a.eventsOf(lobby, 1) // a's own join: nobody has left
		a.must(bus.Exists, bus.Create, lobby, "guest")
		time.Sleep(5 * time.Second)
		if e := a.eventsOf(lobby, 2)[1]; e.Kind != bus.Closed {
			t.Errorf("event %+v", e)
		}
	})
}

func TestPingsKeepASilentGateway(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		two(t, a, b)
		b.stop()
		<-b.done // no heartbeats any more
		pings, err := b.nc.Subscribe(bus.PingSubject(b.id), func(m *nats.Msg) { _ = m.Respond(nil) })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		a.eventsOf(lobby, 1)
		if err := pings.Unsubscribe(); err != nil { // the other subscription is not read, but is there
			t.Fatal(err)
		}
		if e := a.eventsOf(lobby, 2)[1]; e.Kind != bus.Closed {
			t.Errorf("event %+v", e)
		}
	})
}

func TestALeavingGatewayIsGoneAtOnce(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		two(t, a, b)
		left := time.Now()
		b.stop()
		<-b.done
		b.heartbeat(true)
		if e := a.eventsOf(lobby, 2)[1]; e.Kind != bus.Closed {
			t.Errorf("event %+v", e)
		}
		if took := time.Since(left); took > 0 {
			t.Errorf("took %v", took)
		}
	})
}

func TestAGatewayThatComesBackIsAskedWhatItHolds(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		a, b := newGateway(t, srv), newGateway(t, srv)
		two(t, a, b)
		b.asked(-1, 1)
		b.hang()
		a.eventsOf(lobby, 2)
		b.mute, b.done = false, make(chan struct{})
		go b.run(t.Context())
		b.asked(-1, 2)
		c := b.announce(bus.Partition(lobby), bus.Announce{Full: true, Rooms: []bus.AnnouncedRoom{{Room: lobby, Owner: "owner", Members: []bus.Member{{Client: "owner"}}}}})
		if len(c.Rooms) != 1 || !c.Rooms[0].Gone {
			t.Errorf("correction %+v", c)
		}
		b.stop = func() {}
		synctest.Wait()
	})
}

// stallable is a server whose connections can be made silent: what it sends is held back. (What is sent to it is not,
// because nats.go writes under a lock, and a bubble's time stands still while a lock is waited for.)
type stallable struct {
	nats.InProcessConnProvider
	gate *gate
}

func (s stallable) InProcessConn() (net.Conn, error) {
	c, err := s.InProcessConnProvider.InProcessConn()
	s.gate.last = c
	return newStallableConn(c, s.gate), err
}

type stallableConn struct {
	net.Conn
	gate   *gate
	reads  int
	close  sync.Once
	closed chan struct{}
}

func newStallableConn(c net.Conn, g *gate) *stallableConn {
	return &stallableConn{Conn: c, gate: g, closed: make(chan struct{})}
}

func (c *stallableConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	// nats.go connects under a lock too: what the server says first is not held back.
	if c.reads++; c.reads <= 2 {
		return n, err
	}
	select {
	case <-c.gate.open():
	case <-c.closed:
	}
	return n, err
}

func (c *stallableConn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

type gate struct {
	mu   sync.Mutex // guards ch
	ch   chan struct{}
	last net.Conn
}

func newGate() *gate {
	ch := make(chan struct{})
	close(ch)
	return &gate{ch: ch}
}

func (g *gate) open() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ch
}

func (g *gate) shut() (reopen func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ch := make(chan struct{})
	g.ch = ch
	return func() { close(ch) }
}

// A service that hears nothing must not conclude that everybody else is dead.
func TestACutOffServiceGivesUpNobody(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		g := newGate()
		s := start(t, rooms.Config{}, rooms.Options{InProcess: stallable{srv.Provider(), g}, Fresh: true})
		s.ready(t)
		a, b := newGateway(t, srv), newGateway(t, srv)
		two(t, a, b)
		time.Sleep(3 * time.Second)
		reopen := g.shut()
		time.Sleep(8 * time.Second)
		reopen()
		a.asked(bus.Partition(lobby), 1)
		time.Sleep(20 * time.Second)
		a.eventsOf(lobby, 1)
		// It has not become blind to real deaths.
		b.kill()
		a.eventsOf(lobby, 2)
	})
}

// While NATS comes back, others may come back later than we.
func TestAGatewayIsGivenTimeToReconnect(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		c := newCluster(t)
		s := start(t, rooms.Config{}, rooms.Options{InProcess: c, Fresh: true})
		s.ready(t)
		a := c.gateway()
		late := &instance{c: c, gate: newGate()}
		b := gatewayOn(t, natstest.ConnectWith(t, natsbus.Config{}, natsbus.Options{InProcess: late}))
		two(t, a, b)
		c.stopNATS()
		late.cut(true)
		c.startNATS()
		time.Sleep(4 * time.Second)
		a.eventsOf(lobby, 1)
		late.cut(false)
		time.Sleep(10 * time.Second)
		a.eventsOf(lobby, 1)
		late.cut(true) // this time it does not come back
		a.eventsOf(lobby, 2)
	})
}

// What was sent into a connection that broke may be lost: gateways are asked to compare.
func TestAfterAReconnectGatewaysAreAsked(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		g := newGate()
		s := start(t, rooms.Config{}, rooms.Options{InProcess: stallable{srv.Provider(), g}, Fresh: true})
		s.ready(t)
		a, b := newGateway(t, srv), newGateway(t, srv)
		two(t, a, b)
		if err := g.last.Close(); err != nil {
			t.Fatal(err)
		}
		for p := range bus.Partitions {
			a.asked(p, 1)
		}
		time.Sleep(20 * time.Second)
		a.eventsOf(lobby, 1)
	})
}

func TestDigestsTellWhatHasChanged(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		fresh(t, srv)
		a := newGateway(t, srv)
		a.must(bus.Done, bus.Create, lobby, "owner")
		time.Sleep(3 * bus.DigestInterval)
		if len(a.digests) > 0 {
			t.Errorf("digests %+v of a room that nobody but its owner knows", a.digests)
		}
		joined := a.must(bus.Done, bus.Join, lobby, "guest")
		a.await("a digest", func() bool { return len(a.digests) == 1 })
		d := a.digests[0]
		if d.Partition != bus.Partition(lobby) || d.Epoch != joined.Epoch || len(d.Rooms) != 1 || d.Rooms[0] != (bus.RoomVersion{Room: lobby, Version: joined.Version}) {
			t.Errorf("digest %+v", d)
		}
		a.must(bus.Done, bus.Leave, lobby, "owner")
		a.await("a digest", func() bool { return len(a.digests) == 2 })
		if d := a.digests[1]; d.Rooms[0] != (bus.RoomVersion{Room: lobby, Version: joined.Version + 1, Closed: true}) {
			t.Errorf("digest %+v", d)
		}
		time.Sleep(3 * bus.DigestInterval)
		if len(a.digests) != 2 {
			t.Errorf("digests %+v without a change", a.digests)
		}
	})
}
