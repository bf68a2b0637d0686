package bench_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

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
	now := bench.NewFigures()
	b := bench.Bench{Targets: bench.Targets, Rounds: 2, Duration: 100 * time.Millisecond, Log: io.Discard}
	if err := b.Measure(ctx, works, now); err != nil {
		t.Fatal(err)
	}
	kept, reread := keep(t)
	kept.Figures.Merge(now)
	if err := kept.Write(); err != nil {
		t.Fatal(err)
	}
	read := reread().Figures
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

// TestProfiles profiles a work of both kinds of the product for a moment.
func TestProfiles(t *testing.T) {
	works, _ := bench.Find([]string{"signals"})
	kept, reread := keep(t)
	b := bench.Bench{Targets: bench.Targets, Profile: 3 * time.Second, Log: io.Discard}
	given := 0
	err := b.TakeProfiles(t.Context(), works, kept.Profiles, func(bench.Target, *profile.Profile) { given++ })
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Write(); err != nil {
		t.Fatal(err)
	}
	for _, target := range []bench.Target{bench.One, bench.Split} {
		top := reread().Profiles.Works["signals"][target]
		if len(top) < 3 || top[0].Percent < top[1].Percent || top[0].Percent <= 0 || top[0].Function == "" {
			t.Errorf("%s: %v", target, top)
		}
	}
	if given != 2 {
		t.Errorf("%d profiles were given, want one of each target", given)
	}
}

// keep keeps nothing yet, in a folder of the test.
func keep(t *testing.T) (kept *bench.Kept, reread func() *bench.Kept) {
	t.Helper()
	folder := t.TempDir()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "README.md"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	reread = func() *bench.Kept {
		t.Helper()
		k, err := bench.ReadKept(folder)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	return reread(), reread
}

// The page and the pictures are those of the numbers that are kept.
func TestPage(t *testing.T) {
	kept, err := bench.ReadKept(".")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := kept.Shown()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range shown {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s does not show what is kept (go run ./services/e2e/cmd/bench -page): %v", name, err)
		}
	}
	pictures, err := filepath.Glob("*.svg")
	if err != nil || len(pictures) != len(shown)-1 {
		t.Errorf("pictures %q, %v: want those of %d curves", pictures, err, len(shown)-1)
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

// A curve is drawn when it was measured at all of its points, and the same figures make the same picture.
func TestGrowth(t *testing.T) {
	curves, ok := bench.FindCurves([]string{"room"})
	if !ok {
		t.Fatal("the curve is not there")
	}
	c, f := &curves[0], bench.NewFigures()
	works := c.Works()
	for i := range works {
		if strings.Contains(f.Growth(), c.Picture()) {
			t.Fatalf("it is shown after %d of %d points", i, len(works))
		}
		f.Works[works[i].ID] = &bench.Rounds{Values: map[bench.Target]map[string][]float64{bench.One: {"cpu": {float64(i), 7, 5}}}}
	}
	first, err := c.Draw(f)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := c.Draw(f); err != nil || !bytes.Equal(first, second) || !strings.Contains(string(first), "one process") {
		t.Errorf("%v, drawn:\n%s\nthen:\n%s", err, first, second)
	}
	if text := f.Growth(); !strings.Contains(text, "(growth-room.svg)") || !strings.Contains(text, "| one process | 5.00 |") {
		t.Errorf("the page shows:\n%s", text)
	}
}

// The hot paths allocate no more than the page says.
func TestAllocations(t *testing.T) {
	kept, err := bench.ReadKept(".")
	if err != nil {
		t.Fatal(err)
	}
	now, err := bench.CountAllocations(t.Context(), 2000, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range bench.HotPaths {
		// What is allocated once, and what others do meanwhile, is spread over the rounds.
		if was, ok := kept.Allocations[h.Name]; !ok || now[h.Name].Number > was.Number+1 {
			t.Errorf("%s: %d allocations, kept are %d (make bench-allocations)", h.Name, now[h.Name].Number, was.Number)
		}
	}
}

// A profile's shares are of all time, the dearest first.
func TestTop(t *testing.T) {
	f := func(id uint64, name string) *profile.Location {
		return &profile.Location{ID: id, Line: []profile.Line{{Function: &profile.Function{ID: id, Name: name}}}}
	}
	a, b, c := f(1, "a"), f(2, "b"), f(3, "c")
	p := &profile.Profile{Sample: []*profile.Sample{
		{Location: []*profile.Location{a, c}, Value: []int64{1, 30}},
		{Location: []*profile.Location{b, a, c}, Value: []int64{1, 50}},
		{Location: []*profile.Location{a}, Value: []int64{1, 10}},
		{Location: []*profile.Location{c}, Value: []int64{1, 10}},
	}}
	got := bench.Top(p, 2)
	if len(got) != 2 || got[0] != (bench.Entry{Function: "b", Percent: 50}) || got[1] != (bench.Entry{Function: "a", Percent: 40}) {
		t.Errorf("%v", got)
	}
}
