package standalone

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalling/api/operate"
	"signalling/pkg/client"
	"signalling/pkg/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// start runs the product on free ports and returns what stops it and waits for its end.
func start(t testing.TB) (s *Server, stop func()) {
	t.Helper()
	var cfg Config
	environ := map[string]string{"GATEWAY_LISTEN": "127.0.0.1:0", "GATEWAY_ADMIN_LISTEN": "127.0.0.1:0"}
	if err := settings.Parse(&cfg, settings.Options{Environ: environ, Defaults: Defaults}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := New(ctx, cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("it does not end")
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func dial(t testing.TB, s *Server) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, "ws://"+s.Addr().String()+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// expect reads the client's events until one of type E comes.
func expect[E client.Event](t testing.TB, c *client.Client) E {
	t.Helper()
	for {
		select {
		case m, ok := <-c.Events():
			if !ok {
				t.Fatalf("the connection ended: %v", c.Err())
			}
			if e, ok := m.Event.(E); ok {
				return e
			}
		case <-time.After(patience):
			var e E
			t.Fatalf("no %T came", e)
		}
	}
}

func TestTwoClientsMeetAndTheServerStopsCleanly(t *testing.T) {
	s, stop := start(t)
	owner, guest := dial(t, s), dial(t, s)
	ctx := t.Context()
	if err := owner.Create(ctx, "lobby"); err != nil {
		t.Fatal(err)
	}
	joined, err := guest.Join(ctx, "lobby")
	if err != nil || joined.OwnerID != owner.ID() || len(joined.Clients) != 1 || joined.Clients[0] != owner.ID() {
		t.Fatalf("joined %+v, %v", joined, err)
	}
	if e := expect[*client.ClientJoined](t, owner); e.ClientID != guest.ID() {
		t.Errorf("%+v", e)
	}
	if err := guest.Signal(ctx, "lobby", owner.ID(), json.RawMessage(`{"type": "offer"}`)); err != nil {
		t.Fatal(err)
	}
	if e := expect[*client.SignalReceive](t, owner); e.SenderID != guest.ID() || string(e.Data) != `{"type": "offer"}` {
		t.Errorf("%+v", e)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get("http://" + s.AdminAddr().String() + path)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %v %v", path, resp, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	for _, c := range []*client.Client{owner, guest} {
		<-c.Done()
		var closed *client.CloseError
		if !errors.As(c.Err(), &closed) || closed.Code != client.CloseGoingAway {
			t.Errorf("the client ended with %v", c.Err())
		}
	}
}

// The whole way of a command, and of a signal between two clients, in one process.
func BenchmarkOneProcess(b *testing.B) {
	s, _ := start(b)
	owner, guest := dial(b, s), dial(b, s)
	ctx := b.Context()
	if err := owner.Create(ctx, "bench"); err != nil {
		b.Fatal(err)
	}
	go func() {
		for range owner.Events() {
		}
	}()
	b.Run("join and leave", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := guest.Join(ctx, "bench"); err != nil {
				b.Fatal(err)
			}
			if err := guest.Leave(ctx, "bench"); err != nil {
				b.Fatal(err)
			}
			for len(guest.Events()) > 0 {
				<-guest.Events()
			}
		}
	})
	if _, err := guest.Join(ctx, "bench"); err != nil {
		b.Fatal(err)
	}
	data := json.RawMessage(`{"candidate":"candidate:1 1 UDP 2130706431 10.0.0.1 8998 typ host"}`)
	b.Run("signal to itself and back", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := guest.Signal(ctx, "bench", guest.ID(), data); err != nil {
				b.Fatal(err)
			}
			expect[*client.SignalReceive](b, guest)
		}
	})
}

// The one admin address shows both services, and the rooms as their owner has them.
func TestTheLivePageShowsBoth(t *testing.T) {
	s, _ := start(t)
	dial(t, s)
	resp, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + s.AdminAddr().String() + "/live.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page operate.Live
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	if page.Gateway == nil || page.Instance == nil || page.Rooms == nil || page.Instance.Active != 64 || page.Gateway.NATS != "in this process" ||
		page.Gateway.PID != page.Instance.PID {
		t.Errorf("%+v", page)
	}
}
