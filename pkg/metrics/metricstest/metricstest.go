// Package metricstest looks at metrics in tests: their values, their names, and the tables that document them.
package metricstest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"signalling/pkg/settings"
	"signalling/pkg/settings/settingstest"
)

// Lint fails the test for each metric that breaks Prometheus' conventions. The process collector's own names are not ours.
func Lint(t testing.TB, g prometheus.Gatherer) {
	t.Helper()
	problems, err := testutil.GatherAndLint(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "go_") && !strings.HasPrefix(p.Metric, "process_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// Value returns the sum of the series of a metric that have the given labels: name, value, and so on. For a histogram it
// is the number of observations. A metric without such a series fails the test.
func Value(t testing.TB, g prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if has(m, labels) {
				sum, found = sum+value(m), true
			}
		}
	}
	if !found {
		t.Fatalf("there is no series of %s with %q", name, labels)
	}
	return sum
}

func has(m *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool {
			return l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}) {
			return false
		}
	}
	return true
}

func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	case m.GetHistogram() != nil:
		return float64(m.GetHistogram().GetSampleCount())
	}
	return 0
}

// Block fails the test unless the block of the given name in the Markdown file at path is the table of the registry's
// metrics whose names begin with prefix. With settingstest.UpdateVariable set it writes the block instead.
func Block(t testing.TB, path, name, prefix string, g prometheus.Gatherer) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	act := settings.CheckBlock
	if os.Getenv(settingstest.UpdateVariable) != "" {
		act = settings.UpdateBlock
	}
	if err := act(path, name, table(families, prefix)); err != nil {
		t.Errorf("%v (%s=1 go test rewrites it)", err, settingstest.UpdateVariable)
	}
}

// table renders metrics as a Markdown table.
func table(families []*dto.MetricFamily, prefix string) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), prefix) {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labels(f), f.GetHelp())
		}
	}
	return b.String()
}

// maxValues is how many values of a label a table lists.
const maxValues = 24

// labels lists the labels of a metric with their values.
func labels(f *dto.MetricFamily) string {
	var names []string
	values := map[string][]string{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if !slices.Contains(names, l.GetName()) {
				names = append(names, l.GetName())
			}
			if v := "`" + l.GetValue() + "`"; !slices.Contains(values[l.GetName()], v) {
				values[l.GetName()] = append(values[l.GetName()], v)
			}
		}
	}
	for i, name := range names {
		slices.Sort(values[name])
		if len(values[name]) <= maxValues && !varies(name) {
			names[i] = "`" + name + "`: " + strings.Join(values[name], ", ")
		} else {
			names[i] = "`" + name + "`"
		}
	}
	return strings.Join(names, "; ")
}

// varies says that the values of a label differ from build to build.
func varies(label string) bool { return label == "version" || label == "goversion" }
