package socketio

import (
	"testing"
	"testing/synctest"
	"time"

	"signalling/pkg/slots"
)

// beats are the defaults: the server announces 25 s and 20 s.
const (
	interval = 25 * time.Second
	timeout  = 20 * time.Second
)

// within runs do and checks how much time passes. Timers of sessions may be late by a slot.
func within(t testing.TB, want time.Duration, what string, do func()) {
	t.Helper()
	started := time.Now()
	do()
	if d := time.Since(started); d < want || d >= want+slots.Width(interval, timeout) {
		t.Errorf("%s after %v, want %v", what, d, want)
	}
}

// longPatience waits for what may take longer than patience.
func (s *socket) await(d time.Duration) string {
	s.t.Helper()
	select {
	case f, ok := <-s.frames:
		if !ok {
			return "end"
		}
		return f
	case <-time.After(d):
		return "nothing"
	}
}

// EIO=4: the server pings at each interval, and goes on for as long as it is answered.
func TestServerPingsV4(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		ws := r.joinedWebSocket(eio4)
		for range 3 {
			within(t, interval, "ping", func() {
				if got := ws.await(time.Hour); got != "2" {
					t.Fatalf("got %q", got)
				}
			})
			time.Sleep(timeout - time.Millisecond)
			ws.send("3")
			synctest.Wait()
		}
		within(t, interval, "ping", func() { ws.await(time.Hour) })
		within(t, timeout, "end", func() {
			if got := ws.await(time.Hour); got != "end" {
				t.Fatalf("got %q", got)
			}
		})
		r.disconnected(ReasonPingTimeout)
	})
}

// EIO=4 by polling: a GET waits no longer than to the next ping.
func TestServerPingsV4ByPolling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio4)
		for range 3 {
			within(t, interval, "ping", func() {
				if got := p.get(200); got != "2" {
					t.Fatalf("got %q", got)
				}
			})
			p.post("3", 200)
		}
		within(t, interval, "ping", func() { p.get(200) })
		within(t, timeout, "end", func() { wantRefusal(t, p.do("GET", p.query(), ""), 400, 1) })
		r.disconnected(ReasonPingTimeout)
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
	})
}

// A client that neither polls nor posts is dropped like one that does not answer.
func TestSilentPollingClientIsDropped(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		r.joined(eio)
		r.connected()
		within(t, interval+timeout, "end", func() {
			if got := <-r.h.disconnects; got.reason != ReasonPingTimeout {
				t.Errorf("reason %q", got.reason)
			}
		})
	})
}

// A pong that nobody has asked for neither hurts nor puts anything off.
func TestStrayPongV4(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{})
		ws := r.joinedWebSocket(eio4)
		time.Sleep(interval - time.Second)
		ws.send("3", "3")
		within(t, time.Second, "ping", func() { ws.want("2") })
		ws.send("3")
		ws.echo("x")
	})
}

// Messages are no substitute for the heartbeat.
func TestMessagesAreNoHeartbeat(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{})
		ws := r.joinedWebSocket(eio)
		r.connected()
		started := time.Now()
		for range 4 {
			time.Sleep(11 * time.Second)
			ws.send(`42["busy"]`)
		}
		if got := <-r.h.disconnects; got.reason != ReasonPingTimeout || time.Since(started) != interval+timeout {
			t.Errorf("%q after %v", got.reason, time.Since(started))
		}
	})
}

// EIO=3: the client pings, the server answers at once with the same data, and waits for the sum of both times.
func TestClientPingsV3(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		ws := r.joinedWebSocket(eio3)
		for range 3 {
			time.Sleep(interval + timeout - time.Millisecond)
			within(t, 0, "pong", func() {
				ws.send("2")
				ws.want("3")
			})
		}
		ws.send("2some data")
		ws.want("3some data")
		within(t, interval+timeout, "end", func() {
			if got := ws.await(time.Hour); got != "end" {
				t.Fatalf("the server sent %q", got)
			}
		})
		r.disconnected(ReasonPingTimeout)
	})
}

func TestClientPingsV3ByPolling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio3)
		for range 3 {
			waiting := p.waiting()
			time.Sleep(interval)
			p.post("2", 200)
			if a := next(t, "pong", waiting); a.body != "3" {
				t.Fatalf("got %q", a.body)
			}
		}
		within(t, interval+timeout, "end", func() { wantRefusal(t, p.do("GET", p.query(), ""), 400, 1) })
		r.disconnected(ReasonPingTimeout)
	})
}

// A frozen client must be dropped after its upgrade too, which the JavaScript server forgets for EIO=3.
func TestHeartbeatSurvivesTheUpgrade(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		r.connected()
		time.Sleep(20 * time.Second)
		ws := p.upgrade()
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5")
		ws.echo("x")
		if eio == eio4 {
			within(t, 5*time.Second, "ping", func() { ws.want("2") })
			within(t, timeout, "end", func() { <-r.h.disconnects })
			return
		}
		within(t, 25*time.Second, "end", func() { <-r.h.disconnects })
	})
}

// A ping that went out by polling may be answered on the WebSocket.
func TestPongAfterTheUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio4)
		within(t, interval, "ping", func() { p.get(200) })
		ws := p.upgrade()
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5", "3")
		within(t, interval, "ping", func() {
			if got := ws.await(time.Hour); got != "2" {
				t.Errorf("got %q", got)
			}
		})
	})
}

// A client that does not read is dropped when a write has taken too long.
func TestClientThatDoesNotReadIsDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{WriteTimeout: 3 * time.Second})
		conn, _, err := r.dialer.Dial("ws://signalling.test/socket.io/?EIO=3&transport=websocket", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		r.connected()
		within(t, 3*time.Second, "end", func() { r.disconnected(ReasonTransportError) })
	})
}

// No room for a heartbeat is the end.
func TestHeartbeatWithoutRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true, QueueFrames: 2})
		r.joined(eio4)
		s := r.connected()
		for s.Send(NewEvent([]byte(`["a"]`))) == nil {
			continue
		}
		within(t, interval, "end", func() {
			if got := <-r.h.disconnects; got.reason != ReasonQueueFull {
				t.Errorf("reason %q", got.reason)
			}
		})
	})
}

// Without CONNECT within 45 s an EIO=4 session is closed.
func TestConnectTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true, ConnectTimeout: 15 * time.Second})
		ws := r.websocket(eio4)
		p, _ := r.open(eio4)
		within(t, 15*time.Second, "end", func() {
			ws.ended(closePolicy)
		})
		synctest.Wait()
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions", n)
		}
		none(t, "Disconnect", r.h.disconnects)
	})
}
