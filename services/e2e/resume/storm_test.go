package resume

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "signalling/pkg/client"
	"signalling/services/e2e/lab"
	"signalling/services/e2e/labtest"
)

var stormClients = flag.Int("storm.clients", 500, "clients that come back at once")

// perRoom is how many clients of a storm are in one room, with somebody who stays.
const perRoom = 20

// All clients of a gateway that has gone come to the other one at once: all get their sessions, and nobody is told that they
// were away.
func TestStorm(t *testing.T) {
	for _, end := range []struct {
		name, result string
		end          func(g *lab.Process) error
	}{
		{"killed", "found", (*lab.Process).Kill},
		{"stopped", "moved", (*lab.Process).Terminate},
	} {
		t.Run(end.name, func(t *testing.T) {
			s := site(t, "120s")
			stays, clients := populate(t, s, *stormClients)
			start := time.Now()
			must(t, end.end(s.Gateways[0]))
			took := comeBack(t, s, clients)
			t.Logf("%d clients: all were back %v after the end of their gateway", len(clients), took(start))
			counted := `signalling_gateway_sessions_resumed_total{result="` + end.result + `"}`
			for n, deadline := 0, time.Now().Add(labtest.Patience); n != len(clients); time.Sleep(10 * time.Millisecond) {
				// A client knows before it is counted.
				if n = int(metric(t, s, 1, counted)); time.Now().After(deadline) {
					t.Fatalf("%d sessions were %s, of %d", n, end.result, len(clients))
				}
			}
			for i := range rooms(len(clients)) {
				roster, err := stays.Join(labtest.Context(t), stormRoom(i))
				must(t, err)
				if want := min(perRoom, len(clients)-i*perRoom); len(roster.Clients) != want {
					t.Errorf("%s has %d others, want %d", stormRoom(i), len(roster.Clients), want)
				}
			}
			must(t, stays.Close())
			for m := range stays.Events() {
				switch m.Event.(type) {
				case *sdk.ClientLeft, *sdk.RoomLeft, *sdk.Error:
					t.Fatalf("who stayed was told %s", m.Raw)
				}
			}
		})
	}
}

func rooms(clients int) int { return (clients + perRoom - 1) / perRoom }

func stormRoom(i int) string { return fmt.Sprintf("storm %d", i) }

// atOnce bounds how many clients connect at a time, so that the machine's backlog takes them.
const atOnce = 64

// each does something for each of n, so many at once.
func each(n int, do func(i int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// populate connects one who stays at the second gateway, with rooms, and clients at the first, who join these.
func populate(t *testing.T, s *labtest.Site, n int) (stays *sdk.Client, clients []*sdk.Client) {
	t.Helper()
	stays = labtest.DialURL(t, s.URLOf(1), &sdk.Options{EventQueue: 4*n + 1000})
	for i := range rooms(n) {
		must(t, stays.Create(labtest.Context(t), stormRoom(i)))
	}
	clients = make([]*sdk.Client, n)
	url, ctx := s.URLOf(0), labtest.Context(t)
	each(n, func(i int) {
		c, err := sdk.Dial(ctx, url, nil)
		if err != nil {
			t.Error(err)
			return
		}
		clients[i] = c
		if _, err := c.Join(ctx, stormRoom(i/perRoom)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		each(n, func(i int) {
			if clients[i] != nil {
				_ = clients[i].Close()
			}
		})
	})
	if t.Failed() {
		t.FailNow()
	}
	return stays, clients
}

// comeBack takes all sessions to the second gateway, as soon as their connections have ended.
func comeBack(t *testing.T, s *labtest.Site, clients []*sdk.Client) (took func(since time.Time) time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*labtest.Patience)
	defer cancel()
	url := s.URLOf(1)
	each(len(clients), func(i int) {
		was := clients[i]
		select {
		case <-was.Done():
		case <-ctx.Done():
			t.Error("a connection does not end")
			return
		}
		now, err := again(ctx, url, was.Session())
		if err != nil {
			t.Error(err)
			return
		}
		clients[i] = now
		if r := now.Resumed(); r == nil || now.ID() != was.ID() {
			t.Errorf("%s came back as %s, %+v", was.ID(), now.ID(), r)
		}
	})
	end := time.Now()
	return func(since time.Time) time.Duration { return end.Sub(since).Round(10 * time.Millisecond) }
}

// again dials until it succeeds.
func again(ctx context.Context, url string, session *sdk.Session) (*sdk.Client, error) {
	for {
		c, err := sdk.Dial(ctx, url, &sdk.Options{Resume: session})
		if err == nil {
			return c, nil
		}
		select {
		case <-time.After(20*time.Millisecond + rand.N(20*time.Millisecond)):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

var pages = http.Client{Timeout: labtest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}

// metric reads a series of a gateway.
func metric(t *testing.T, s *labtest.Site, gateway int, series string) float64 {
	t.Helper()
	admin, err := lab.AdminAddr(labtest.Context(t), s.Gateways[gateway])
	must(t, err)
	resp, err := pages.Get("http://" + admin + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			must(t, err)
			return value
		}
	}
	t.Fatalf("there is no %s", series)
	return 0
}

// What is kept for clients that are away stays within its bound, in the process that keeps it, however many signals come. Those
// for whom it was too much are told so when they are back; the others miss nothing.
func TestKeptSignalsStayWithinTheirBound(t *testing.T) {
	const (
		away   = 100
		sent   = 40
		bytes  = 8 << 10
		memory = 8 << 20 // a quarter of all
		slack  = 24 << 20
	)
	s := site(t, "120s", "GATEWAY_RESUME_MEMORY="+strconv.Itoa(memory), "GATEWAY_RESUME_SIZE=1MiB")
	room, sender := s.Room(), connect(t, s, 1)
	sender.ask(labtest.Create(room), labtest.Created(room))
	clients := make([]*client, away)
	for i := range clients {
		clients[i] = connect(t, s, 0)
		clients[i].Emit(labtest.Join(room))
		clients[i].Next()
		clients[i].got++
		sender.expect(clientJoined(room, clients[i]))
	}
	for i, c := range clients {
		for range away - 1 - i {
			c.expect(clientJoined(room, clients[c.got+i]))
		}
		c.conn.Abort()
	}
	const heap, kept = "go_memstats_heap_inuse_bytes", "signalling_gateway_kept_bytes"
	before, most := metric(t, s, 0, heap), 0.0
	data := strings.Repeat("x", bytes)
	for _, c := range clients {
		for n := range sent {
			sender.Emit(signal(room, c, fmt.Sprint(n, " ", data)))
		}
		sender.ExpectNothing()
		now := metric(t, s, 0, kept)
		if most = max(most, now); now > memory+2*bytes { // what is added is counted before the oldest is dropped
			t.Fatalf("%v bytes are kept, at most %d are to be", now, memory)
		}
	}
	if grown := metric(t, s, 0, heap) - before; grown > memory+slack {
		t.Errorf("the heap has grown by %.1f MiB", grown/(1<<20))
	} else {
		t.Logf("%.1f MiB were kept at most of %.1f MiB that were sent; the heap has grown by %.1f MiB",
			most/(1<<20), float64(away*sent*bytes)/(1<<20), grown/(1<<20))
	}
	missed := 0
	for _, c := range clients {
		n, answer := c.try(0, c.token, c.got)
		switch {
		case answer["event"] != "resumed":
			t.Fatalf("%v", answer)
		case answer["missed"] == true:
			missed++
			continue
		}
		for k := range sent {
			n.Expect(received(room, sender, fmt.Sprint(k, " ", data)))
		}
	}
	if missed == 0 || missed == away {
		t.Errorf("%d of %d have missed something", missed, away)
	}
}
