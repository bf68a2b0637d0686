package rooms_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"signalling/api/bus"
	"signalling/pkg/natsbus/natsembed"
	"signalling/pkg/natsbus/natstest"
	"signalling/services/rooms"
)

const lobby = "lobby"

// settle is the default of ROOMS_SETTLE.
var settle = rooms.Config{}.Defaults().Settle

// restarted starts a service that was not there before, though gateways may be.
func restarted(t *testing.T, srv *natsembed.Server) *running {
	t.Helper()
	return start(t, rooms.Config{}, rooms.Options{InProcess: srv.Provider()})
}

// announcing answers every question for the lobby's partition with a full announcement of the rooms, and every other
// partition with an empty one. It returns the last correction of the lobby's partition.
func (g *fakeGateway) announceAll(rooms ...bus.AnnouncedRoom) bus.Correction {
	g.t.Helper()
	var lobbys bus.Correction
	for p := range bus.Partitions {
		a := bus.Announce{Full: true}
		if p == bus.Partition(lobby) {
			a.Rooms = rooms
		}
		if c := g.announce(p, a); p == bus.Partition(lobby) {
			lobbys = c
		}
	}
	return lobbys
}

func TestARestartedServiceLearnsItsRooms(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		a, b := newGateway(t, srv), newGateway(t, srv)
		began := time.Now()
		s := restarted(t, srv)
		a.asked(bus.Partitions-1, 1)
		born := bus.Stamp{Epoch: 1, Version: 10}
		view := bus.Roster{Stamp: bus.Stamp{Epoch: 1, Version: 12}, Born: born, Owner: "owner", Members: []bus.Member{
			{Client: "owner", Gateway: a.id, Since: 10, Seq: 1}, {Client: "guest", Gateway: b.id, Since: 12, Seq: 1},
		}}
		room := func(member int, digest uint64) bus.AnnouncedRoom {
			return bus.AnnouncedRoom{Room: lobby, Stamp: view.Stamp, Born: born, Owner: "owner", Digest: digest, Members: view.Members[member : member+1]}
		}
		// While it recovers, commands are answered at once, and answered with "retry".
		if ans, ok := a.send(bus.Command{Op: bus.Join, Room: lobby, Client: "x", Seq: 99}); !ok || ans.Result != bus.Retry || ans.Epoch == 0 {
			t.Errorf("answer %+v, %v", ans, ok)
		}
		if c := a.announce(bus.Partition(lobby), bus.Announce{}); !c.Retry {
			t.Errorf("a partial announcement is corrected: %+v", c)
		}
		if time.Since(began) > 100*time.Millisecond {
			t.Errorf("something was held for %v", time.Since(began))
		}
		done := make(chan bus.Correction, 1)
		go func() { done <- b.announceAll(room(1, 1)) }()
		c := a.announceAll(room(0, view.Digest()))
		if took := time.Since(began); took < settle || took > 2*time.Second {
			t.Errorf("recovery took %v", took)
		}
		if len(c.Rooms) != 1 || !c.Rooms[0].Same || c.Rooms[0].Born != born || c.Epoch <= 1 || c.Rooms[0].Epoch != c.Epoch || c.Rooms[0].Version <= 12 {
			t.Errorf("correction %+v", c)
		}
		c = <-done
		if len(c.Rooms) != 1 || c.Rooms[0].Same || len(c.Rooms[0].Members) != 2 || c.Rooms[0].Members[1].Client != "guest" {
			t.Errorf("correction %+v", c)
		}
		s.ready(t)
		if ans := b.must(bus.Done, bus.Join, lobby, "third"); len(ans.Members) != 3 || ans.Owner != "owner" || ans.Born != born {
			t.Errorf("answer %+v", ans)
		}
	})
}

func TestRecoveryWaitsForAGatewayThatLives(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		newGateway(t, srv) // never announces
		b := newGateway(t, srv)
		began := time.Now()
		s := restarted(t, srv)
		b.asked(bus.Partitions-1, 1)
		c := b.announceAll()
		if took := time.Since(began); took < 9*time.Second || took > 10*time.Second {
			t.Errorf("recovery took %v, want three windows", took)
		}
		if c.Retry {
			t.Errorf("correction %+v", c)
		}
		s.ready(t)
	})
}

func TestRecoveryDoesNotWaitForAGatewayThatDies(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		a, b := newGateway(t, srv), newGateway(t, srv)
		began := time.Now()
		restarted(t, srv)
		a.asked(bus.Partitions-1, 1)
		a.kill()
		b.announceAll()
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Errorf("recovery took %v", took)
		}
	})
}

// What a gateway has announced before it died is not brought back to life.
func TestTheDeadAreNotRecovered(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		a, b := newGateway(t, srv), newGateway(t, srv)
		s := restarted(t, srv)
		a.asked(bus.Partitions-1, 1)
		room := bus.AnnouncedRoom{Room: lobby, Born: bus.Stamp{Epoch: 1, Version: 1}, Owner: "owner", Members: []bus.Member{{Client: "owner", Since: 1, Seq: 1}}}
		ann := bus.Announce{Gateway: a.id, Seq: 1, Full: true, Last: true, Rooms: []bus.AnnouncedRoom{room}}
		if err := a.nc.Publish(bus.AnnounceSubject(bus.Partition(lobby)), ann.Append(nil)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a.kill()
		time.Sleep(2 * time.Second) // it is given up
		b.announceAll()
		s.ready(t)
		b.must(bus.NotExists, bus.Join, lobby, "guest")
	})
}

func TestAnAnnouncementInParts(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		a := newGateway(t, srv)
		s := restarted(t, srv)
		a.asked(bus.Partitions-1, 1)
		var parts []bus.Announce
		n := 0
		for part := range 3 {
			p := bus.Announce{Full: true}
			for len(p.Rooms) < 10 {
				n++
				if name := fmt.Sprint("room ", n); bus.Partition(name) == 0 {
					m := bus.Member{Client: fmt.Sprint("c", n), Since: uint64(n)}
					p.Rooms = append(p.Rooms, bus.AnnouncedRoom{Room: name, Born: bus.Stamp{Epoch: 1, Version: 1}, Owner: m.Client, Members: []bus.Member{m}})
				}
			}
			p.Part = uint64(part)
			parts = append(parts, p)
		}
		done := make(chan bus.Correction, 1)
		go func() { done <- a.announce(0, parts...) }()
		for p := 1; p < bus.Partitions; p++ {
			a.resyncAnswer(p)
		}
		c := <-done
		if c.Retry || len(c.Rooms) != 30 || c.Rooms[0].Room != parts[0].Rooms[0].Room || c.Rooms[29].Gone {
			t.Errorf("correction of %d rooms: %+v", len(c.Rooms), c)
		}
		s.ready(t)
		// Parts without all of those before them.
		for i, numbers := range [][]uint64{{1}, {0, 2}, {0, 1, 3}} {
			seq := uint64(7000 + i)
			a.mu.Lock()
			a.parts[seq] = nil
			a.mu.Unlock()
			for _, n := range numbers {
				part := bus.Announce{Gateway: a.id, Seq: seq, Part: n, Last: n == numbers[len(numbers)-1], Full: true}
				if err := a.nc.PublishRequest(bus.AnnounceSubject(0), bus.AnswerSubject(a.id, seq), part.Append(nil)); err != nil {
					t.Fatal(err)
				}
			}
			a.await("a correction", func() bool { return len(a.parts[seq]) == 1 })
			if c := a.parts[seq][0]; !c.Retry || !c.Last {
				t.Errorf("parts %d: correction %+v", numbers, c)
			}
		}
	})
}

// resyncAnswer announces without waiting for the correction.
func (g *fakeGateway) resyncAnswer(partition int) {
	g.t.Helper()
	a := bus.Announce{Gateway: g.id, Seq: 1 << 30, Full: true, Last: true}
	if err := g.nc.Publish(bus.AnnounceSubject(partition), a.Append(nil)); err != nil {
		g.t.Fatal(err)
	}
}

func TestAHigherEpochStartsARecovery(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := fresh(t, srv)
		a := newGateway(t, srv)
		created := a.must(bus.Done, bus.Create, lobby, "owner")
		met := created.Epoch + 1000
		if c := a.announce(bus.Partition(lobby), bus.Announce{Full: true, Epoch: met}); !c.Retry {
			t.Errorf("correction %+v", c)
		}
		a.await("a question", func() bool {
			return len(a.resyncs) > 0 && a.resyncs[len(a.resyncs)-1] == bus.Resync{Partition: bus.Partition(lobby), Epoch: met + 1}
		})
		c := a.announce(bus.Partition(lobby), bus.Announce{Full: true, Epoch: met, Rooms: []bus.AnnouncedRoom{
			{Room: lobby, Stamp: created.Stamp, Born: created.Born, Owner: "owner", Digest: created.Digest(), Members: created.Members},
		}})
		if c.Epoch != met+1 || len(c.Rooms) != 1 || !c.Rooms[0].Same || c.Rooms[0].Epoch != met+1 {
			t.Errorf("correction %+v", c)
		}
		s.ready(t)
	})
}

// What cannot have been counted is not counted on from: it would overflow.
func TestANumberThatNobodyCanHaveMetIsNotBelieved(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T) {
		srv := natstest.Run(t)
		s := start(t, rooms.Config{}, rooms.Options{InProcess: srv.Provider()})
		a := newGateway(t, srv)
		a.announcing()
		s.ready(t)
		a.must(bus.Done, bus.Create, lobby, "owner")
		before, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		high := uint64(math.MaxUint64)
		for _, m := range []bus.Announce{
			{Epoch: high},
			{Rooms: []bus.AnnouncedRoom{{Room: "r", Stamp: bus.Stamp{Epoch: 1, Version: high}}}},
			{Rooms: []bus.AnnouncedRoom{{Room: "r", Born: bus.Stamp{Epoch: 1, Version: high}}}},
			{Rooms: []bus.AnnouncedRoom{{Room: "r", Members: []bus.Member{{Client: "c", Since: high}}}}},
		} {
			m.Gateway, m.Seq, m.Full, m.Last = a.id, 1, true, true
			if err := a.nc.PublishRequest(bus.AnnounceSubject(3), bus.AnswerSubject(a.id, 1), m.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		a.must(bus.Exists, bus.Create, lobby, "other") // all were dealt with
		after, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if after.Malformed != before.Malformed+4 || after.Recoveries != before.Recoveries || after.Active != bus.Partitions {
			t.Errorf("before %+v, after %+v", before, after)
		}
	})
}
