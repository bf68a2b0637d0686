package standalone

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"signalling/pkg/client"
	"signalling/pkg/natsbus/natstest"
	"signalling/pkg/settings"
	"signalling/pkg/tracing"
	"signalling/services/gateway"
	"signalling/services/rooms"
)

// receiver is an OTLP/HTTP receiver.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex // guards spans
	spans []span
}

type span struct {
	*trace.Span
	service, instance string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &export)
		}
		if err != nil || req.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", req.URL.Path, err)
		}
		r.take(&export)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(export *collector.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range export.GetResourceSpans() {
		var s span
		for _, a := range rs.GetResource().GetAttributes() {
			switch a.GetKey() {
			case "service.name":
				s.service = a.GetValue().GetStringValue()
			case "service.instance.id":
				s.instance = a.GetValue().GetStringValue()
			}
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, s.Span = range ss.GetSpans() {
				r.spans = append(r.spans, s)
			}
		}
	}
}

func (s span) attribute(key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// find returns the one span with the name below the parent; below nobody if that is nil.
func (r *receiver) find(t *testing.T, service, name string, parent *span) *span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found *span
	for i := range r.spans {
		s := &r.spans[i]
		if s.service != service || s.GetName() != name {
			continue
		}
		if parent == nil && len(s.GetParentSpanId()) > 0 {
			continue
		}
		if parent != nil && (!bytes.Equal(s.GetParentSpanId(), parent.GetSpanId()) || !bytes.Equal(s.GetTraceId(), parent.GetTraceId())) {
			continue
		}
		if found != nil {
			t.Fatalf("two spans %s %s", service, name)
		}
		found = s
	}
	if found == nil {
		t.Fatalf("no span %s %s below %v, of %d", service, name, parent, len(r.spans))
	}
	return found
}

// parsed fills a service's settings.
func parsed[C any](t *testing.T, environ map[string]string) C {
	t.Helper()
	var cfg C
	if err := settings.Parse(&cfg, settings.Options{Environ: environ}); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// running runs a service until stop, which waits for its end.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// One trace leads from a client's frame through NATS and the rooms to the delivery at another gateway.
func TestTraceAcrossGateways(t *testing.T) {
	otlp := newReceiver(t)
	environ := map[string]string{
		"NATS_URL": natstest.RunTCP(t).URL(), "GATEWAY_LISTEN": "127.0.0.1:0", "GATEWAY_ADMIN_LISTEN": "127.0.0.1:0",
		"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.URL, "OTEL_TRACES_SAMPLER_ARG": "1", "ROOMS_SETTLE": "1ms",
	}
	r, err := rooms.New(parsed[rooms.Config](t, environ), rooms.Options{NoAdmin: true, Fresh: true, Logger: natstest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	stops := []func(){running(t, r.Run)}
	clients := make([]*client.Client, 2)
	for i := range clients {
		g, err := gateway.New(t.Context(), parsed[gateway.Config](t, environ), gateway.Options{Logger: natstest.Logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		stops = append(stops, running(t, g.Run))
		if clients[i], err = client.Dial(t.Context(), "ws://"+g.Addr().String()+"/ws", nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = clients[i].Close() })
	}
	a, b := clients[0], clients[1]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := a.Create(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Join(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	expect[*client.ClientJoined](t, a)
	if err := a.Signal(ctx, "r", b.ID(), "secret"); err != nil {
		t.Fatal(err)
	}
	expect[*client.SignalReceive](t, b)
	if _, err := b.Join(ctx, "r"); err != nil { // the acknowledgement of the signal comes meanwhile, or at the end
		t.Fatal(err)
	}
	for _, stop := range slices.Backward(stops) {
		stop()
	}

	var join *span
	for i := range otlp.spans {
		if s := &otlp.spans[i]; s.GetName() == "room-join" && otlp.has("rooms", s) && otlp.eventBelow(s) {
			join = s
		}
	}
	if join == nil {
		t.Fatalf("no trace of the join with an event in it, of %d spans", len(otlp.spans))
	}
	command := otlp.find(t, "rooms", "command", join)
	event := otlp.find(t, "gateway", "event", command)
	if join.instance == event.instance || join.attribute("client") != b.ID() || join.attribute("answer") != "room-joined" ||
		event.attribute("room") != "r" || command.attribute("result") != "done" {
		t.Errorf("join %v, command %v, event %v", join, command, event)
	}
	sent := otlp.find(t, "gateway", "signal-send", nil)
	received := otlp.find(t, "gateway", "signal-receive", sent)
	if sent.instance == received.instance || sent.attribute("client") != a.ID() {
		t.Errorf("sent %v, received %v", sent, received)
	}
}

// has tells whether the service has a span below s.
func (r *receiver) has(service string, s *span) bool {
	for i := range r.spans {
		if r.spans[i].service == service && bytes.Equal(r.spans[i].GetParentSpanId(), s.GetSpanId()) {
			return true
		}
	}
	return false
}

// eventBelow tells whether what s has caused at the rooms was seen as an event at the other gateway.
func (r *receiver) eventBelow(s *span) bool {
	for i := range r.spans {
		if c := &r.spans[i]; c.service == "rooms" && bytes.Equal(c.GetParentSpanId(), s.GetSpanId()) && r.hasEvent(c, s.instance) {
			return true
		}
	}
	return false
}

func (r *receiver) hasEvent(command *span, not string) bool {
	for i := range r.spans {
		if e := &r.spans[i]; bytes.Equal(e.GetParentSpanId(), command.GetSpanId()) && e.instance != not {
			return true
		}
	}
	return false
}

func TestWrongTracingSettings(t *testing.T) {
	for _, cfg := range []tracing.Config{{Endpoint: "ftp://x", Ratio: 1}, {Endpoint: "http://x", Ratio: 2}} {
		if err := cfg.Validate(); err == nil {
			t.Errorf("%+v passes", cfg)
		}
	}
}
