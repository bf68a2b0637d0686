// Package metrics is what our programs share of their Prometheus metrics: a registry with what every process has, its
// HTTP handler, and sets of children that are looked up once.
//
// Names follow https://prometheus.io/docs/practices/naming/ and begin with signalling_. Every series exists from the start,
// at zero: what has never happened is seen, and rate() knows where a counter began. Labels take few values, from lists in
// the code; nothing that a client sends becomes one.
package metrics

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signalling/pkg/service"
)

// Namespace begins the name of each metric that is ours.
const Namespace = "signalling"

// maxScrapes bounds how many scrapes are answered at once; others get 503.
const maxScrapes = 4

// NewRegistry returns a registry with the metrics of the Go runtime, of the process and of the build. A process has one.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(),
	)
	return reg
}

func buildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: Namespace, Name: "build_info", Help: "Always 1; the labels say what was built, and with which Go.",
		ConstLabels: prometheus.Labels{"version": service.Version(), "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}

// Handler answers GET /metrics from the registry. A collector that fails takes away its own metrics only.
func Handler(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes, EnableOpenMetrics: true,
	})
}

// Counters makes a counter with one label and returns the child of each value, in their order.
func Counters(reg prometheus.Registerer, opts prometheus.CounterOpts, label string, values ...string) []prometheus.Counter {
	vec := prometheus.NewCounterVec(opts, []string{label})
	reg.MustRegister(vec)
	return children(vec.WithLabelValues, values)
}

// Histograms is Counters for histograms.
func Histograms(reg prometheus.Registerer, opts prometheus.HistogramOpts, label string, values ...string) []prometheus.Observer {
	vec := prometheus.NewHistogramVec(opts, []string{label})
	reg.MustRegister(vec)
	return children(vec.WithLabelValues, values)
}

func children[T any](child func(labels ...string) T, values []string) []T {
	all := make([]T, len(values))
	for i, v := range values {
		all[i] = child(v)
	}
	return all
}
