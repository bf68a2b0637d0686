package door

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalling/api/client"
	"signalling/pkg/metrics"
)

// Names of the doors, in metrics and logs.
const (
	nativeDoor   = "native"
	socketIODoor = "socket.io"
)

// Metrics count what happens at the doors. Make them with NewMetrics.
type Metrics struct {
	native, socketIO *doorMetrics
	limited          []prometheus.Counter // by Kind
}

// Limited counts that a limit of the kind was met.
func (m *Metrics) Limited(k Kind) { m.limited[k].Inc() }

type doorMetrics struct {
	connections prometheus.Gauge
	handshakes  []prometheus.Counter // by result
	ended       []prometheus.Counter // by reason
	lived       prometheus.Observer
}

// NewMetrics registers the doors' metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	const subsystem = "gateway"
	connections := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: "connections", Help: "Clients that are connected.",
	}, []string{"door"})
	handshakes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: "handshakes_total", Help: "Requests to be let in, by result.",
	}, []string{"door", "result"})
	ended := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: "disconnects_total",
		Help: "Connections that have ended: by the client's word, by the network, or by this gateway for the reason named.",
	}, []string{"door", "reason"})
	lived := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: "connection_duration_seconds",
		Help: "How long connections were there, counted at their end.", Buckets: []float64{1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600},
	}, []string{"door"})
	reg.MustRegister(connections, handshakes, ended, lived)
	of := func(door string) *doorMetrics {
		d := &doorMetrics{connections: connections.WithLabelValues(door), lived: lived.WithLabelValues(door)}
		for _, result := range handshakeResults {
			d.handshakes = append(d.handshakes, handshakes.WithLabelValues(door, result))
		}
		for _, reason := range reasons {
			d.ended = append(d.ended, ended.WithLabelValues(door, string(reason)))
		}
		return d
	}
	limited := metrics.Counters(reg, prometheus.CounterOpts{
		Namespace: metrics.Namespace, Subsystem: subsystem, Name: "limited_total",
		Help: "Messages, clients and connections that met a limit, by limit; closed are clients that went on after that.",
	}, "limit", kindNames[:]...)
	return &Metrics{native: of(nativeDoor), socketIO: of(socketIODoor), limited: limited}
}

// reason is why a connection has ended: one of two below, or the text of a client.Close with hyphens.
type reason string

const (
	byClient  reason = "client"
	byNetwork reason = "network"
)

var reasons = allReasons()

func allReasons() []reason {
	all := []reason{byClient, byNetwork}
	for _, c := range client.Closes {
		if c.Code != client.CloseNormal {
			all = append(all, reasonOf(c.Code))
		}
	}
	return all
}

// reasonOf is the reason of a close that the gateway began.
func reasonOf(code client.CloseCode) reason {
	text := code.Reason()
	if text == "" {
		return byClient
	}
	return reason(strings.ReplaceAll(strings.ToLower(text), " ", "-"))
}

func (d *doorMetrics) opened() { d.connections.Inc() }

func (d *doorMetrics) closed(why reason, after time.Duration) {
	d.connections.Dec()
	d.lived.Observe(after.Seconds())
	for i := range reasons {
		if reasons[i] == why {
			d.ended[i].Inc()
		}
	}
}

// handshakeResults are the values of the label; accepted is the first, and what fits none is the last.
var handshakeResults = []string{"accepted", "unauthorized", "forbidden", "rate-limited", "unavailable", "bad-request"}

func handshakeResult(status int) int {
	switch status {
	case http.StatusOK, http.StatusSwitchingProtocols:
		return 0
	case http.StatusUnauthorized:
		return 1
	case http.StatusForbidden:
		return 2
	case http.StatusTooManyRequests:
		return 3
	case http.StatusServiceUnavailable:
		return 4
	}
	return 5
}

// Native counts the handshakes of the native door.
func (m *Metrics) Native(h http.Handler) http.Handler { return m.native.count(h) }

// SocketIO counts the handshakes of the Socket.IO door: the requests that name no session.
func (m *Metrics) SocketIO(h http.Handler) http.Handler {
	counted := m.socketIO.count(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "sid=") || r.Method == http.MethodOptions {
			h.ServeHTTP(w, r)
			return
		}
		counted.ServeHTTP(w, r)
	})
}

func (d *doorMetrics) count(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(s, r)
		d.handshakes[handshakeResult(s.status)].Inc()
	})
}

// statusWriter notes with which status a request was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker: the request became a WebSocket.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
	}
	return nc, rw, err
}
