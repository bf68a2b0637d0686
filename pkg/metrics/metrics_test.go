package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"signalling/pkg/metrics"
	"signalling/pkg/metrics/metricstest"
)

func TestHandlerShowsWhatEveryProcessHas(t *testing.T) {
	reg := metrics.NewRegistry()
	w := httptest.NewRecorder()
	metrics.Handler(reg).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for _, want := range []string{"go_goroutines ", "process_resident_memory_bytes ", `signalling_build_info{goversion="go1.`} {
		if !strings.Contains(w.Body.String(), "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	metricstest.Lint(t, reg)
}

func TestChildrenStartAtZeroInTheOrderOfTheirValues(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := metrics.Counters(reg, prometheus.CounterOpts{Name: "things_total", Help: "Things."}, "kind", "b", "a")
	h := metrics.Histograms(reg, prometheus.HistogramOpts{Name: "size_bytes", Help: "Size."}, "kind", "x")
	c[0].Inc()
	h[0].Observe(1)
	if got := metricstest.Value(t, reg, "things_total", "kind", "b"); got != 1 {
		t.Errorf("b is %v", got)
	}
	if got := metricstest.Value(t, reg, "things_total", "kind", "a"); got != 0 {
		t.Errorf("a is %v", got)
	}
	if got := metricstest.Value(t, reg, "size_bytes", "kind", "x"); got != 1 {
		t.Errorf("the histogram has %v observations", got)
	}
}
