package gateway_test

import (
	"testing"

	"signalling/api/bus"
)

// Events carry (epoch, version): the next one is applied, an older one dropped, and anything else starts a repair.

func TestTheNextEventIsApplied(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		r.enters(stranger("bob"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("bob")))
		r.publish(r.remove(stranger("bob")))
		alice.expect(clientLeft(lobby, stranger("bob")))
		r.publish(r.end())
		alice.expect(kicked(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestAnOlderEventIsDropped(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		e := r.add(stranger("bob"), "elsewhere", 1)
		r.publish(e, e)
		alice.expect(clientJoined(lobby, stranger("bob")))
		r.publish(r.remove(stranger("bob")), e)
		alice.expect(clientLeft(lobby, stranger("bob")))
		w.quiet()
	})
}

func TestAnEventOfALowerEpochIsDropped(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		e := r.add(stranger("bob"), "elsewhere", 1)
		e.Epoch--
		r.publish(e)
		end := r.end()
		end.Epoch--
		r.publish(end)
		w.quiet()
	})
}

// An owner that has been followed by another is not believed any more, not even where the new one was not heard yet.
func TestAnEventOfAnOwnerThatWasFollowedIsDropped(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		old := r.add(stranger("bob"), "elsewhere", 1)
		w.owner.epoch++
		r.Epoch++
		r.publish(r.add(stranger("carol"), "elsewhere", 1)) // of the new owner, and not the next of what is known
		a := w.owner.expectRepair(lobby)
		r.publish(old) // of the old one, and the next of what is known
		settle()
		alice.expectNothing()
		w.owner.correct(a, r.as())
		alice.expect(clientJoined(lobby, stranger("bob")), clientJoined(lobby, stranger("carol")))
		// Meeting a new epoch is a reason to announce the whole partition.
		w.owner.correct(w.owner.expectAnnounce(lobby), r.same())
		w.quiet()
	})
}

func TestAGapStartsARepair(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		r.letIn(bob)
		alice.expect(clientJoined(lobby, bob))
		known := r.Roster
		r.add(stranger("carol"), "elsewhere", 1)           // lost
		r.publish(r.add(stranger("dave"), "elsewhere", 1)) // shows it
		a := w.owner.expectRepair(lobby)
		ar := a.Rooms[0]
		if ar.Stamp != known.Stamp || ar.Born != known.Born || ar.Owner != alice.id || ar.Digest != known.Digest() || len(ar.Unsettled) != 0 {
			t.Errorf("announced %+v", ar)
		}
		if len(ar.Members) != 2 || ar.Members[0].Client != alice.id || ar.Members[1].Client != bob.id || ar.Members[1].Seq != r.Members[1].Seq {
			t.Errorf("announced members %+v", ar.Members)
		}
		r.publish(r.remove(bob)) // more comes meanwhile, and no second repair
		w.quiet()
		w.owner.correct(a, r.as())
		// Who has gone comes first, then who has come, in the order in which they joined.
		bob.expect(kicked(lobby))
		alice.expect(clientLeft(lobby, bob), clientJoined(lobby, stranger("carol")), clientJoined(lobby, stranger("dave")))
		r.enters(stranger("erin"), "elsewhere") // and on it goes
		alice.expect(clientJoined(lobby, stranger("erin")))
		w.quiet()
	})
}

func TestAnEventOfAHigherEpochStartsARepair(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		w.owner.epoch++
		r.Epoch++
		r.publish(r.add(stranger("bob"), "elsewhere", 1)) // the next version, but of another owner
		a := w.owner.expectRepair(lobby)
		if a.Epoch != r.Epoch {
			t.Errorf("announced for epoch %d, want %d", a.Epoch, r.Epoch)
		}
		w.owner.correct(a, r.as())
		alice.expect(clientJoined(lobby, stranger("bob")))
		w.owner.correct(w.owner.expectAnnounce(lobby), r.same())
		w.quiet()
	})
}

func TestAClosedRoomOfAHigherEpochIsRepairedToo(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		r.add(stranger("bob"), "elsewhere", 1)
		r.publish(r.end())
		w.owner.correct(w.owner.expectRepair(lobby), r.gone())
		alice.expect(kicked(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestEventsOfOtherRoomsOnTheSubjectAreIgnored(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		// Two names could share a token: then they share the subject and nothing else.
		other := w.owner.room("other")
		other.Owner = "olga"
		w.owner.send(bus.EventSubject(bus.Token(lobby)), other.add(stranger("bob"), "elsewhere", 1))
		w.owner.send(bus.EventSubject(bus.Token(lobby)), other.end())
		w.quiet()
		r.enters(stranger("bob"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("bob")))
	})
}

func TestWhatIsNoMessageHarmsNobody(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		for _, subject := range []string{
			bus.EventSubject(bus.Token(lobby)), bus.AnswerSubject(w.hub.ID(), 1), bus.SignalSubject(w.hub.ID()), bus.AckSubject(w.hub.ID()),
			bus.ResyncOneSubject(w.hub.ID()), bus.ResyncSubject, bus.DigestSubject(bus.Partition(lobby)),
		} {
			for _, data := range []string{"", "{", "[]", "null", "\x00\x10{}"} {
				if err := w.owner.nc.Publish(subject, []byte(data)); err != nil {
					t.Fatal(err)
				}
			}
		}
		settle()
		w.owner.skipAnnounces() // an empty object is a resync of every partition, for what it is worth
		r.enters(stranger("bob"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("bob")))
		w.quiet()
	})
}

// Rooms with many members are looked up in another way.
func TestALargeRoom(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		r := w.owner.open(lobby, alice)
		for n := range 40 {
			who := stranger("client-" + number(n))
			r.enters(who, "elsewhere")
			alice.expect(clientJoined(lobby, who))
		}
		alice.signal(lobby, alice, `1`)
		alice.signal(lobby, stranger("client-40"), `2`)
		alice.expect(received(lobby, alice, `1`), targetNotFound(lobby, stranger("client-40")))
		for _, n := range []int{0, 39, 17, 16, 15} {
			who := stranger("client-" + number(n))
			r.publish(r.remove(who))
			alice.expect(clientLeft(lobby, who))
		}
		r.enters(stranger("client-0"), "elsewhere")
		alice.expect(clientJoined(lobby, stranger("client-0")))
		for n := range 30 { // a third is lost
			if e := r.remove(stranger("client-" + number(n))); n >= 10 && n != 15 && n != 16 && n != 17 {
				r.publish(e)
			}
		}
		w.owner.correct(w.owner.expectRepair(lobby), r.as())
		for n := 1; n < 30; n++ {
			if n != 15 && n != 16 && n != 17 {
				alice.expect(clientLeft(lobby, stranger("client-"+number(n))))
			}
		}
		alice.expect(clientLeft(lobby, stranger("client-0")))
		bob := w.connect()
		bob.join(lobby)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		r.publish(r.add(bob, c.Gateway, c.Seq))
		r.answer(c)
		bob.expect(joined(lobby, alice, r.others(bob)...))
		alice.expect(clientJoined(lobby, bob))
		w.quiet()
	})
}
