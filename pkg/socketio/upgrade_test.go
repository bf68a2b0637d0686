package socketio

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The upgrade as clients 4 and 2 do it.
func TestUpgrade(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		s := r.connected()
		waiting := p.waiting()
		ws := p.upgrade()
		synctest.Wait()
		none(t, "answer before the probe", waiting)
		ws.send("2probe")
		ws.want("3probe")
		if a := next(t, "answer", waiting); a.status != 200 || a.body != "6" {
			t.Errorf("waiting GET: %d %q", a.status, a.body)
		}
		for range 3 {
			if got := p.get(200); got != "6" {
				t.Errorf("new GET: %q", got)
			}
		}
		p.echo("by polling while upgrading") // the client may go on until it has sent packet 5
		for i := range 3 {
			if err := s.Send(NewEvent(fmt.Appendf(nil, `["queued",%d]`, i))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if s.Transport() != "polling" || len(ws.frames) != 0 {
			t.Errorf("%s before packet 5, with %d frames", s.Transport(), len(ws.frames))
		}
		ws.send("5")
		ws.want(`42["queued",0]`, `42["queued",1]`, `42["queued",2]`)
		ws.echo("by websocket")
		if s.Transport() != "websocket" {
			t.Error(s.Transport())
		}
		wantRefusal(t, p.do("GET", p.query(), ""), 400, 3)
		wantRefusal(t, p.do("POST", p.query(), "2"), 400, 3)
		p.upgrade().ended(closeProtocol)
		ws.echo("still here")
		_ = ws.ws.Close()
		r.disconnected(ReasonTransportError)
	})
}

// A waiting GET does not stop a client that sends its packets without waiting for answers.
func TestUpgradeInOneBreath(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		waiting := p.waiting()
		synctest.Wait()
		ws := p.upgrade()
		ws.send("2probe", "5", `42["echo",1]`, `42["echo",2]`)
		ws.want("3probe", `42["echo",1]`, `42["echo",2]`)
		if a := next(t, "answer", waiting); a.status != 200 || a.body != "6" {
			t.Errorf("waiting GET: %d %q", a.status, a.body)
		}
	})
}

// A client that has not yet joined the namespace may upgrade and join then.
func TestUpgradeBeforeConnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		p, _ := r.open(eio4)
		ws := p.upgrade()
		ws.send("2probe")
		ws.want("3probe")
		ws.send("5", "40")
		if id := connectedID(t, ws.next()); id != r.connected().ID() {
			t.Errorf("id %q", id)
		}
		ws.echo("x")
	})
}

// A probe that dies leaves the polling session untouched, and may be repeated.
func TestProbesThatDie(t *testing.T) {
	ways := map[string]func(ws *socket){
		"closed at once":            func(ws *socket) { _ = ws.ws.Close() },
		"upgrade without probe":     func(ws *socket) { ws.send("5"); ws.ended(closeProtocol) },
		"message in place of probe": func(ws *socket) { ws.send(`42["a"]`); ws.ended(closeProtocol) },
		"ping that is no probe":     func(ws *socket) { ws.send("2"); ws.ended(closeProtocol) },
		"binary probe":              func(ws *socket) { ws.sendBinary([]byte("2probe")); ws.ended(closeProtocol) },
		"too large":                 func(ws *socket) { ws.send("2" + strings.Repeat("x", 1000)); ws.ended(1009) },
		"message after the probe": func(ws *socket) {
			ws.send("2probe")
			ws.want("3probe")
			ws.send(`42["a"]`)
			ws.ended(closeProtocol)
		},
		"closed after the probe": func(ws *socket) {
			ws.send("2probe")
			ws.want("3probe")
			_ = ws.ws.Close()
		},
	}
	for name, die := range ways {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, eio int) {
				r := newRig(t, Config{Polling: true, ReadLimit: 500})
				p := r.joined(eio)
				die(p.upgrade())
				synctest.Wait()
				p.echo("still polling")
				ws := p.upgrade()
				ws.send("2probe", "2probe")
				ws.want("3probe", "3probe")
				ws.send("5")
				ws.echo("upgraded at last")
			})
		})
	}
}

// 10 s are the limit from the opening to packet 5; after it a GET waits as before.
func TestUpgradeTimeout(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		ws := p.upgrade()
		time.Sleep(9 * time.Second)
		ws.send("2probe")
		ws.want("3probe")
		started := time.Now()
		if got := p.get(200); got != "6" {
			t.Errorf("GET: %q", got)
		}
		ws.ended(closePolicy)
		if d := time.Since(started); d != time.Second {
			t.Errorf("closed after %v", d)
		}
		waiting := p.waiting()
		synctest.Wait()
		none(t, "answer", waiting)
		p.post(`42["echo"]`, 200)
		if a := next(t, "answer", waiting); a.body != `42["echo"]` {
			t.Errorf("GET: %q", a.body)
		}
	})
}

// Of two WebSockets for one session the first takes over, the second is closed.
func TestTwoUpgrades(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		first := p.upgrade()
		synctest.Wait()
		p.upgrade().ended(closeProtocol)
		first.send("2probe")
		first.want("3probe")
		p.upgrade().ended(closeProtocol)
		first.send("5")
		first.echo("x")
	})
}

// The answer to the probe may be stuck in a proxy: client and server must not spin meanwhile.
func TestPollsWhileUpgradingDoNotSpin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio4)
		waiting := p.waiting()
		synctest.Wait()
		ws := p.upgrade()
		ws.send("2probe")
		ws.want("3probe")
		started := time.Now()
		if a := next(t, "answer", waiting); a.body != "6" || time.Since(started) != 0 {
			t.Errorf("the first GET got %q after %v", a.body, time.Since(started))
		}
		for range 10 {
			p.get(200)
		}
		if d := time.Since(started); d != 10*noopPause {
			t.Errorf("the next ten took %v", d)
		}
		waiting = p.waiting()
		synctest.Wait()
		p.post(`42["echo"]`, 200)
		if a := next(t, "answer", waiting); a.body != `42["echo"]` || time.Since(started) != 10*noopPause {
			t.Errorf("a packet was held back: %q after %v", a.body, time.Since(started))
		}
	})
}

// A GET that comes before the probe, but after its WebSocket, waits for the probe like the one before.
func TestGETBetweenWebSocketAndProbe(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		ws := p.upgrade()
		synctest.Wait()
		waiting := p.waiting()
		time.Sleep(time.Second)
		none(t, "answer", waiting)
		within(t, 0, "answer", func() {
			ws.send("2probe")
			if a := next(t, "answer", waiting); a.body != "6" {
				t.Errorf("GET: %d %q", a.status, a.body)
			}
		})
	})
}

// engine.io-protocol test suite, "ignores HTTP requests with same sid after upgrade": a client that does not wait for the
// probe's answer is past the upgrade, also when its GET overtakes its packet 5.
func TestGETThatMeetsTheUpgrade(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		ws := p.upgrade()
		ws.send("2probe")
		ws.want("3probe")
		waiting := p.waiting()
		synctest.Wait()
		none(t, "answer", waiting)
		ws.send("5")
		wantRefusal(t, next(t, "answer", waiting), 400, 3)
		ws.echo("x")
	})
}

// What is queued at the upgrade fits into the WebSocket's queue, up to the last byte.
func TestFullQueueIsMoved(t *testing.T) {
	event := NewEvent([]byte(`["a"]`))
	for name, c := range map[string]Config{
		"packets": {Polling: true, QueueFrames: 100},
		"bytes":   {Polling: true, QueueBytes: 100 * event.size()},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, c)
				p := r.joined(eio4)
				s := r.connected()
				ws := p.upgrade()
				ws.send("2probe")
				ws.want("3probe")
				n := 0
				for s.Send(event) == nil {
					n++
				}
				if n != 100 {
					t.Errorf("%d packets are queued", n)
				}
				ws.send("5")
				for range n {
					ws.want(`42["a"]`)
				}
				ws.echo("x")
			})
		})
	}
}

// A session that ends while a WebSocket is probing takes it along.
func TestEndWhileUpgrading(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		ws := p.upgrade()
		ws.send("2probe")
		ws.want("3probe")
		p.post("1", 200)
		ws.ended(closeNormal)
		r.disconnected(ReasonTransportClose)
	})
}

// Packets that are sent all through an upgrade arrive once each and in order, first by polling and then by WebSocket.
func TestNothingIsLostOrTurnedRoundByAnUpgrade(t *testing.T) {
	for _, eio := range bothVersions {
		t.Run(fmt.Sprintf("EIO=%d", eio), func(t *testing.T) {
			r := newTCPRig(t, Config{Polling: true})
			for round := range 20 {
				p := r.joined(eio)
				s := r.connected()
				const n = 300
				sent := make(chan error, 1)
				go func() {
					for i := range n {
						if err := s.Send(NewEvent(fmt.Appendf(nil, `["n",%d]`, i))); err != nil {
							sent <- fmt.Errorf("round %d: %w", round, err)
							return
						}
					}
					sent <- nil
				}()
				ws := p.upgrade()
				ws.send("2probe")
				ws.want("3probe")
				got := 0
				take := func(packet string) {
					t.Helper()
					if packet == "6" {
						return
					}
					if want := fmt.Sprintf(`42["n",%d]`, got); packet != want {
						t.Fatalf("round %d: got %q, want %q", round, packet, want)
					}
					got++
				}
				for one := range strings.SplitSeq(p.get(200), "\x1e") {
					take(one)
				}
				ws.send("5")
				for got < n {
					take(ws.next())
				}
				if err := next(t, "end of sending", sent); err != nil && !errors.Is(err, ErrClosed) {
					t.Fatal(err)
				}
				ws.echo("and the upgrade is done, whoever got the last packet")
				_ = ws.ws.Close()
			}
		})
	}
}

// A request that asks for a WebSocket but is no proper handshake (RFC 6455 section 4.2.1) is refused and changes nothing.
func TestBrokenWebSocketHandshakes(t *testing.T) {
	each(t, func(t *testing.T, eio int) {
		r := newRig(t, Config{Polling: true})
		p := r.joined(eio)
		for _, sid := range []string{"", "&sid=" + p.sid} {
			query := fmt.Sprintf("EIO=%d&transport=websocket%s", eio, sid)
			a := r.do("GET", query, "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Origin", origin)
			if a.status != 400 || a.header.Get("Access-Control-Allow-Origin") != origin {
				t.Errorf("%s: %d %v", query, a.status, a.header)
			}
		}
		if n := r.srv.Len(); n != 1 {
			t.Errorf("%d sessions", n)
		}
		p.echo("still here")
	})
}
