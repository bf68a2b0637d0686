package socketio

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestAbuse lets several clients that share one session's sid do all that they should not do at the same time. Whatever
// comes of it, the handler's calls stay in order and apart (the recorder checks that), each session ends once, and
// nothing is left over.
func TestAbuse(t *testing.T) {
	for _, eio := range bothVersions {
		t.Run(fmt.Sprintf("EIO=%d", eio), func(t *testing.T) {
			r := newTCPRig(t, Config{
				Polling: true, CloseTimeout: 200 * time.Millisecond, UpgradeTimeout: 100 * time.Millisecond,
				QueueFrames: 50,
			})
			for round := range 60 {
				p := r.joined(eio)
				s := r.connected()
				var wg sync.WaitGroup
				for i := range 6 {
					seed := rand.New(rand.NewPCG(uint64(round), uint64(i)))
					wg.Go(func() { abuse(t, p, seed) })
				}
				wg.Go(func() {
					for range 100 {
						_ = s.Send(NewEvent([]byte(`["n",{"_placeholder":true,"num":0}]`), []byte{1}))
					}
					if round%3 == 0 {
						s.Close(4000, "enough")
					}
				})
				wg.Wait()
				if round%2 == 0 {
					s.Abort(4000, "next")
				}
			}
		})
	}
}

// abuse does some of the things that a hostile client might do with a sid that it knows.
func abuse(t *testing.T, p *poller, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hurry, stop := context.WithTimeout(ctx, time.Duration(random.IntN(20))*time.Millisecond)
	defer stop()
	for range 4 {
		switch random.IntN(7) {
		case 0: // a poll that is given up
			_, _ = p.try(hurry, "GET", p.query(), "")
		case 1: // polls and posts at the same time as the others'
			_, _ = p.try(ctx, "POST", p.query(), p.encode(`42["a"]`+"\x1e"+`4217["b"]`))
		case 2: // a probe that stops half way
			abuseUpgrade(ctx, p, "2probe")
		case 3: // an upgrade, with messages in the same breath
			abuseUpgrade(ctx, p, "2probe", "5", `42["a"]`, `451-["a",{"_placeholder":true,"num":0}]`)
		case 4: // an upgrade without a probe
			abuseUpgrade(ctx, p, "5", `42["a"]`)
		case 5: // half a binary event, and then something else
			_, _ = p.try(ctx, "POST", p.query(), p.encode(`451-["a",{"_placeholder":true,"num":0}]`))
		case 6:
			if random.IntN(4) == 0 { // the end of it all
				_, _ = p.try(ctx, "POST", p.query(), p.encode([]string{"1", "41", "abc", "42{}"}[random.IntN(4)]))
			}
		}
	}
}

// abuseUpgrade opens a WebSocket on the session, sends frames without waiting, reads a little and drops the connection.
func abuseUpgrade(ctx context.Context, p *poller, frames ...string) {
	url := fmt.Sprintf("ws%s/socket.io/?EIO=%d&transport=websocket&sid=%s", strings.TrimPrefix(origin, "http"), p.eio, p.sid)
	ws, resp, err := p.dialer.DialContext(ctx, url, nil)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return
	}
	defer func() { _ = ws.Close() }()
	for _, f := range frames {
		if ws.WriteMessage(websocket.TextMessage, []byte(f)) != nil {
			return
		}
	}
	_ = ws.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
}

// FuzzSession sends a session arbitrary packets on each transport and of each version: it answers or closes, and ends.
func FuzzSession(f *testing.F) {
	for _, o := range oddities {
		f.Add([]byte(strings.Join(o.packets, "\x1e")), true)
	}
	f.Add([]byte(`42["a"]`+"\x1e2\x1e3\x1e41\x1e40\x1e1"), false)
	f.Fuzz(func(t *testing.T, payload []byte, upgrade bool) {
		for _, eio := range bothVersions {
			r := newRig(t, Config{Polling: true, ReadLimit: 4096, QueueFrames: 64, CloseTimeout: time.Millisecond})
			p := r.joined(eio)
			if !upgrade {
				for _, kind := range []string{"text/plain", "application/octet-stream"} {
					if _, err := p.try(t.Context(), "POST", p.query(), string(payload), "Content-Type", kind); err != nil {
						t.Fatal(err)
					}
				}
				continue
			}
			ws := p.upgrade()
			ws.send("2probe", "5")
			for one := range strings.SplitSeq(string(payload), "\x1e") {
				op := websocket.TextMessage
				if len(one) > 0 && one[0] == 'b' {
					op, one = websocket.BinaryMessage, one[1:]
				}
				if ws.ws.WriteMessage(op, []byte(one)) != nil {
					break
				}
			}
		}
	})
}
