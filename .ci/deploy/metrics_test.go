package deploy

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"signalling/pkg/settings"
	"signalling/services/standalone"
)

// patience bounds every wait.
const patience = 60 * time.Second

// targetLabels are added by Prometheus to everything that it scrapes; namespace by its operator.
var targetLabels = []string{"job", "instance", "namespace"}

// metric is a metric as queries see it: its labels and their values.
type metric map[string][]string

// served are the metrics of a server with both services: each name with _bucket, _sum and _count where there are such.
func served(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{"up": {}}
	for _, f := range scrape(t) {
		m := metric{}
		for _, series := range f.GetMetric() {
			for _, l := range series.GetLabel() {
				if !slices.Contains(m[l.GetName()], l.GetValue()) {
					m[l.GetName()] = append(m[l.GetName()], l.GetValue())
				}
			}
		}
		switch f.GetType() {
		case dto.MetricType_HISTOGRAM:
			buckets := metric{"le": nil}
			maps.Copy(buckets, m)
			all[f.GetName()+"_bucket"], all[f.GetName()+"_sum"], all[f.GetName()+"_count"] = buckets, m, m
		case dto.MetricType_SUMMARY:
			quantiles := metric{"quantile": nil}
			maps.Copy(quantiles, m)
			all[f.GetName()], all[f.GetName()+"_sum"], all[f.GetName()+"_count"] = quantiles, m, m
		default:
			all[f.GetName()] = m
		}
	}
	return all
}

// scrape asks a running server for its metrics, once its rooms serve, for some metrics are there from then on.
func scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	url := "http://" + start(t).AdminAddr().String()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (status int, body string) {
		resp, err := c.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for status, why := get("/readyz"); status != http.StatusOK; status, why = get("/readyz") {
		if time.Now().After(deadline) {
			t.Fatalf("the server does not become ready: %s", why)
		}
		<-tick.C
	}
	_, text := get("/metrics")
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// start runs the server in one process on free ports, until the test ends.
func start(t *testing.T) *standalone.Server {
	t.Helper()
	var cfg standalone.Config
	environ := map[string]string{"GATEWAY_LISTEN": "127.0.0.1:0", "GATEWAY_ADMIN_LISTEN": "127.0.0.1:0"}
	if err := settings.Parse(&cfg, settings.Options{Environ: environ, Defaults: standalone.Defaults}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := standalone.New(ctx, cfg, standalone.Options{})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	})
	return s
}
