package bench_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalling/services/e2e/bench"
	"signalling/services/e2e/figures"
	"signalling/services/e2e/labtest"
	"signalling/services/e2e/need"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// TestMeasure measures for a moment on all targets: what comes out is for people, that it comes out is for CI.
func TestMeasure(t *testing.T) {
	need.Program(t, "node", "nodejs")
	need.Program(t, "npm", "npm")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	if err := bench.InstallNode(ctx, io.Discard); err != nil {
		t.Fatal(err)
	}
	works, ok := bench.Find([]string{"commands", "rate"})
	if !ok || len(works) != 2 {
		t.Fatal("the works are not there")
	}
	now := &bench.Figures{Works: map[string]*bench.Rounds{}}
	b := bench.Bench{
		Targets: bench.Targets, Rounds: 2, Duration: 100 * time.Millisecond, Gateways: 2, Log: io.Discard,
	}
	if err := b.Measure(ctx, works, now); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "figures.json")
	if err := figures.Write(file, now); err != nil {
		t.Fatal(err)
	}
	read, err := bench.ReadFigures(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range bench.Targets {
		for _, w := range works {
			values := read.Works[w.ID].Values[target]["cpu"]
			if len(values) != 2 || figures.Median(values) <= 0 {
				t.Errorf("%s on %s: %v", w.ID, target, values)
			}
		}
	}
	if table := read.Compare(now); strings.Count(table, "| 1.00 |") < 6 {
		t.Errorf("compared with itself:\n%s", table)
	}
}

// The page's tables are those of the file of figures.
func TestPage(t *testing.T) {
	f, err := bench.ReadFigures("figures.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := bench.Page.Splice(string(page), f.Markdown()); err != nil || text != string(page) {
		t.Errorf("README.md does not show figures.json (go run ./services/e2e/cmd/bench -page): %v", err)
	}
}

func TestVerdicts(t *testing.T) {
	f := &bench.Figures{Machine: "a machine", Works: map[string]*bench.Rounds{
		"commands": {Values: map[bench.Target]map[string][]float64{
			bench.Node: {"cpu": {9, 10, 11}}, bench.One: {"cpu": {10, 9, 50}}, bench.Split: {"cpu": {25, 24.5}},
		}},
		"idle-native": {Values: map[bench.Target]map[string][]float64{
			bench.One: {"memory": {11, 12}}, bench.Split: {"memory": {8}},
		}},
	}}
	table := f.Markdown()
	for _, want := range []string{
		"| CPU per room command, saturated | µs | 10.0 (9.00–11.0) | 10.0 (9.00–50.0) | 24.8 (24.5–25.0) |",
		"| CPU per room command, saturated | 1.00 × Node | met: ≤ 1 × | 2.48 × Node | **missed**: ≤ 2.4 × |",
		"| – | 11.5 (11.0–12.0) | 8.00 (8.00–8.00) |",
		"| 11.5 KiB | **missed**: ≤ 10 KiB | 8.00 KiB | met: ≤ 10 KiB |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}
