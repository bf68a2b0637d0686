package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"signalling/services/e2e/figures"
	"signalling/services/e2e/lab"
)

// HotPath is a Go benchmark of what is done for each command, signal or delivery.
type HotPath struct {
	// Name says what is done once in each round of the benchmark.
	Name string
	// Package is the folder in the repository, Benchmark the function with its parts.
	Package, Benchmark string
}

// HotPaths are all of them, in the order of the table.
var HotPaths = []HotPath{
	{"a signal between clients of one gateway, from frame to frame", "services/gateway", "BenchmarkSocketsLocalSignal/batch=64"},
	{"the same without the sockets", "services/gateway/internal/hub", "BenchmarkLocalSignal"},
	{"a signal on its way to another gateway", "services/gateway/internal/hub", "BenchmarkSignalOut"},
	{"a signal that came from another gateway", "services/gateway/internal/hub", "BenchmarkSignalIn"},
	{"a command in the gateway: to rooms, and the answer back", "services/gateway/internal/hub", "BenchmarkCommand/followed_room"},
	{"a command in rooms: asked, decided, published, answered", "services/rooms/internal/engine", "BenchmarkCommand/10"},
	{"an event to a room's 1 member", "services/gateway/internal/hub", "BenchmarkEvent/members=1"},
	{"an event to a room's 1,000 members", "services/gateway/internal/hub", "BenchmarkEvent/members=1000"},
	{"a frame read at the Socket.IO door", "pkg/socketio", "BenchmarkReceive/socketio"},
	{"the sweep over 100,000 rooms, four times a second", "services/gateway/internal/hub", "BenchmarkSweep"},
}

// Allocations are what a benchmark allocates in a round.
type Allocations struct {
	Number int `json:"number"`
	Bytes  int `json:"bytes"`
}

// CountAllocations runs the benchmarks of the hot paths for so many rounds each, which is no measure of time, and returns
// what they allocate, by their names.
func CountAllocations(ctx context.Context, rounds int, log io.Writer) (map[string]Allocations, error) {
	root, err := lab.Repository()
	if err != nil {
		return nil, err
	}
	found := map[string]Allocations{}
	for _, h := range HotPaths {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(h.Benchmark), "/", "$/^") + "$"
		c := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", //nolint:gosec // G204: all are ours
			"-benchtime", fmt.Sprintf("%dx", rounds), "./"+h.Package)
		c.Dir = root
		out, err := c.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
		}
		a, err := allocationsOf(out)
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
		}
		found[h.Name] = a
		_, _ = fmt.Fprintf(log, "%s: %d allocations, %d bytes\n", h.Name, a.Number, a.Bytes)
	}
	return found, nil
}

var allocationsLine = regexp.MustCompile(`(?m)^Benchmark.*\s(\d+) B/op\s+(\d+) allocs/op`)

func allocationsOf(out []byte) (a Allocations, err error) {
	m := allocationsLine.FindAllSubmatch(out, -1)
	if len(m) != 1 {
		return a, fmt.Errorf("%d benchmarks have run, want 1", len(m))
	}
	if a.Bytes, err = strconv.Atoi(string(m[0][1])); err == nil {
		a.Number, err = strconv.Atoi(string(m[0][2]))
	}
	return a, err
}

// allocationsTable returns the table of what the hot paths allocate.
func allocationsTable(all map[string]Allocations) string {
	var b bytes.Buffer
	b.WriteString("| hot path | allocations | bytes | benchmark |\n|---|---|---|---|\n")
	for _, h := range HotPaths {
		if a, ok := all[h.Name]; ok {
			_, _ = fmt.Fprintf(&b, "| %s | %d | %d | %#q in `%s` |\n", h.Name, a.Number, a.Bytes, h.Benchmark, h.Package)
		}
	}
	return b.String()
}

// AllocationsPage is where README.md has the table of allocations.
var AllocationsPage = figures.Place{Name: "allocations", By: "make bench-allocations"}
