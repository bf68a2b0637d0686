package gateway_test

import (
	"fmt"
	"testing"

	"signalling/api/bus"
	api "signalling/api/client"
)

// Rooms with options: what their owner's commands do when events and answers come late, twice or never, and that what the
// rooms service says of a room reaches its members, and the next rooms service.

func ownerChanged(room string, who named) api.Event {
	return &api.OwnerChanged{Room: room, OwnerID: who.name()}
}

func clientKicked(room string, who named) api.Event {
	return &api.ClientKicked{Room: room, ClientID: who.name()}
}

func lockedState() *api.RoomState { return &api.RoomState{OnOwnerLost: api.CloseRoom, Locked: true} }

func updated(room string, s *api.RoomState) api.Event {
	return &api.RoomUpdated{Room: room, Options: s}
}

func (c *client) kick(room string, who named) {
	c.say(fmt.Sprintf(`{"event":"room-kick","room":%q,"targetId":%q}`, room, who.name()))
}

func (c *client) lock(room string) {
	c.say(fmt.Sprintf(`{"event":"room-update","room":%q,"options":{"locked":true}}`, room))
}

// govern changes the room's policy.
func (r *room) govern(p bus.Policy) *bus.Event {
	r.Version++
	p.Since, r.Policy = r.Stamp, &p
	return &bus.Event{Room: r.name, Stamp: r.Stamp, Kind: bus.Updated, Policy: &p}
}

// governed answers an update.
func (r *room) governed(c *command) {
	r.o.t.Helper()
	r.o.answer(c, &bus.Answer{Result: bus.Done, Roster: bus.Roster{Stamp: r.Stamp, Policy: r.Policy}})
}

// An update is told once to everybody: to its sender by the answer alone.
func TestUpdateIsToldOnce(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		alice.lock(lobby)
		c := w.owner.expectCommand(bus.Update, lobby, alice)
		if s := c.Settings; s == nil || !s.Lock || s.Unlock || s.SetOwnerLost || s.NoCapacity {
			w.t.Errorf("settings %+v", s)
		}
		r.publish(r.govern(bus.Policy{Locked: true}))
		bob.expect(updated(lobby, lockedState()))
		w.quiet()
		r.governed(c)
		alice.expect(updated(lobby, lockedState()))
		w.quiet()
	})
}

// The answer is lost and so are its repetitions: who has sent the update is told of it all the same.
func TestUpdateThatWorkedWithoutAnyAnswer(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		alice.lock(lobby)
		w.owner.expectCommand(bus.Update, lobby, alice)
		r.publish(r.govern(bus.Policy{Locked: true}))
		bob.expect(updated(lobby, lockedState()))
		alice.expect(updated(lobby, lockedState()), unavailable())
		w.owner.skipCommands()
		w.owner.correct(w.owner.expectAnnounce(lobby), r.same())
		w.quiet()
	})
}

// The event is lost; members learn of it with the repair.
func TestUpdateWhoseEventWasLost(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		alice.lock(lobby)
		c := w.owner.expectCommand(bus.Update, lobby, alice)
		r.govern(bus.Policy{Locked: true})
		r.governed(c)
		alice.expect(updated(lobby, lockedState()))
		w.owner.correct(w.owner.expectRepair(lobby), r.as())
		bob.expect(updated(lobby, lockedState()))
		alice.expect(updated(lobby, lockedState())) // the same again: it may have been changed between
		w.quiet()
	})
}

func TestKickWhoseAnswerWasLost(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		alice.kick(lobby, bob)
		c := w.owner.expectCommand(bus.Kick, lobby, alice)
		if c.Target != bob.id {
			w.t.Errorf("target %s", c.Target)
		}
		e := r.remove(bob)
		e.Policy = &bus.Policy{Since: r.Stamp, Banned: []string{bob.id}}
		r.Policy = e.Policy
		r.publish(e)
		alice.expect(clientLeft(lobby, bob))
		bob.expect(kicked(lobby))
		w.owner.result(w.owner.expectAgain(c), bus.Done)
		alice.expect(clientKicked(lobby, bob))
		w.quiet()
	})
}

func TestKickWhoseEventWasLost(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		alice.kick(lobby, bob)
		c := w.owner.expectCommand(bus.Kick, lobby, alice)
		r.remove(bob)
		r.left(c)
		alice.expect(clientKicked(lobby, bob))
		w.owner.correct(w.owner.expectRepair(lobby), r.as())
		alice.expect(clientLeft(lobby, bob))
		bob.expect(kicked(lobby))
		w.quiet()
	})
}

// The owner is lost elsewhere and the room goes to another member: first who has left, then who has it.
func TestARoomIsPassedOn(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		zoe := stranger("zoe")
		bob := w.connect()
		r := w.owner.found(lobby, zoe, "elsewhere")
		r.letIn(bob)
		e := r.remove(zoe)
		e.Owner, r.Owner = bob.id, bob.id
		r.publish(e)
		bob.expect(clientLeft(lobby, zoe), ownerChanged(lobby, bob))
		w.quiet()
	})
}

// That it was passed on was missed; the correction tells the same.
func TestACorrectionNamesTheOwner(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		r.Version++
		r.Owner = bob.id
		e := r.govern(bus.Policy{Locked: true})
		r.publish(e) // one too many
		w.owner.correct(w.owner.expectRepair(lobby), r.as())
		alice.expect(ownerChanged(lobby, bob), updated(lobby, lockedState()))
		bob.expect(ownerChanged(lobby, bob), updated(lobby, lockedState()))
		w.quiet()
	})
}

// A policy is in the room-joined of who comes, and in the announcement for the next owner of the partition. Secrets go no
// further than the gateway.
func TestAPolicyIsToldAndAnnounced(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		bob := w.connect()
		r := w.owner.found(lobby, stranger("zoe"), "elsewhere")
		r.Policy = &bus.Policy{
			Since: r.Stamp, OwnerLost: bus.AwaitOwner, Capacity: 9, Password: "verifier", Metadata: []byte(`{"a": 1}`),
			Banned: []string{"eve"},
		}
		bob.say(`{"event":"room-join","room":"lobby","password":"sesame","ownerKey":"key"}`)
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		if c.Password != bus.Proof(lobby, "sesame") || c.OwnerKey != bus.Proof(lobby, "key") {
			w.t.Errorf("on the bus: %+v", c.Command)
		}
		r.publish(r.add(bob, c.Gateway, c.Seq))
		r.answer(c)
		bob.expect(&api.RoomJoined{Room: lobby, OwnerID: "zoe", Clients: []string{"zoe"}, Options: &api.RoomState{
			OnOwnerLost: api.AwaitOwner, Capacity: 9, Password: true, Metadata: []byte(`{"a": 1}`),
		}})
		w.hub.AnnounceAll()
		for range bus.Partitions {
			a := w.owner.takeAnnounce()
			if a.partition != bus.Partition(lobby) {
				w.owner.correct(a)
				continue
			}
			if p := a.room(lobby).Policy; p == nil || p.Since != r.Policy.Since || p.Password != "verifier" || !p.Bans("eve") {
				w.t.Errorf("announced %+v", p)
			}
			w.owner.correct(a, r.same())
		}
		w.quiet()
	})
}

// The end of a connection is not a leave that was asked for.
func TestALostClientIsSaidToBeLost(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.leave(lobby)
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		if c.Lost {
			w.t.Error("a leave is said to be a loss")
		}
		r.publish(r.remove(bob))
		r.left(c)
		alice.expect(clientLeft(lobby, bob))
		bob.expect(left(lobby))
		alice.vanish()
		if c = w.owner.expectCommand(bus.Leave, lobby, alice); !c.Lost {
			w.t.Error("a loss is not said to be one")
		}
		r.publish(r.end())
		r.left(c)
		settle()
		w.holdsNothing()
	})
}
