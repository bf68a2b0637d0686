package contract

import (
	"maps"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// Section 1.9 of PROTOCOL.md: rooms with options.

func createWith(room string, options J) J { return with(create(room), "options", options) }

func update(room string, options J) J {
	return J{"event": "room-update", "room": room, "options": options}
}

func updated(room string, options J) J {
	return J{"event": "room-updated", "room": room, "options": options}
}
func kick(room string, c *conn) J { return J{"event": "room-kick", "room": room, "targetId": c.ID} }

func clientKicked(room string, c *conn) J {
	return J{"event": "client-kicked", "room": room, "clientId": c.ID}
}

func ownerChanged(room string, c *conn) J {
	return J{"event": "owner-changed", "room": room, "ownerId": c.ID}
}

// state is what members are told of options.
func state(loss string, locked, password bool, more J) J {
	s := J{"onOwnerLost": loss, "locked": locked, "password": password}
	maps.Copy(s, more)
	return s
}

// meetWith is meet for a room with options that let the others in.
func meetWith(t *testing.T, room string, options, told J, members ...*conn) {
	t.Helper()
	ask(t, members[0], createWith(room, options), created(room))
	for i, m := range members[1:] {
		ask(t, m, join(room), with(joined(room, members[0], members[:i+1]...), "options", told))
		for _, b := range members[:i+1] {
			b.Expect(clientJoined(room, m))
		}
	}
}

func TestOptions_ARoomWithPassword(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		ask(t, a, createWith(room, J{"password": "sesame 🔑", "metadata": J{"topic": "tea"}}), created(room))
		ask(t, b, join(room), refused("forbidden"))
		for _, wrong := range []string{"sesame", "sesame 🔑 ", "SESAME 🔑"} {
			ask(t, b, with(join(room), "password", wrong), refused("forbidden"))
		}
		told := state("close", false, true, J{"metadata": J{"topic": "tea"}})
		ask(t, b, with(join(room), "password", "sesame 🔑"), with(joined(room, a, a), "options", told))
		a.Expect(clientJoined(room, b))
		ask(t, b, join(room), with(joined(room, a, a), "options", told)) // a member needs none

		ask(t, a, update(room, J{"password": "other"}), updated(room, told))
		ask(t, c, with(join(room), "password", "sesame 🔑"), refused("forbidden"))
		ask(t, a, update(room, J{"password": nil, "metadata": nil}), updated(room, state("close", false, false, nil)))
		b.Expect(updated(room, state("close", false, false, nil))) // not before: what it is told had not changed
		ask(t, c, with(join(room), "password", "whatever"), joined(room, a, a, b))
		a.Expect(clientJoined(room, c))
		b.Expect(clientJoined(room, c))

		if strings.Contains(s.Lab.Tails(lab.Mark{}, 1<<20), "sesame") {
			t.Error("a password was logged")
		}
	})
}

func TestOptions_CapacityAndLock(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meetWith(t, room, J{"capacity": 2}, state("close", false, false, J{"capacity": 2}), a, b)
		ask(t, c, join(room), refused("room-full"))
		ask(t, b, join(room), with(joined(room, a, a), "options", state("close", false, false, J{"capacity": 2})))
		ask(t, a, update(room, J{"capacity": 1_000_000}), refused("bad-request"))
		ask(t, a, update(room, J{"capacity": 1, "locked": true}), updated(room, state("close", true, false, J{"capacity": 1})))
		b.Expect(updated(room, state("close", true, false, J{"capacity": 1}))) // and stays
		ask(t, c, join(room), refused("forbidden"))
		ask(t, a, update(room, J{"capacity": nil}), updated(room, state("close", true, false, nil)))
		b.Expect(updated(room, state("close", true, false, nil)))
		ask(t, c, join(room), refused("forbidden"))
		ask(t, a, update(room, J{"locked": true}), updated(room, state("close", true, false, nil))) // b is told nothing
		ask(t, a, update(room, J{"locked": false}), updated(room, state("close", false, false, nil)))
		b.Expect(updated(room, state("close", false, false, nil)))
		ask(t, c, join(room), joined(room, a, a, b))
		a.Expect(clientJoined(room, c))
		b.Expect(clientJoined(room, c))
		ask(t, c, createWith(s.Room(), J{"capacity": 1_000_000}), refused("bad-request"))
	})
}

func TestOptions_OnlyTheOwnerCommands(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b)
		for _, command := range []J{update(room, J{"locked": true}), kick(room, a)} {
			ask(t, b, command, refused("forbidden"))
			ask(t, c, command, notInRoom(room))
		}
		ask(t, a, kick(room, a), refused("bad-request"))
		ask(t, a, kick(room, c), targetNotFound(room, c.ID))
		ask(t, a, update(room, J{"lock": true}), refused("bad-request"))
		ask(t, a, update(room, J{"capacity": 1, "locked": "yes"}), refused("bad-request")) // nothing has changed
		ask(t, c, join(room), joined(room, a, a, b))
	})
}

func TestOptions_AKickedClientCannotComeBack(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
		meet(t, room, a, b, c)
		a.Emit(with(kick(room, b), "id", 7))
		a.Expect(clientLeft(room, b), with(clientKicked(room, b), "id", 7))
		b.Expect(kicked(room))
		c.Expect(clientLeft(room, b))
		ask(t, b, signal(room, c.ID, 1), notInRoom(room))
		ask(t, b, join(room), refused("forbidden"))
		ask(t, a, kick(room, b), clientKicked(room, b)) // it is so already
		ask(t, c, join(room), joined(room, a, a))       // a plain room as before
		d := s.Connect()
		ask(t, d, join(room), joined(room, a, a, c))
		a.Expect(clientJoined(room, d))
		c.Expect(clientJoined(room, d))

		// Another room of the same name is another room.
		ask(t, a, leave(room), left(room))
		c.Expect(kicked(room))
		ask(t, c, create(room), created(room))
		ask(t, b, join(room), joined(room, c, c))
	})
}

func TestOptions_TransferToTheLongestMember(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			labtest.ForEachSite(t, func(t *testing.T, s *site) {
				room, a, b, c := s.Room(), s.Connect(), s.Connect(), s.Connect()
				told := state("transfer", false, false, nil)
				meetWith(t, room, J{"onOwnerLost": "transfer"}, told, a, b, c)
				end.by(t, room, a)
				for _, m := range []*conn{b, c} {
					m.Expect(clientLeft(room, a), ownerChanged(room, b))
				}
				ask(t, c, kick(room, b), refused("forbidden"))
				ask(t, b, update(room, J{"locked": true}), updated(room, state("transfer", true, false, nil)))
				c.Expect(updated(room, state("transfer", true, false, nil)))
				ask(t, b, update(room, J{"locked": false, "onOwnerLost": "close"}), updated(room, state("close", false, false, nil)))
				c.Expect(updated(room, state("close", false, false, nil)))
				d := s.Connect()
				ask(t, d, join(room), joined(room, b, b, c))
				c.Expect(clientJoined(room, d))
				b.Expect(clientJoined(room, d))
				end.by(t, room, b)
				c.Expect(kicked(room))
				d.Expect(kicked(room))
			})
		})
	}
}

func TestOptions_TheLastMemberEndsTheRoom(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		for _, loss := range []string{"transfer", "grace"} {
			room, a, b := s.Room(), s.Connect(), s.Connect()
			meetWith(t, room, J{"onOwnerLost": loss}, state(loss, false, false, nil), a, b)
			a.Close()
			b.Expect(clientLeft(room, a))
			if loss == "transfer" {
				b.Expect(ownerChanged(room, b))
			}
			ask(t, b, leave(room), left(room))
			ask(t, b, create(room), created(room))
		}
	})
}

func TestOptions_TheOwnerComesBackWithItsKey(t *testing.T) {
	labtest.ForEachSite(t, func(t *testing.T, s *site) {
		room, a, b, other := s.Room(), s.Connect(), s.Connect(), s.Connect()
		options := J{"onOwnerLost": "grace", "ownerKey": "the key"}
		told := state("grace", false, false, nil)
		meetWith(t, room, options, told, a, b)
		ask(t, other, with(join(room), "ownerKey", "no key"), refused("forbidden"))
		ask(t, a, update(room, J{"locked": true, "password": "p"}), updated(room, state("grace", true, true, nil)))
		b.Expect(updated(room, state("grace", true, true, nil)))
		told = state("grace", true, true, nil)

		a.Abort()
		b.Expect(clientLeft(room, a))
		ask(t, b, update(room, J{"locked": false}), refused("forbidden")) // nobody owns it now
		b.Emit(join(room))
		b.Expect(J{"event": "room-joined", "room": room, "ownerId": a.ID, "clients": []string{}, "options": told})

		again := s.Connect()
		again.Emit(with(join(room), "ownerKey", "the key"))
		again.Expect(with(joined(room, again, b), "options", told))
		b.Expect(clientJoined(room, again), ownerChanged(room, again))

		// Before its old connection is known to be dead, and as a member already.
		third := s.Connect()
		third.Emit(with(join(room), "ownerKey", "the key"))
		third.Expect(with(joined(room, third, b, again), "options", told))
		for _, m := range []*conn{b, again} {
			m.Expect(clientJoined(room, third), ownerChanged(room, third))
		}
		again.Abort()
		b.Expect(clientLeft(room, again))
		third.Expect(clientLeft(room, again))
		b.Emit(with(join(room), "ownerKey", "the key"))
		b.Expect(ownerChanged(room, b), with(joined(room, b, third), "options", told))
		third.Expect(ownerChanged(room, b))

		ask(t, b, leave(room), left(room)) // by its own word: it is not waited for
		third.Expect(kicked(room))
	})
}

func TestOptions_ARoomGivesItsOwnerUp(t *testing.T) {
	s := labtest.PrivateOneProcess(t, "ROOMS_OWNER_GRACE=1s")
	room, a, b := s.Room(), s.Connect(), s.Connect()
	meetWith(t, room, J{"onOwnerLost": "grace", "ownerKey": "k"}, state("grace", false, false, nil), a, b)
	before := time.Now() // however late this test learns of things, it was not sooner
	a.Close()
	b.Expect(clientLeft(room, a), kicked(room))
	if d := time.Since(before); d < time.Second {
		t.Errorf("the room has waited for %v only", d)
	}
	ask(t, b, create(room), created(room))
}

// Options, owners and bans outlive every instance that knows them but the gateways.
func TestOptions_OutliveTheRoomsService(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	room, waiting, moved := s.Room(), s.Room(), s.Room()
	a, b, c, d := s.ConnectAt(0), s.ConnectAt(1), s.ConnectAt(0), s.ConnectAt(1)
	meetWith(t, room, J{"password": "p", "metadata": "m", "onOwnerLost": "close"}, nil, a)
	ask(t, b, with(join(room), "password", "p"), with(joined(room, a, a), "options", state("close", false, true, J{"metadata": "m"})))
	ask(t, c, with(join(room), "password", "p"), with(joined(room, a, a, b), "options", state("close", false, true, J{"metadata": "m"})))
	a.Expect(clientJoined(room, b), clientJoined(room, c))
	b.Expect(clientJoined(room, c))
	a.Emit(kick(room, c))
	a.Expect(clientLeft(room, c), clientKicked(room, c))
	b.Expect(clientLeft(room, c))
	c.Expect(kicked(room))

	owner := s.ConnectAt(0)
	meetWith(t, waiting, J{"onOwnerLost": "grace", "ownerKey": "k"}, state("grace", false, false, nil), owner, b)
	meetWith(t, moved, J{"onOwnerLost": "transfer"}, state("transfer", false, false, nil), owner, b)
	owner.Abort()
	b.ExpectSet(clientLeft(waiting, owner), clientLeft(moved, owner), ownerChanged(moved, b))

	if err := s.Rooms.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Rooms.Start(labtest.Context(t)); err != nil {
		t.Fatal(err)
	}

	ask(t, c, with(join(room), "password", "p"), refused("forbidden"))
	ask(t, d, with(join(room), "password", "q"), refused("forbidden"))
	ask(t, d, with(join(room), "password", "p"), with(joined(room, a, a, b), "options", state("close", false, true, J{"metadata": "m"})))
	a.Expect(clientJoined(room, d))
	b.Expect(clientJoined(room, d))
	ask(t, b, update(moved, J{"locked": true}), updated(moved, state("transfer", true, false, nil)))
	ask(t, d, with(join(waiting), "ownerKey", "k"), with(joined(waiting, d, b), "options", state("grace", false, false, nil)))
	b.Expect(clientJoined(waiting, d), ownerChanged(waiting, d))
	ask(t, d, update(waiting, J{"locked": true}), updated(waiting, state("grace", true, false, nil)))
	b.Expect(updated(waiting, state("grace", true, false, nil)))
}
