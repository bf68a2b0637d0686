package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalling/api/bus"
	api "signalling/api/client"
)

// What a client does wrong is its own loss.

// trio is a room of alice with bob and carol.
func trio(w *world) (r *room, alice, bob, carol *client) {
	w.t.Helper()
	r, alice, bob = pair(w)
	carol = w.connect()
	r.letIn(carol)
	alice.expect(clientJoined(lobby, carol))
	bob.expect(clientJoined(lobby, carol))
	return r, alice, bob, carol
}

func TestAClientThatDoesNotRead(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, carol := trio(w)
		resume := bob.stopReading()
		started := time.Now()
		n := 0
		for settle(); w.hub.Sessions() == 3; n++ {
			if n > 100 {
				t.Fatal("bob may queue any number of frames")
			}
			alice.signal(lobby, bob, number(n))
			alice.signal(lobby, carol, number(n))
			carol.expect(received(lobby, alice, number(n))) // others notice nothing
			settle()
		}
		if n < 16 {
			t.Errorf("bob was given up after %d frames", n)
		}
		// It is out of its rooms at once, whether or not it ever reads again.
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		within(t, "giving up", time.Since(started), 0, 0)
		r.publish(r.remove(bob))
		r.left(c)
		alice.expect(clientLeft(lobby, bob))
		alice.signal(lobby, bob, `"late"`)
		alice.expect(targetNotFound(lobby, bob))
		carol.expect(clientLeft(lobby, bob))
		resume()
		bob.expectEnd(api.CloseSlowConsumer)
		w.owner.expectNoCommand()
	}, func(s *settings) { s.door.QueueFrames = 16 })
}

func TestAClientThatDoesNotReadItsEvents(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob, carol := trio(w)
		bob.stopReading()
		for n := 0; w.hub.Sessions() == 3; n++ {
			if n > 100 {
				t.Fatal("bob may queue any number of frames")
			}
			who := stranger("client-" + number(n))
			r.enters(who, "elsewhere")
			alice.expect(clientJoined(lobby, who))
			carol.expect(clientJoined(lobby, who))
			settle()
		}
		w.owner.expectCommand(bus.Leave, lobby, bob)
		alice.vanish()
		carol.vanish()
		started := time.Now()
		w.door.Shut()
		w.door.Wait() // bob takes not even the close frame, and is cut off
		within(t, "cutting it off", time.Since(started), 0, 5*time.Second)
	}, func(s *settings) { s.door.QueueFrames = 16 })
}

func TestAClientThatAnswersNoPings(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		alice, bob := w.connect(), w.connect(deaf)
		r := w.owner.open(lobby, alice)
		r.letIn(bob)
		alice.expect(clientJoined(lobby, bob))
		started := time.Now()
		c := w.owner.expectCommandWithin(time.Minute, bus.Leave, lobby, bob)
		within(t, "giving up", time.Since(started), 20*time.Second, 45*time.Second)
		r.publish(r.remove(bob))
		r.left(c)
		alice.expect(clientLeft(lobby, bob))
		bob.expectClose(api.CloseHeartbeat)
		pass(5 * time.Minute)
		w.quiet() // alice answers
	})
}

func TestAClientThatSaysSomethingIsAlive(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect(deaf)
		for range 60 {
			pass(10 * time.Second)
			bob.leave(lobby)
			bob.expect(notIn(lobby))
		}
	})
}

func TestAnOversizedMessage(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		most := 1024
		signal := `{"event":"signal-send","room":"lobby","targetId":"` + alice.id + `","data":""}`
		data := `"` + strings.Repeat("x", most-len(signal)) + `"`
		bob.signal(lobby, alice, data)
		alice.expect(received(lobby, bob, data))
		bob.signal(lobby, alice, `"x`+data[1:])
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(c)
		bob.expectClose(api.CloseTooBig)
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
	}, func(s *settings) { s.door.MaxMessageBytes = 1024 })
}

func TestInvalidText(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		r, alice, bob := pair(w)
		bob.say("{\"event\":\"room-leave\",\"room\":\"\xff\"}")
		c := w.owner.expectCommand(bus.Leave, lobby, bob)
		r.publish(r.remove(bob))
		r.left(c)
		bob.expectClose(api.CloseInvalidText)
		alice.expect(clientLeft(lobby, bob))
		w.quiet()
	})
}

func TestMessagesThatAreNoCommands(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect()
		bad := func(id, message string) {
			t.Helper()
			bob.expectID(id, &api.Error{Message: message, Code: api.BadRequest})
		}
		bob.sayBinary([]byte(`{"event":"room-leave","room":"lobby"}`))
		bad("", "commands are text frames")
		bob.say(`{"event":"room-open","id":7}`)
		bad("7", "unknown event")
		bob.say(`{"event":"room-leave","id":"x","room":""}`)
		bad(`"x"`, "room is empty")
		bob.leave(lobby) // the connection goes on
		bob.expect(notIn(lobby))
		w.quiet()
	})
}

func TestAFragmentedCommand(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		bob := w.connect()
		bob.sayInPieces(`{"event":"room-leave",`, `"room":`, `"lob`, `by"}`)
		bob.expect(notIn(lobby))
		w.quiet()
	})
}

func TestWelcome(t *testing.T) {
	scene(t, func(t *testing.T, w *world) {
		ws, resp, err := dialRaw(w)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		defer ws.Close()
		kind, frame, err := ws.ReadMessage()
		if err != nil || kind != websocket.TextMessage {
			t.Fatal(kind, err)
		}
		e, _, err := api.DecodeObject(frame)
		welcome, ok := e.(*api.Welcome)
		if err != nil || !ok || welcome.Protocol != api.Protocol || welcome.MaxMessageBytes != 256<<10 || len(welcome.ClientID) != 20 {
			t.Errorf("welcome %s, %v", frame, err)
		}
	})
}
