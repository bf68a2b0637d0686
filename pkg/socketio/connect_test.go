package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// The handler sees the auth object, and the request of the handshake.
func TestAuthAndRequestReachTheHandler(t *testing.T) {
	type key struct{}
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		var got []string
		r.h.admit = func(_ *Session, auth json.RawMessage, req *http.Request) error {
			if err := req.Context().Err(); err != nil {
				t.Errorf("the request's context has ended: %v", err)
			}
			_ = req.Context().Value(key{})
			got = append(got, fmt.Sprintf("%s %s %s", auth, req.URL.Query().Get("user"), req.Header.Get("X-Test")))
			return nil
		}
		ws, _ := r.dial("EIO=4&transport=websocket&user=alice")
		ws.next()
		ws.send(`40{"token":"👩"}`)
		ws.next()
		p, _ := r.open(eio4)
		p.post(`40{"token":1}`, 200)
		p.get(200)
		a := r.do("GET", "EIO=3&transport=polling&user=bob", "", "X-Test", "yes")
		if a.status != 200 {
			t.Error(a)
		}
		want := []string{`{"token":"👩"} alice `, `{"token":1}  `, ` bob yes`}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("handler saw %q, want %q", got, want)
		}
	})
}

// A refused client gets CONNECT_ERROR in the form of its protocol, may try again, and costs no more than its time.
func TestRefusedClients(t *testing.T) {
	refusals := []struct {
		err    error
		v5, v4 string
	}{
		{&ConnectError{Message: `no "token"`}, `44{"message":"no \"token\""}`, `44"no \"token\""`},
		{&ConnectError{Message: "no", Data: []byte(`{"code":1}`)}, `44{"message":"no","data":{"code":1}}`, `44{"code":1}`},
		{fmt.Errorf("while asking: %w", &ConnectError{Message: "later"}), `44{"message":"later"}`, `44"later"`},
		{errors.New("dial tcp 10.0.0.1: refused"), `44{"message":"Internal error"}`, `44"Internal error"`},
	}
	for _, c := range refusals {
		t.Run(c.err.Error(), func(t *testing.T) {
			each(t, func(t *testing.T, eio int) {
				r := newRig(t, Config{Polling: true})
				var refused *Session
				refuse := true
				r.h.admit = func(s *Session, _ json.RawMessage, _ *http.Request) error {
					if refuse {
						refused = s
						_ = s.Send(NewEvent([]byte(`["never seen"]`)))
						return c.err
					}
					return nil
				}
				ws := r.websocket(eio)
				if eio == eio3 {
					ws.want(c.v4)
					if err := refused.Send(NewEvent([]byte(`["a"]`))); !errors.Is(err, ErrClosed) {
						t.Errorf("send to a refused client: %v", err)
					}
					ws.send("2")
					ws.want("3")
					ws.send(`42["a"]`)
					ws.ended(closeProtocol)
					none(t, "Disconnect", r.h.disconnects)
					return
				}
				ws.send("40")
				ws.want(c.v5)
				refuse = false
				ws.send("40")
				connectedID(t, ws.next())
				ws.echo("x")
			})
		})
	}
}

func TestRefusedClientIsClosedInTheEnd(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true, ConnectTimeout: 40 * time.Second})
		r.h.admit = func(*Session, json.RawMessage, *http.Request) error { return &ConnectError{Message: "no"} }
		ws := r.websocket(eio)
		if eio == eio4 {
			ws.send("40")
		}
		ws.next()
		started := time.Now()
		if eio == eio4 {
			ws.await(time.Hour) // the ping
			ws.send("3")
		}
		if got := ws.await(time.Hour); got != "end" || time.Since(started) != 40*time.Second {
			t.Errorf("%q after %v", got, time.Since(started))
		}
		none(t, "Disconnect", r.h.disconnects)
	})
}

// What the handler sends while it connects a client comes behind the client's CONNECT, within the queue's bounds.
func TestPacketsSentWhileConnecting(t *testing.T) {
	for _, transport := range []string{"websocket", "polling"} {
		t.Run(transport, func(t *testing.T) {
			each(t, func(t *testing.T, eio int) {
				r := newRig(t, Config{Polling: true, QueueFrames: 5})
				r.h.admit = func(s *Session, _ json.RawMessage, _ *http.Request) error {
					for i := range 3 {
						if err := s.Send(NewEvent(fmt.Appendf(nil, `["early",%d]`, i))); err != nil {
							t.Error(err)
						}
					}
					return nil
				}
				want := []string{"40", `42["early",0]`, `42["early",1]`, `42["early",2]`}
				var got []string
				if transport == "websocket" {
					ws := r.websocket(eio)
					if eio == eio4 {
						ws.send("40")
					}
					for range want {
						got = append(got, ws.next())
					}
				} else {
					p, rest := r.open(eio)
					if eio == eio4 {
						p.post("40", 200)
						rest = p.get(200)
					}
					got = strings.Split(rest, "\x1e")
				}
				if strings.HasPrefix(got[0], "40{") {
					got[0] = "40"
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

func TestPacketsSentWhileConnectingAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{QueueFrames: 3})
		r.h.admit = func(s *Session, _ json.RawMessage, _ *http.Request) error {
			for range 3 {
				_ = s.Send(NewEvent([]byte(`["a"]`)))
			}
			if err := s.Send(NewEvent([]byte(`["a"]`))); !errors.Is(err, ErrQueueFull) {
				t.Errorf("beyond the bound: %v", err)
			}
			return nil
		}
		ws := r.websocket(eio4)
		ws.send("40") // CONNECT itself is one too many
		r.disconnected(ReasonQueueFull)
	})
}

// A session that ends while the handler is deciding has its Disconnect after its Connect.
func TestEndWhileConnecting(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		r.h.admit = func(s *Session, _ json.RawMessage, _ *http.Request) error {
			s.Close(4001, "not you")
			if err := s.Send(NewEvent([]byte(`["a"]`))); !errors.Is(err, ErrClosed) {
				t.Errorf("send after close: %v", err)
			}
			return nil
		}
		ws := r.websocket(eio)
		if eio == eio4 {
			ws.send("40")
		}
		r.connected()
		r.disconnected(ReasonServerClose)
		ws.ended(4001)
	})
}

// Unknown namespaces, the error in each protocol's form, the session untouched.
func TestUnknownNamespaces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		v5 := r.websocket(eio4)
		v5.send("40/x,")
		v5.want(`44/x,{"message":"Invalid namespace"}`)
		v5.send("40/random")
		v5.want(`44/random,{"message":"Invalid namespace"}`)
		v5.send(`40/x,{"token":"abc"}`)
		v5.want(`44/x,{"message":"Invalid namespace"}`)
		v5.send("41/x,")
		v5.send("40/,")
		connectedID(t, v5.next())
		v5.echo("x")

		v4 := r.joinedWebSocket(eio3)
		v4.send("40/x,")
		v4.want(`44/x,"Invalid namespace"`)
		v4.send("40/x?token=1&b=2,")
		v4.want(`44/x,"Invalid namespace"`)
		v4.send("41/x,")
		v4.echo("x")

		p := r.joined(eio3)
		p.post("40/日,", 200)
		if got := p.get(200); got != `44/日,"Invalid namespace"` {
			t.Errorf("by polling: %q", got)
		}
	})
}

// Clients send 41 and close. The transport stays open for them to close it, for a time.
func TestClientLeaves(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true, ConnectTimeout: 30 * time.Second})
		ws := r.joinedWebSocket(eio)
		s := r.connected()
		ws.send("41")
		r.disconnected(ReasonClientDisconnect)
		if err := s.Send(NewEvent([]byte(`["a"]`))); !errors.Is(err, ErrClosed) {
			t.Errorf("send after the client has left: %v", err)
		}
		if eio == eio4 {
			if got := ws.await(time.Hour); got != "2" {
				t.Errorf("no ping after 41: %q", got)
			}
			ws.send("3")
		}
		if got := ws.await(time.Hour); got != "end" || !websocket.IsCloseError(ws.err, closeNormal) {
			t.Errorf("%q, %v", got, ws.err)
		}
		synctest.Wait()
		none(t, "Disconnect", r.h.disconnects)
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// By polling a client that leaves posts 41 and 1.
func TestClientLeavesByPolling(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		waiting := p.waiting()
		synctest.Wait()
		p.post("41\x1e1", 200)
		r.disconnected(ReasonClientDisconnect)
		if a := next(t, "answer", waiting); a.body != "6" {
			t.Errorf("waiting GET: %q", a.body)
		}
		synctest.Wait()
		if n := r.srv.Len(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
}

// The handler's data stays with the session.
func TestSessionData(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.h.admit = func(s *Session, _ json.RawMessage, _ *http.Request) error { s.SetData("mine"); return nil }
		r.joinedWebSocket(eio3)
		if got := r.connected().Data(); got != "mine" {
			t.Errorf("data %v", got)
		}
	})
}
