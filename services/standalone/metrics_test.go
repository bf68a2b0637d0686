package standalone

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"signalling/pkg/client"
	"signalling/pkg/metrics"
	"signalling/pkg/metrics/metricstest"
	"signalling/pkg/natsbus/natstest"
)

// startReady is start that waits until the rooms serve.
func startReady(t testing.TB) (s *Server, stop func()) {
	t.Helper()
	s, stop = start(t)
	deadline := time.Now().Add(patience)
	for s.rooms.Ready(t.Context()) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the rooms do not serve")
		}
		runtime.Gosched()
	}
	return s, stop
}

// The tables in deploy/METRICS.md are made from the code, and list every series that a running server has; `make settings`
// writes them.
func TestMetricsOfBothServices(t *testing.T) {
	const page = "../../deploy/METRICS.md"
	s, _ := startReady(t)
	for block, prefix := range map[string]string{
		"metrics-gateway": "signalling_gateway_", "metrics-rooms": "signalling_rooms_", "metrics-nats": "signalling_nats_",
		"metrics-build": "signalling_build_",
	} {
		metricstest.Block(t, page, block, prefix, s.metrics)
	}
	metricstest.Lint(t, s.metrics)
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if name := f.GetName(); strings.HasPrefix(name, metrics.Namespace) && strings.HasSuffix(f.GetHelp(), "..") {
			t.Errorf("%s: %q", name, f.GetHelp())
		}
	}
}

func TestMetricsAreServedByTheAdminAddress(t *testing.T) {
	s, _ := startReady(t)
	c := http.Client{Timeout: natstest.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + s.AdminAddr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	for _, want := range []string{
		`signalling_gateway_connections{door="native"} 0`, `signalling_rooms_partitions{state="active"} 64`,
		`signalling_nats_connected{client="gateway"} 1`, `signalling_nats_connected{client="rooms"} 1`, "go_goroutines ",
	} {
		if !strings.Contains(string(body), "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestMetricsCountWhatClientsDo(t *testing.T) {
	s, stop := startReady(t)
	a, b := dial(t, s), dial(t, s)
	value := func(name string, labels ...string) float64 {
		t.Helper()
		return metricstest.Value(t, s.metrics, "signalling_gateway_"+name, labels...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Create(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Join(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Join(ctx, "nowhere"); err == nil {
		t.Fatal("joined a room that does not exist")
	}
	expect[*client.ClientJoined](t, a)
	if err := b.Signal(ctx, "r", a.ID(), map[string]string{"type": "offer"}); err != nil {
		t.Fatal(err)
	}
	expect[*client.SignalReceive](t, a)
	for _, want := range []struct {
		value  float64
		name   string
		labels []string
	}{
		{2, "connections", []string{"door", "native"}},
		{1, "commands_total", []string{"command", "room-create", "answer", "room-created"}},
		{1, "commands_total", []string{"command", "room-join", "answer", "room-joined"}},
		{1, "commands_total", []string{"command", "room-join", "answer", "room-not-exists"}},
		{3, "commands_total", nil},
		{2, "command_duration_seconds", []string{"command", "room-join"}},
		{1, "events_delivered_total", []string{"event", "client-joined"}},
		{1, "event_fanout_clients", nil},
		{1, "signals_total", []string{"route", "local", "result", "delivered"}},
		{1, "signals_total", nil},
		{1, "signal_size_bytes", nil},
		{1, "rooms", nil},
		{0, "repairs_total", nil},
	} {
		if got := value(want.name, want.labels...); got != want.value {
			t.Errorf("%s%q is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
	if got := metricstest.Value(t, s.metrics, "signalling_rooms_members"); got != 2 {
		t.Errorf("%v members", got)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	expect[*client.RoomLeft](t, b)
	stop()
	for reason, want := range map[string]float64{"client": 1, "going-away": 1} {
		if got := value("disconnects_total", "reason", reason); got != want {
			t.Errorf("%v connections have ended by %s", got, reason)
		}
	}
	if got := value("handshakes_total", "door", "native", "result", "accepted"); got != 2 {
		t.Errorf("%v handshakes", got)
	}
	if got := value("connections"); got != 0 {
		t.Errorf("%v connections", got)
	}
}
