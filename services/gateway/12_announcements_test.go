package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalling/api/bus"
	api "signalling/api/client"
)

// An announcement tells an owner what the gateway holds in its partition: when asked, when something was missed, and from
// time to time.

func TestResyncOfOnePartition(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		w.owner.heard()
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		want := bus.Announce{
			Gateway: w.hub.ID(), Seq: a.Seq, AsOf: a.Seq - bus.Partitions, Full: true, Last: true, Epoch: w.owner.epoch,
			Rooms: []bus.AnnouncedRoom{{
				Room: lobby, Stamp: r.Stamp, Born: r.Born, Owner: alice.id, Digest: r.Digest(),
				Members: []bus.Member{
					{Client: alice.id, Since: r.Members[0].Since, Seq: r.Members[0].Seq},
					{Client: bob.id, Since: r.Members[1].Since, Seq: r.Members[1].Seq},
				},
			}},
		}
		if diff := cmp.Diff(want, a.Announce); diff != "" {
			t.Errorf("announced (-want +got):\n%s", diff)
		}
		w.owner.correct(a, r.same())
		w.quiet()
		// An owner that asks wants to know who is there, and does not wait for the next heartbeat.
		if n := w.owner.heard(); n != 1 {
			t.Errorf("%d heartbeats", n)
		}
	})
}

func TestResyncOfEverything(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		w.owner.open(lobby, alice)
		w.owner.heard()
		w.owner.send(bus.ResyncOneSubject(w.hub.ID()), &bus.Resync{Partition: -1})
		seen := map[int]bool{}
		for range bus.Partitions {
			a := w.owner.takeAnnounce()
			if !a.Full || !a.Last || seen[a.partition] {
				t.Errorf("announced %+v", a.Announce)
			}
			seen[a.partition] = true
			if rooms := len(a.Rooms); (a.partition == bus.Partition(lobby)) != (rooms == 1) || rooms > 1 {
				t.Errorf("partition %d has %d rooms", a.partition, rooms)
			}
		}
		if n := w.owner.heard(); n != 1 {
			t.Errorf("%d heartbeats", n)
		}
		w.owner.expectNoAnnounce()
	})
}

// An owner of a lower epoch is told what the gateway has met, so that it learns that it is not the owner any more.
func TestResyncOfALowerEpoch(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch - 1})
		a := w.owner.expectAnnounce(lobby)
		if a.Epoch != w.owner.epoch {
			t.Errorf("announced for epoch %d", a.Epoch)
		}
		w.owner.correct(a, r.same())
		w.quiet()
	})
}

// A new owner asks everybody, and makes the rooms from what it hears.
func TestTakeover(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		carol := stranger("carol")
		r.enters(carol, "dead-gateway")
		alice.expect(clientJoined(lobby, carol))
		bob.expect(clientJoined(lobby, carol))
		w.owner.epoch += 3
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		if a.Epoch != w.owner.epoch {
			t.Errorf("announced for epoch %d, want %d", a.Epoch, w.owner.epoch)
		}
		r.remove(carol) // nobody announced carol
		r.Epoch = w.owner.epoch
		w.owner.correct(a, r.as())
		alice.expect(clientLeft(lobby, carol))
		bob.expect(clientLeft(lobby, carol))
		r.enters(stranger("dave"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("dave")))
		bob.expect(clientJoined(lobby, stranger("dave")))
		w.quiet()
	})
}

func TestADigestShowsALostLastEvent(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		rooms := samePartition(3)
		one, two := w.owner.open(rooms[0], alice), w.owner.open(rooms[1], alice)
		one.add(stranger("bob"), "elsewhere", 1) // lost
		digest := &bus.Digest{Partition: bus.Partition(rooms[0]), Epoch: w.owner.epoch, Rooms: []bus.RoomVersion{
			{Room: one.name, Version: one.Version}, {Room: two.name, Version: two.Version}, {Room: rooms[2], Version: 500},
		}}
		w.owner.send(bus.DigestSubject(digest.Partition), digest)
		a := w.owner.expectRepair(one.name)
		w.quiet() // the others are as the digest says, or not followed
		w.owner.correct(a, one.as())
		alice.expect(clientJoined(one.name, stranger("bob")))

		two.end() // lost
		digest.Rooms = []bus.RoomVersion{{Room: two.name, Version: two.Version, Closed: true}}
		w.owner.send(bus.DigestSubject(digest.Partition), digest)
		w.owner.correct(w.owner.expectRepair(two.name), two.gone())
		alice.expect(kicked(two.name))
		w.quiet()
	})
}

func TestADigestOfALowerEpochIsNotBelieved(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		w.owner.send(bus.DigestSubject(bus.Partition(lobby)), &bus.Digest{
			Partition: bus.Partition(lobby), Epoch: w.owner.epoch - 1, Rooms: []bus.RoomVersion{{Room: lobby, Version: 500}},
		})
		w.owner.correct(w.owner.expectAnnounce(lobby), r.same()) // instead of a repair: see TestResyncOfALowerEpoch
		w.quiet()
	})
}

func TestAnnouncementsFromTimeToTime(t *testing.T) {
	const interval = 30 * time.Second
	scene(t, func(t *testing.T, w *world) {
		last := map[int]time.Time{}
		moments := 0
		var previous time.Time
		started := time.Now()
		for time.Since(started) < 5*time.Minute {
			a := w.owner.takeAnnounce()
			w.owner.correct(a)
			if at, ok := last[a.partition]; ok {
				within(t, "the next announcement", a.at.Sub(at), interval/2, interval*3/2+tick)
			}
			last[a.partition] = a.at
			if !a.at.Equal(previous) {
				moments++
			}
			previous = a.at
		}
		if len(last) != bus.Partitions {
			t.Errorf("%d partitions were announced", len(last))
		}
		if most := int(5*time.Minute/interval+1) * 12; moments > most { // 12 groups in each interval
			t.Errorf("announcements at %d moments, want %d at most", moments, most)
		}
	}, func(s *settings) { s.hub.AnnounceInterval = interval })
}

func TestAFullAnnouncementWithoutACorrectionIsRepeated(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		again := w.owner.expectAnnounce(lobby)
		within(t, "announcing again", again.at.Sub(a.at), 2*time.Second, 2*time.Second+tick)
		if again.Seq == a.Seq {
			t.Error("announced again under the same number")
		}
		w.owner.correction(again, &bus.Correction{Retry: true, Last: true})
		third := w.owner.expectAnnounce(lobby)
		within(t, "announcing again", third.at.Sub(again.at), tick/2, 3*tick)
		w.owner.correct(a, r.gone()) // late, and overtaken
		w.quiet()
		w.owner.correct(third, r.same())
		pass(10 * time.Second)
		w.quiet()
		if s := w.hub.Stats(); s.Announcements != 0 {
			t.Errorf("the gateway holds %+v", s)
		}
	})
}

func TestNobodyTakesAnnouncements(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		w.owner.die()
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		pass(10 * time.Second)
		w.owner.listen()
		a := w.owner.expectAnnounce(lobby)
		w.owner.correct(a, r.same())
		w.quiet()
	})
}

// What does not fit into one message is announced in parts. Names of control characters take six times their size.
func TestAnAnnouncementInParts(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		var want []string
		for n := 0; len(want) < 600; n++ {
			name := number(n) + strings.Repeat("\x01", 250-len(number(n)))
			if bus.Partition(name) != 0 {
				continue
			}
			want = append(want, name)
			alice.create(name)
			c := w.owner.expectCommand(bus.Create, name, alice)
			r := w.owner.found(name, alice, c.Gateway)
			r.answer(c)
			alice.expect(created(name))
		}
		w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: 0, Epoch: w.owner.epoch})
		got := map[string]bool{}
		var parts []*announce
		for {
			a := w.owner.takeAnnounce()
			if a.bytes > bus.MaxPartBytes || !a.Full || a.Part != uint64(len(parts)) || len(a.Rooms) == 0 {
				t.Fatalf("part %d: %d bytes, full %v, part %d, %d rooms", len(parts), a.bytes, a.Full, a.Part, len(a.Rooms))
			}
			if len(parts) > 0 && (a.Seq != parts[0].Seq || a.AsOf != parts[0].AsOf) {
				t.Fatalf("part %d has number %d as of %d", len(parts), a.Seq, a.AsOf)
			}
			for i := range a.Rooms {
				got[a.Rooms[i].Room] = true
			}
			parts = append(parts, a)
			if a.Last {
				break
			}
		}
		if len(parts) < 2 || len(got) != len(want) {
			t.Errorf("%d rooms in %d parts, want %d", len(got), len(parts), len(want))
		}
		var same []bus.CorrectedRoom
		for _, name := range want {
			same = append(same, w.owner.room(name).same())
		}
		w.owner.correct(parts[0], same[:100]...)
		w.quiet()
	})
}

// After the connection to NATS was away, all partitions are announced, and what was on its way is sent again.
func TestReconnect(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		carol := w.connect()
		carol.create("other")
		c := w.owner.expectCommand(bus.Create, "other", carol)
		alice.signal(lobby, bob, `1`)
		alice.signal(lobby, bob, `2`)
		p.expectSignal(1)
		p.expectSignal(2)
		w.owner.heard()
		started := time.Now()
		if err := w.nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for range bus.Partitions {
			a := w.owner.takeAnnounce()
			seen[a.partition] = a.Full && a.Last
			switch a.partition {
			case bus.Partition(lobby):
				r.remove(bob) // meanwhile
				w.owner.correct(a, r.as())
			case bus.Partition("other"):
				if u := a.room("other").Unsettled; len(u) != 1 || u[0] != carol.id {
					t.Errorf("unsettled %v", u)
				}
				w.owner.correct(a, bus.CorrectedRoom{Room: "other", Gone: true})
			default:
				w.owner.correct(a)
			}
		}
		if len(seen) != bus.Partitions {
			t.Errorf("%d partitions were announced", len(seen))
		}
		c = w.owner.expectAgain(c)
		p.expectSignal(1)
		p.expectSignal(2)
		if n := w.owner.heard(); n == 0 {
			t.Error("no heartbeat")
		}
		within(t, "coming back", time.Since(started), 0, time.Second)
		p.ack(2)
		w.owner.result(c, bus.Exists)
		carol.expect(exists("other"))
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
	})
}

// While NATS is away nothing is queued for later, and commands are tried again as soon as it is back.
func TestNothingIsAppliedAfterItsTime(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		w.owner.die()
		alice.do(api.RoomCreate, lobby, "1")
		alice.expectID("1", unavailable())
		w.owner.listen()
		a := w.owner.expectAnnounce(lobby)
		w.owner.correct(a)
		pass(10 * time.Second)
		w.quiet()
		w.holdsNothing()
	})
}

func TestPings(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		if _, err := w.owner.nc.Request(bus.PingSubject(w.hub.ID()), nil, time.Second); err != nil {
			t.Error(err)
		}
	})
}

// The last heartbeat says that all members are gone.
func TestTheLastHeartbeat(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		settle()
		w.owner.heard()
		w.hub.Stop()
		settle()
		m := receive(t, w.owner.heartbeats, "heartbeat")
		var h bus.Heartbeat
		if err := h.Decode(m.Data); err != nil || !h.Leaving || h.Gateway != w.hub.ID() {
			t.Errorf("heartbeat %+v, %v", h, err)
		}
		pass(10 * time.Second)
		if n := w.owner.heard(); n != 0 {
			t.Errorf("%d more heartbeats", n)
		}
	})
}

// A hub that has stopped sends nothing more, though commands and acknowledgements were waiting.
func TestAStoppedHubIsSilent(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, p, bob := apart(w)
		alice.join("other")
		w.owner.result(w.owner.expectCommand(bus.Join, "other", alice), bus.Retry)
		p.publish(p.next(r, bob, alice, `1`))
		alice.expect(received(lobby, bob, `1`))
		settle()
		w.hub.Stop()
		settle()
		sent := w.nc.Stats().OutMsgs
		pass(10 * time.Second)
		if more := w.nc.Stats().OutMsgs - sent; more != 0 {
			t.Errorf("%d messages were sent", more)
		}
		if s := w.hub.Stats(); s.Requests != 0 {
			t.Errorf("the hub holds %+v", s)
		}
	})
}
