package faults

import (
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

// A gateway is told to stop (SIGTERM): readiness fails first, clients are told to go elsewhere, then it drains.
func TestSIGTERM_Standalone(t *testing.T) {
	s := labtest.PrivateOneProcess(t)
	room, a, b := s.Room(), s.Connect(), s.Connect()
	meet(t, room, a, b)
	start := time.Now()
	must(t, s.Gateways[0].Terminate())
	a.ExpectCloseAfterFrames(websocket.CloseGoingAway) // 1001
	b.ExpectCloseAfterFrames(websocket.CloseGoingAway)
	expectExit0(t, s.Gateways[0])
	took(t, "from SIGTERM to the end", start)
}

func TestSIGTERM_Gateway(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	one, two := s.Room(), s.Room()
	a, b := s.ConnectAt(0), s.ConnectAt(1)
	meet(t, one, a, b)
	meet(t, two, b, a)
	start := time.Now()
	must(t, s.Gateways[0].Terminate())
	a.ExpectCloseAfterFrames(websocket.CloseGoingAway)
	expectEnds(t, b, kicked(one), clientLeft(two, a))
	took(t, "until the others were told", start)
	expectExit0(t, s.Gateways[0])
	took(t, "from SIGTERM to the end", start)

	// The other gateway goes on, and the first can come back.
	ask(t, b, create(one), created(one))
	must(t, s.Gateways[0].Start(labtest.Context(t)))
	c := s.ConnectAt(0)
	ask(t, c, join(one), joined(one, b, b))
	b.Expect(clientJoined(one, c))
}

func TestSIGTERM_Rooms(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 2})
	room, a, b := s.Room(), s.ConnectAt(0), s.ConnectAt(1)
	meet(t, room, a, b)
	start := time.Now()
	must(t, s.Rooms.Terminate())
	expectExit0(t, s.Rooms)
	took(t, "from SIGTERM to the end", start)
	chat(t, room, a, b) // members keep their sockets, and signals pass
	must(t, s.Rooms.Start(labtest.Context(t)))
	stillThere(t, room, a, b)
}

func TestSIGTERM_FailsReadinessFirst(t *testing.T) {
	s := labtest.Private(t, lab.Layout{Gateways: 1})
	admin, err := lab.AdminAddr(labtest.Context(t), s.Gateways[0])
	must(t, err)
	_ = labtest.OpenUnread(t, s.URLOf(0), nil) // it does not answer the close, so the gateway has to wait for it
	must(t, s.Gateways[0].Terminate())
	for {
		status, err := lab.Readiness(labtest.Context(t), admin)
		if err != nil {
			t.Fatalf("it never said that it is not ready: %v", err)
		}
		if status == http.StatusServiceUnavailable {
			break
		}
		if status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
	}
	expectExit0(t, s.Gateways[0])
}

func expectExit0(t *testing.T, p *lab.Process) {
	t.Helper()
	code, err := p.Wait(labtest.Context(t))
	must(t, err)
	if code != 0 {
		t.Errorf("%s ended with exit code %d", p.Name, code)
	}
}

// expectEnds waits for events of different rooms, which may come in any order.
func expectEnds(t *testing.T, c *conn, events ...J) {
	t.Helper()
	byRoom := map[any]J{}
	for _, e := range events {
		byRoom[e["room"]] = e
	}
	for range events {
		e := c.Next()
		want, ok := byRoom[e["room"]]
		delete(byRoom, e["room"])
		for name, value := range want {
			if e[name] != value {
				t.Fatalf("frame %v, want %v", e, want)
			}
		}
		if !ok {
			t.Fatalf("frame %v, and not one of %v", e, events)
		}
	}
}
