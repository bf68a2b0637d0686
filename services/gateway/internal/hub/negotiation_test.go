package hub

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/bus"
	"signalling/api/client"
	"signalling/pkg/metrics/metricstest"
	"signalling/pkg/tracing"
)

const (
	offerData     = `{"type":"offer","sdp":"v=0"}`
	answerData    = `{"type":"answer","sdp":"v=0"}`
	candidateData = `{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0"}`
)

// talk is a hub with two members here and one elsewhere.
type talk struct {
	*testing.T
	*bench
	reg  *prometheus.Registry
	here []*Session
	seq  uint64
}

const elsewhere = "member-elsewhere-000"

func newTalk(t *testing.T, follow bool) *talk {
	reg := prometheus.NewRegistry()
	w := newBench(t, func(c *Config) { c.Metrics, c.Negotiations = NewMetrics(reg), follow })
	t.Cleanup(w.h.links.stop)
	return &talk{T: t, bench: w, reg: reg, here: w.room(t, 2, elsewhere)}
}

func (t *talk) send(from *Session, to, data string) {
	t.Helper()
	t.command(t.T, from, (&client.Command{Op: client.SignalSend, Room: []byte(benchRoom), TargetID: []byte(to), Data: []byte(data)}).AppendObject(nil))
}

// receive takes a signal of the member elsewhere.
func (t *talk) receive(to *Session, data string) {
	t.seq++
	s := bus.Signal{
		From: "elsewhere", Seq: t.seq, Base: 1, Stamp: bus.Stamp{Epoch: 1, Version: 1}, Room: []byte(benchRoom),
		Sender: []byte(elsewhere), Target: []byte(to.id), Data: []byte(data),
	}
	t.dispatched(&nats.Msg{Subject: bus.SignalSubject(t.h.id), Data: s.Append(nil)})
}

// pass lets the window of what has begun so far pass.
func (t *talk) pass() { t.h.sweep(time.Now().Add(negotiationWindow + time.Second)) }

func (t *talk) expect(name string, want float64, labels ...string) {
	t.Helper()
	if got := metricstest.Value(t.T, t.reg, "signalling_gateway_"+name, labels...); got != want {
		t.Errorf("%s%q is %v, want %v", name, labels, got, want)
	}
}

func TestNegotiationBetweenMembersHere(t *testing.T) {
	w := newTalk(t, true)
	a, b := w.here[0], w.here[1]
	w.send(a, b.id, offerData)
	w.send(a, b.id, candidateData)
	w.send(b, a.id, answerData)
	w.send(b, a.id, candidateData)
	w.send(b, a.id, candidateData)
	w.expect("offer_to_answer_seconds", 1)
	w.expect("join_to_first_signal_seconds", 2)
	w.expect("negotiations_total", 0, "result", "answered")
	w.pass()
	w.expect("negotiations_total", 1, "result", "answered")
	w.expect("negotiations_total", 1)
	w.expect("negotiation_candidates", 1)
	if got := w.candidates(); got != 3 {
		t.Errorf("%v candidates", got)
	}
}

// candidates is the sum of all negotiations' candidates.
func (t *talk) candidates() float64 {
	families, err := t.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasSuffix(f.GetName(), "negotiation_candidates") {
			return f.GetMetric()[0].GetHistogram().GetSampleSum()
		}
	}
	return -1
}

func TestNegotiationAcrossGateways(t *testing.T) {
	w := newTalk(t, true)
	a := w.here[0]
	w.send(a, elsewhere, offerData)
	w.receive(a, candidateData)
	w.receive(a, answerData)
	w.receive(a, answerData) // the first counts
	w.send(a, elsewhere, candidateData)
	w.receive(a, offerData) // of the other side: its gateway follows it
	w.send(a, elsewhere, answerData)
	w.pass()
	w.expect("negotiations_total", 1, "result", "answered")
	w.expect("negotiations_total", 1)
	w.expect("offer_to_answer_seconds", 1)
	w.expect("join_to_first_signal_seconds", 1)
	if got := w.candidates(); got != 2 {
		t.Errorf("%v candidates", got)
	}
}

func TestNegotiationsWithoutAnswer(t *testing.T) {
	w := newTalk(t, true)
	a, b := w.here[0], w.here[1]
	w.send(a, b.id, offerData)
	w.send(a, b.id, offerData)
	w.expect("negotiations_total", 1, "result", "replaced")
	w.pass()
	w.expect("negotiations_total", 1, "result", "unanswered")
	w.expect("negotiation_candidates", 0)
	w.send(b, a.id, answerData) // too late, to nobody's offer
	w.expect("offer_to_answer_seconds", 0)

	for range maxNegotiations + 2 {
		w.send(a, b.id, offerData)
	}
	w.expect("negotiations_total", 2, "result", "untracked")
	p := partitionOf(w.h, benchRoom)
	if n := len(p.negotiations.order); n > maxNegotiations {
		t.Errorf("%d are followed", n)
	}
	w.pass()
	if n := &p.negotiations; len(n.order) != 0 || len(n.open) != 0 {
		t.Errorf("%d, %d are left", len(n.order), len(n.open))
	}
}

func TestNegotiationsAreNotFollowedWhenSwitchedOff(t *testing.T) {
	w := newTalk(t, false)
	w.send(w.here[0], w.here[1].id, offerData)
	w.send(w.here[1], w.here[0].id, answerData)
	w.pass()
	w.expect("negotiations_total", 0)
	w.expect("join_to_first_signal_seconds", 0)
	w.expect("offer_to_answer_seconds", 0)
	w.expect("signals_total", 2, "result", "delivered")
}

// What a signal to a member here costs with the negotiation metrics, and without them; BenchmarkCounting is the part that
// all other metrics have in it.
func BenchmarkLocalSignalMetrics(b *testing.B) {
	for name, follow := range map[string]bool{"negotiations": true, "none": false} {
		b.Run(name, func(b *testing.B) {
			w := newBench(b, func(c *Config) { c.Negotiations = follow })
			s := w.room(b, 2)
			frame := signalFrame(s[1].id)
			b.ReportAllocs()
			for b.Loop() {
				w.command(b, s[0], frame)
			}
		})
	}
}

// All that is counted of one signal to a member here.
func BenchmarkCounting(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry())
	var s Session
	b.ReportAllocs()
	for b.Loop() {
		s.received++
		m.signalSize.Observe(200)
		m.local[signalDelivered].Inc()
		s.sent.Add(1)
	}
}

// What a signal to a member here costs when nothing is traced, when 1 in 100 is, and when all are.
func BenchmarkLocalSignalTracing(b *testing.B) {
	nowhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer nowhere.Close()
	for _, c := range []struct {
		name string
		cfg  tracing.Config
	}{{"off", tracing.Config{}}, {"1%", tracing.Config{Endpoint: nowhere.URL, Ratio: .01}}, {"all", tracing.Config{Endpoint: nowhere.URL, Ratio: 1}}} {
		b.Run(c.name, func(b *testing.B) {
			t, err := tracing.New(c.cfg, "gateway", "bench", slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer t.End(slog.New(slog.DiscardHandler))
			w := newBench(b)
			w.h.Trace(t)
			s := w.room(b, 2)
			frame := signalFrame(s[1].id)
			b.ReportAllocs()
			for b.Loop() {
				w.command(b, s[0], frame)
			}
		})
	}
}
