package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// Close delivers what is queued, then the close: a close frame with its code, or packet 1 for a polling client.
func TestCloseByTheServer(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		ws := r.joinedWebSocket(eio)
		s := r.connected()
		_ = s.Send(NewEvent([]byte(`["last"]`)))
		s.Close(4003, "told to go")
		r.disconnected(ReasonServerClose)
		ws.want(`42["last"]`)
		ws.ended(4003)
		if err := s.Send(NewEvent([]byte(`["a"]`))); !errors.Is(err, ErrClosed) {
			t.Errorf("send after close: %v", err)
		}

		waits := r.joined(eio)
		s = r.connected()
		waiting := waits.waiting()
		synctest.Wait()
		_ = s.Send(NewEvent([]byte(`["last"]`)))
		s.Close(4003, "told to go")
		s.Close(4003, "twice")
		if a := next(t, "answer", waiting); a.body != `42["last"]` {
			t.Errorf("waiting GET: %q", a.body)
		}
		if got := waits.get(200); got != "1" {
			t.Errorf("next GET: %q", got)
		}
		r.disconnected(ReasonServerClose)
		wantRefusal(t, waits.do("GET", waits.query(), ""), 400, 1)

		polls := r.joined(eio)
		s = r.connected()
		_ = s.Send(NewEvent([]byte(`["last"]`)))
		s.Close(4003, "told to go")
		r.disconnected(ReasonServerClose)
		if err := s.Send(NewEvent([]byte(`["a"]`))); !errors.Is(err, ErrClosed) {
			t.Errorf("send after close: %v", err)
		}
		polls.post(`42["too late"]`, 200)
		polls.upgrade().ended(closeProtocol)
		if got := polls.get(200) + polls.get(200); got != `42["last"]1` {
			t.Errorf("next GETs: %q", got)
		}
		wantRefusal(t, polls.do("GET", polls.query(), ""), 400, 1)
		none(t, "event", r.h.events)
	})
}

// A polling client that never comes for its last packets is forgotten after CloseTimeout.
func TestCloseOfAPollingClientThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true, CloseTimeout: 7 * time.Second})
		p := r.joined(eio4)
		r.connected().Close(4003, "told to go")
		time.Sleep(7*time.Second - time.Nanosecond)
		if n := r.srv.Len(); n != 1 {
			t.Errorf("%d sessions before the time", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions after it", n)
		}
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
	})
}

// Abort drops what is queued, also after a Close.
func TestAbort(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		ws := r.joinedWebSocket(eio)
		r.connected().Abort(4009, "too slow")
		ws.ended(4009)
		r.disconnected(ReasonServerClose)

		p := r.joined(eio)
		s := r.connected()
		waiting := p.waiting()
		synctest.Wait()
		s.Abort(4009, "too slow")
		if a := next(t, "answer", waiting); a.body != "1" {
			t.Errorf("waiting GET: %q", a.body)
		}
		r.disconnected(ReasonServerClose)

		p = r.joined(eio)
		s = r.connected()
		_ = s.Send(NewEvent([]byte(`["never seen"]`)))
		s.Close(4009, "too slow")
		s.Abort(4009, "too slow")
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 1)
		r.disconnected(ReasonServerClose)
	})
}

// The handler may close its session from within Event, and gets its Disconnect after Event has returned.
func TestCloseFromWithinEvent(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		r.h.onEvent = func(s *Session, _ AckID, _ []byte, _ [][]byte) error {
			s.Close(4003, "enough")
			for range 1000 { // a Disconnect now would be a fault, which the recorder reports
				runtime.Gosched()
			}
			return nil
		}
		ws := r.joinedWebSocket(eio)
		ws.send(`42["a"]`)
		_ = ws.ws.WriteMessage(websocket.TextMessage, []byte(`42["b"]`)) // the close may have come already
		ws.ended(4003)
		r.disconnected(ReasonServerClose)
		p := r.joined(eio)
		p.post(`42["a"]`+"\x1e"+`42["b"]`, 200)
		r.disconnected(ReasonServerClose)
		for range 2 {
			if e := next(t, "event", r.h.events); e.payload != `["a"]` {
				t.Errorf("event %s after the close", e.payload)
			}
		}
		none(t, "event", r.h.events)
	})
}

// Shutdown: no packet 41 (after which clients would not come back), everything queued arrives, nothing is left.
func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		event := NewEvent([]byte(`["last"]`))
		ws := r.joinedWebSocket(eio)
		waits, polls := r.joined(eio), r.joined(eio)
		opening := r.websocket(eio)
		probing := r.joined(eio)
		probe := probing.upgrade()
		probe.send("2probe")
		probe.want("3probe")
		if eio == eio3 {
			opening.want("40")
		}
		waiting := waits.waiting()
		synctest.Wait()
		for range len(r.h.connects) {
			if err := (<-r.h.connects).Send(event); err != nil {
				t.Fatal(err)
			}
		}
		if eio == eio3 {
			opening.want(`42["last"]`)
		}
		if a := next(t, "answer", waiting); a.body != `42["last"]` {
			t.Errorf("waiting GET: %q", a.body)
		}
		waiting = waits.waiting()
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- r.srv.Shutdown(t.Context()) }()
		ws.want(`42["last"]`)
		ws.ended(closeGoingAway)
		opening.ended(closeGoingAway)
		probe.ended(closeGoingAway)
		if a := next(t, "answer", waiting); a.body != "1" {
			t.Errorf("waiting GET: %q", a.body)
		}
		for _, p := range []*poller{polls, probing} {
			if got := p.get(200) + p.get(200); got != `42["last"]1` {
				t.Errorf("next GETs: %q", got)
			}
		}
		if err := next(t, "end of the shutdown", done); err != nil {
			t.Error(err)
		}
		for range len(r.h.disconnects) {
			r.disconnected(ReasonShutdown)
		}
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions", n)
		}
		wantRefusal(t, r.do("GET", fmt.Sprintf("EIO=%d&transport=polling", eio), ""), 503, 3)
		if _, status := r.dial(fmt.Sprintf("EIO=%d&transport=websocket", eio)); status != 503 {
			t.Errorf("WebSocket after the shutdown: %d", status)
		}
	})
}

// A shutdown whose time runs out cuts off those that do not take their last packets.
func TestShutdownThatIsCutShort(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true, CloseTimeout: time.Hour, WriteTimeout: time.Hour})
		r.joined(eio)
		frozen, _, err := r.dialer.Dial(fmt.Sprintf("ws://signalling.test/socket.io/?EIO=%d&transport=websocket", eio), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = frozen.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		within(t, 3*time.Second, "end of the shutdown", func() {
			if err := r.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// A handler that does not return cannot hold up a shutdown for long.
func TestShutdownWithAStuckHandler(t *testing.T) {
	r := newTCPRig(t, Config{}) // in a bubble time would stand still: the session's Disconnect waits for a mutex
	release := make(chan struct{})
	r.h.onEvent = func(*Session, AckID, []byte, [][]byte) error { <-release; return nil }
	ws := r.joinedWebSocket(eio4)
	ws.send(`42["a"]`)
	next(t, "event", r.h.events)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := r.srv.Shutdown(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 sessions") {
		t.Error(err)
	}
	close(release)
}

// A handshake that meets a shutdown ends like the others.
func TestHandshakeDuringShutdown(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		deciding, decide := make(chan struct{}), make(chan struct{})
		r.h.admit = func(*Session, json.RawMessage, *http.Request) error {
			close(deciding)
			<-decide
			return nil
		}
		ws := r.websocket(eio)
		if eio == eio4 {
			ws.send("40")
		}
		<-deciding
		done := make(chan error, 1)
		go func() { done <- r.srv.Shutdown(t.Context()) }()
		synctest.Wait()
		none(t, "end of the shutdown", done)
		close(decide)
		r.disconnected(ReasonShutdown)
		ws.ended(closeGoingAway)
		if err := next(t, "end of the shutdown", done); err != nil {
			t.Error(err)
		}
	})
}

func TestReasonsHaveTexts(t *testing.T) {
	seen := map[string]bool{}
	for r := ReasonClientDisconnect; r <= ReasonShutdown; r++ {
		if text := r.String(); text == "" || seen[text] {
			t.Errorf("reason %d is %q", r, text)
		} else {
			seen[text] = true
		}
		if code := r.closeCode(); code < 1000 || code > 1011 {
			t.Errorf("reason %d closes with %d", r, code)
		}
	}
	if Reason(200).String() != "" {
		t.Error("unknown reason has a text")
	}
}
