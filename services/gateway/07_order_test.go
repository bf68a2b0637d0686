package gateway_test

import (
	"strings"
	"testing"
	"time"

	"signalling/api/bus"
	api "signalling/api/client"
)

// Commands of one client to one room are answered in their order; nobody else waits for them.

func TestPipelinedCommandsAreAnsweredInOrder(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		for n, op := range []api.Op{api.RoomJoin, api.RoomCreate, api.RoomCreate, api.RoomJoin, api.RoomLeave, api.RoomLeave, api.RoomJoin} {
			alice.do(op, lobby, number(n))
		}
		c := w.owner.expectCommand(bus.Join, lobby, alice)
		w.quiet() // one at a time
		w.owner.result(c, bus.Retry)
		w.owner.result(w.owner.expectAgain(c), bus.NotExists)
		alice.expectID("0", notExists(lobby))

		c = w.owner.expectCommand(bus.Create, lobby, alice)
		r := w.owner.found(lobby, alice, c.Gateway)
		r.answer(c)
		alice.expectID("1", created(lobby))

		w.owner.result(w.owner.expectCommand(bus.Create, lobby, alice), bus.Exists)
		alice.expectID("2", exists(lobby))

		r.answer(w.owner.expectCommand(bus.Join, lobby, alice))
		alice.expectID("3", joined(lobby, alice))

		c = w.owner.expectCommand(bus.Leave, lobby, alice)
		r.publish(r.end())
		r.left(c)
		alice.expectID("4", left(lobby))
		alice.expectID("5", notIn(lobby)) // known here

		w.owner.result(w.owner.expectCommand(bus.Join, lobby, alice), bus.NotExists)
		alice.expectID("6", notExists(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestSignalsWaitBehindAJoin(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		r := w.owner.open(lobby, alice)
		bob.join(lobby)
		bob.signal(lobby, alice, `"first"`)
		bob.signalID(lobby, stranger("nobody"), `"second"`, "2")
		bob.signal(lobby, alice, `"third"`)
		bob.leave(lobby)
		bob.signalID(lobby, alice, `"last"`, "5")
		c := w.owner.expectCommand(bus.Join, lobby, bob)
		w.quiet()
		r.publish(r.add(bob, c.Gateway, c.Seq))
		r.answer(c)
		bob.expect(joined(lobby, alice, alice))
		bob.expectID("2", targetNotFound(lobby, stranger("nobody")))
		alice.expect(clientJoined(lobby, bob), received(lobby, bob, `"first"`), received(lobby, bob, `"third"`))
		c = w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(c)
		bob.expect(left(lobby))
		bob.expectID("5", notIn(lobby))
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
	})
}

func TestSignalsBehindAJoinThatFails(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect()
		bob.join(lobby)
		bob.signalID(lobby, stranger("alice"), `1`, "1")
		w.owner.result(w.owner.expectCommand(bus.Join, lobby, bob), bus.NotExists)
		bob.expect(notExists(lobby))
		bob.expectID("1", notIn(lobby))
		w.quiet()
		w.holdsNothing()
	})
}

func TestOtherRoomsAndClientsAreNotDelayed(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		rooms := samePartition(2)
		alice.create(rooms[0])
		c := w.owner.expectCommand(bus.Create, rooms[0], alice)
		alice.create(rooms[1])
		w.owner.result(w.owner.expectCommand(bus.Create, rooms[1], alice), bus.Exists)
		alice.expect(exists(rooms[1]))
		bob.create(rooms[0])
		w.owner.result(w.owner.expectCommand(bus.Create, rooms[0], bob), bus.Exists)
		bob.expect(exists(rooms[0]))
		w.owner.result(c, bus.Exists)
		alice.expect(exists(rooms[0]))
		w.quiet()
	})
}

// Each waiting command has the time that it would have had alone.
func TestCommandsBehindAnUnansweredOneRunOutOfTimeToo(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		started := time.Now()
		for n := range 3 {
			alice.do(api.RoomJoin, lobby, number(n))
		}
		alice.signalID(lobby, alice, `1`, "3")
		for n := range 3 {
			alice.expectID(number(n), unavailable())
		}
		alice.expectID("3", notIn(lobby))
		within(t, "unavailable", time.Since(started), commandTimeout, commandTimeout+tick)
		w.owner.correct(w.owner.expectAnnounce(lobby))
		w.owner.skipCommands()
		w.quiet()
		w.holdsNothing()
	})
}

func few(s *settings) { s.hub.MaxPending = 3 }

// Pace: a client with too many unanswered commands is not read, so that TCP slows it down.
func TestPace(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect()
		for n := range 10 {
			alice.do(api.RoomJoin, "room-"+number(n), number(n))
		}
		var waiting []*command
		for n := range 3 {
			waiting = append(waiting, w.owner.expectCommand(bus.Join, "room-"+number(n), alice))
		}
		w.quiet() // the fourth is not read
		w.owner.open(lobby, bob)
		for n := range 10 {
			w.owner.result(waiting[n], bus.NotExists)
			alice.expectID(number(n), notExists("room-"+number(n)))
			if n+3 < 10 {
				waiting = append(waiting, w.owner.expectCommand(bus.Join, "room-"+number(n+3), alice))
			}
			w.quiet()
		}
	}, few)
}

// What waits behind a command of the same room counts too.
func TestPaceCountsWaitingCommands(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		for n := range 8 {
			alice.do(api.RoomJoin, lobby, number(n))
		}
		for n := range 8 {
			c := w.owner.expectCommand(bus.Join, lobby, alice)
			w.quiet()
			w.owner.result(c, bus.NotExists)
			alice.expectID(number(n), notExists(lobby))
		}
		w.quiet()
		w.holdsNothing()
	}, few)
}

// Signals that waited are done with when the command before them is.
func TestPaceCountsWaitingSignalsOnce(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		alice := w.connect()
		for range 5 {
			alice.join(lobby)
			alice.signal(lobby, alice, `1`)
			alice.signal(lobby, alice, `2`)
			w.owner.result(w.owner.expectCommand(bus.Join, lobby, alice), bus.NotExists)
			alice.expect(notExists(lobby), notIn(lobby), notIn(lobby))
			w.quiet()
		}
		for n := range 3 {
			alice.join("room-" + number(n))
		}
		for n := range 3 { // as many as at the beginning, all at once
			w.owner.expectCommand(bus.Join, "room-"+number(n), alice)
		}
	}, few)
}

func TestPaceEndsWithTheCommandsTime(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		for n := range 4 {
			alice.do(api.RoomJoin, "room-"+number(n), number(n))
		}
		started := time.Now()
		for n := range 3 {
			if id, _, _ := strings.Cut(strings.TrimPrefix(alice.next(), `{"event":"error","id":`), ","); len(id) != 1 {
				t.Errorf("answer %d to %s", n, id)
			}
		}
		within(t, "the pause", time.Since(started), commandTimeout, commandTimeout+tick)
		w.owner.skipCommands()
		settle()
		alice.expectID("3", unavailable())
		within(t, "the fourth", time.Since(started), 2*commandTimeout, 2*(commandTimeout+tick))
		w.owner.skipCommands()
		w.owner.skipAnnounces()
	}, few)
}

// A gateway that stops does not wait for the commands of a client that is paced.
func TestPaceEndsWhenAllAreClosed(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice := w.connect()
		for n := range 8 {
			alice.do(api.RoomJoin, "room-"+number(n), number(n))
		}
		settle()
		w.door.Shut()
		w.hub.CloseAll(api.CloseGoingAway)
		started := time.Now()
		alice.expect(&api.GoingAway{})
		alice.expectClose(api.CloseGoingAway)
		w.door.Wait()
		within(t, "the end", time.Since(started), 0, 0)
	}, few)
}

// A client that comes in while all others are told to go is told so too.
func TestAClientThatComesAfterTheOthersWereClosed(t *testing.T) {
	scene(t, func(_ *testing.T, w *world) {
		w.hub.CloseAll(api.CloseGoingAway)
		ws, resp, err := dialRaw(w)
		if err != nil {
			w.t.Fatal(err)
		}
		_ = resp.Body.Close()
		for err == nil { // it may be told more before
			_, _, err = ws.ReadMessage()
		}
		expectCloseError(w.t, err, api.CloseGoingAway)
		_ = ws.Close()
	})
}
