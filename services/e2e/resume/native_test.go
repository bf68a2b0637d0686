package resume

import (
	"testing"
	"time"

	"signalling/services/e2e/labtest"
)

// A client whose network fails comes back to the gateway where it was.
func TestSameGateway(t *testing.T) {
	s := site(t, "30s")
	room, a, b := s.Room(), connect(t, s, 0), connect(t, s, 1)
	meet(t, room, a, b)
	a.conn.Abort()
	b.Emit(signal(room, a, "while away"))
	c := connect(t, s, 1)
	c.ask(labtest.Join(room), joined(room, a, a, b))
	b.expect(clientJoined(room, c))
	a.resume(0, 1, false)
	a.expect(received(room, b, "while away"), clientJoined(room, c))
	a.Emit(signal(room, b, "back"))
	b.expect(received(room, a, "back"))
	stillThere(t, room, a, b, c)
}

// It comes to another gateway while its own lives.
func TestOtherGateway(t *testing.T) {
	s := site(t, "30s")
	room, a, b := s.Room(), connect(t, s, 0), connect(t, s, 1)
	meet(t, room, a, b)
	a.conn.Abort()
	b.Emit(signal(room, a, 1))
	b.Emit(signal(room, a, 2))
	a.resume(1, 1, false)
	a.expect(received(room, b, 1), received(room, b, 2))
	for n := range 10 {
		b.Emit(signal(room, a, n))
		a.expect(received(room, b, n))
		a.Emit(signal(room, b, n))
		b.expect(received(room, a, n))
	}
	stillThere(t, room, a, b)
	a.resume(0, -1, false) // the old connection is still there: it is closed
	stillThere(t, room, a, b)
}

// Its gateway is killed.
func TestDeadGateway(t *testing.T) {
	s := site(t, "30s")
	room, other, a, b := s.Room(), s.Room(), connect(t, s, 0), connect(t, s, 1)
	meet(t, room, a, b)
	meet(t, other, b, a)
	start := time.Now()
	must(t, s.Gateways[0].Kill())
	b.Emit(signal(room, a, "while away"))
	answer := a.resume(1, -1, true)
	rooms, _ := answer["rooms"].([]any)
	if len(rooms) != 2 {
		t.Fatalf("rooms %v", rooms)
	}
	// In which order rooms and signals come is not said.
	a.ExpectSet(picture(room, a, b), picture(other, b, b), received(room, b, "while away"))
	a.got += 3
	t.Logf("from the death to the signal: %v", time.Since(start).Round(time.Millisecond))
	a.Emit(signal(room, b, "back"))
	b.expect(received(room, a, "back"))
	stillThere(t, room, a, b)
	stillThere(t, other, b, a)
}

// Who does not come back leaves when the window ends.
func TestWindow(t *testing.T) {
	for _, kill := range []bool{false, true} {
		s := site(t, "2s")
		room, a, b := s.Room(), connect(t, s, 0), connect(t, s, 1)
		meet(t, room, b, a)
		start := time.Now()
		if kill {
			must(t, s.Gateways[0].Kill())
		} else {
			a.conn.Abort()
		}
		b.expect(clientLeft(room, a))
		if took := time.Since(start); took < 2*time.Second {
			t.Errorf("it left after %v", took)
		}
		b.ask(signal(room, a, 1), J{"event": "target-not-found", "room": room, "targetId": a.id})
		n, answer := a.try(1, a.token, a.got)
		if answer["code"] != "unauthorized" {
			t.Errorf("after the window: %v", answer)
		}
		n.Emit(labtest.Join(room)) // the connection goes on as a new client
		if answer := n.Next(); answer["event"] != "room-joined" {
			t.Errorf("after the refusal: %v", answer)
		}
	}
}

// A client that says good-bye leaves at once.
func TestGoodBye(t *testing.T) {
	s := site(t, "30s")
	room, a, b := s.Room(), connect(t, s, 0), connect(t, s, 1)
	meet(t, room, b, a)
	a.Close()
	b.expect(clientLeft(room, a))
	if _, answer := a.try(0, a.token, a.got); answer["code"] != "unauthorized" {
		t.Errorf("after a good-bye: %v", answer)
	}
}
