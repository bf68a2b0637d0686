package gateway_test

import (
	"testing"
	"time"

	"signalling/api/bus"
)

// A correction makes the view of a room true, and clients are told the difference, once.

// broken is a room with alice and bob of this gateway, whose repair is under way: what changes before it was lost.
func broken(w *world, change func(r *room)) (r *room, alice, bob *client, a *announce) {
	w.t.Helper()
	alice, bob = w.connect(), w.connect()
	r = w.owner.open(lobby, alice)
	r.letIn(bob)
	alice.expect(clientJoined(lobby, bob))
	change(r)
	r.add(stranger("last"), "elsewhere", 1)
	r.publish(r.remove(stranger("last")))
	return r, alice, bob, w.owner.expectRepair(lobby)
}

func TestCorrectionSame(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(*room) {})
		w.owner.correct(a, r.same())
		r.enters(stranger("carol"), "elsewhere") // the version was taken over
		alice.expect(clientJoined(lobby, stranger("carol")))
		bob.expect(clientJoined(lobby, stranger("carol")))
		w.quiet()
	})
}

// "Same" is about the view that was announced. If that has changed since, it says nothing.
func TestCorrectionSameAfterAChange(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		w.owner.send(bus.ResyncOneSubject(w.hub.ID()), &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a := w.owner.expectAnnounce(lobby)
		r.enters(stranger("bob"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("bob")))
		r.remove(stranger("bob"))    // lost
		w.owner.correct(a, r.same()) // alice alone, as announced
		a = w.owner.expectRepair(lobby)
		w.owner.correct(a, r.as())
		alice.expect(clientLeft(lobby, stranger("bob")))
		w.quiet()
	})
}

func TestCorrectionGone(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(*room) {})
		w.owner.correct(a, r.gone())
		alice.expect(kicked(lobby))
		bob.expect(kicked(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestCorrectionOfARoomThatIsAnotherNow(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(r *room) {
			r.end()
			r.Version += 2
			r.Born, r.Owner = r.Stamp, "olga"
			r.add(stranger("olga"), "elsewhere", 1)
		})
		w.owner.correct(a, r.as())
		alice.expect(kicked(lobby))
		bob.expect(kicked(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestCorrectionOlderThanTheView(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(*room) {})
		w.owner.correct(a, r.as())
		r.enters(stranger("carol"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("carol")))
		bob.expect(clientJoined(lobby, stranger("carol")))
		w.owner.send(bus.ResyncOneSubject(w.hub.ID()), &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
		a = w.owner.expectAnnounce(lobby)
		old := *r
		r.enters(stranger("dave"), "elsewhere")
		w.owner.correct(a, old.as())
		alice.expect(clientJoined(lobby, stranger("dave")))
		bob.expect(clientJoined(lobby, stranger("dave")))
		w.quiet()
	})
}

// Members come back in the owner's order: it is the order that a later joiner is told.
func TestCorrectionKeepsTheJoinOrder(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(r *room) {
			r.add(stranger("carol"), "elsewhere", 1)
			r.Members[1], r.Members[2] = r.Members[2], r.Members[1]
		})
		w.owner.correct(a, r.as())
		alice.expect(clientJoined(lobby, stranger("carol")))
		bob.expect(clientJoined(lobby, stranger("carol")))
		dave := w.connect()
		dave.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, dave)
		r.publish(r.add(dave, c.Gateway, c.Seq))
		r.answer(c)
		dave.expect(joined(lobby, alice, alice, stranger("carol"), bob))
	})
}

// Who has left and come back unseen stands at another place than before. Clients know the order by what they are told, so
// they are told of both.
func TestCorrectionOfAMemberThatCameBack(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		carol, dave := stranger("carol"), stranger("dave")
		r, alice, bob := pair(w)
		for _, who := range []stranger{carol, dave} {
			r.enters(who, "elsewhere")
			alice.expect(clientJoined(lobby, who))
			bob.expect(clientJoined(lobby, who))
		}
		resync := func() {
			w.owner.send(bus.ResyncSubject, &bus.Resync{Partition: bus.Partition(lobby), Epoch: w.owner.epoch})
			w.owner.correct(w.owner.expectAnnounce(lobby), r.as())
		}
		r.remove(carol)
		r.add(carol, "elsewhere", 2)
		resync()
		for _, c := range []*client{alice, bob} {
			c.expect(clientLeft(lobby, carol))
			c.expect(clientJoined(lobby, carol))
		}
		r.remove(carol) // the last one comes back to where it was: there is no difference
		r.add(carol, "elsewhere", 3)
		resync()
		w.quiet()
		alice.expectNothing()
		bob.expectNothing()
		r.remove(carol)
		r.add(stranger("erin"), "elsewhere", 4) // known after carol at first
		r.add(carol, "elsewhere", 5)
		resync()
		for _, c := range []*client{alice, bob} {
			c.expect(clientLeft(lobby, carol))
			c.expect(clientJoined(lobby, stranger("erin")))
			c.expect(clientJoined(lobby, carol))
		}
		w.quiet()
	})
}

func TestCorrectionRetry(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(*room) {})
		w.owner.correction(a, &bus.Correction{Retry: true, Last: true, Epoch: w.owner.epoch})
		again := w.owner.expectRepair(lobby)
		within(t, "announcing again", again.at.Sub(a.at), 0, 600*time.Millisecond)
		w.owner.correct(again, r.gone())
		alice.expect(kicked(lobby))
		bob.expect(kicked(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestNoCorrection(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(*room) {})
		again := w.owner.expectRepair(lobby)
		within(t, "announcing again", again.at.Sub(a.at), 2*time.Second, 2500*time.Millisecond)
		w.owner.correct(a, r.gone()) // too late: another one is asked for
		w.quiet()
		w.owner.correct(again, r.gone())
		alice.expect(kicked(lobby))
		bob.expect(kicked(lobby))
		w.holdsNothing()
	})
}

func TestACorrectionOfALowerEpochIsNotBelieved(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, a := broken(w, func(*room) {})
		w.owner.correction(a, &bus.Correction{Last: true, Epoch: w.owner.epoch - 1, Rooms: []bus.CorrectedRoom{r.gone()}})
		// The room is asked for again, and everything announced, so that the owner learns that it was followed.
		one, two := w.owner.takeAnnounce(), w.owner.takeAnnounce()
		if one.Full == two.Full {
			t.Errorf("got %+v and %+v, want one in full and one not", one.Announce, two.Announce)
		}
		w.owner.correct(one, r.same())
		w.owner.correct(two, r.same())
		r.publish(r.end())
		alice.expect(kicked(lobby))
		bob.expect(kicked(lobby))
		w.quiet()
	})
}

// samePartition returns n room names of one partition.
func samePartition(n int) []string {
	list := []string{"room-0"}
	for i := 1; len(list) < n; i++ {
		if name := "room-" + number(i); bus.Partition(name) == bus.Partition(list[0]) {
			list = append(list, name)
		}
	}
	return list
}

func TestCorrectionInParts(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		var rooms []*room
		for _, name := range samePartition(3) {
			rooms = append(rooms, w.owner.open(name, alice))
		}
		for _, r := range rooms {
			r.add(stranger("bob"), "elsewhere", 1) // lost
		}
		resync := &bus.Resync{Partition: bus.Partition(rooms[0].name), Epoch: w.owner.epoch}
		w.owner.send(bus.ResyncSubject, resync)
		a := w.owner.expectAnnounce(rooms[0].name)
		for n, r := range rooms {
			last := n == len(rooms)-1
			w.owner.correction(a, &bus.Correction{Part: uint64(n), Last: last, Epoch: w.owner.epoch, Rooms: []bus.CorrectedRoom{r.as()}})
			alice.expect(clientJoined(r.name, stranger("bob")))
		}
		w.quiet()
		if n := w.hub.Stats().Announcements; n != 0 {
			t.Errorf("%d announcements wait", n)
		}

		for _, r := range rooms {
			r.remove(stranger("bob")) // lost
		}
		w.owner.send(bus.ResyncSubject, resync)
		a = w.owner.expectAnnounce(rooms[0].name)
		// The part in the middle is lost: everything is announced again.
		for n, r := range rooms {
			if n != 1 {
				w.owner.correction(a, &bus.Correction{Part: uint64(n), Last: n == 2, Epoch: w.owner.epoch, Rooms: []bus.CorrectedRoom{r.as()}})
				alice.expect(clientLeft(r.name, stranger("bob")))
			}
		}
		again := w.owner.expectAnnounce(rooms[0].name)
		within(t, "announcing again", again.at.Sub(a.at), 0, 2500*time.Millisecond)
		w.owner.correct(again, rooms[0].same(), rooms[1].as(), rooms[2].same())
		alice.expect(clientLeft(rooms[1].name, stranger("bob")))
		w.quiet()
	})
}
