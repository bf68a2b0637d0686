package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what one scenario has measured.
type Result struct {
	Scenario string `json:"scenario"`
	Door     Door   `json:"door"`
	// Clients is how many were connected.
	Clients int `json:"clients"`
	// Operations is how many of Unit were done in Seconds.
	Operations int64   `json:"operations"`
	Unit       string  `json:"unit"`
	Seconds    float64 `json:"seconds"`
	// CPUMicros is the CPU time of the server's processes for one operation, in µs.
	CPUMicros float64 `json:"cpuMicros"`
	// CPUPercent is the CPU time of the server's processes in percent of one core.
	CPUPercent float64 `json:"cpuPercent"`
	// BytesPerClient is the growth of the server's memory (PSS) for each client; only where it means something.
	BytesPerClient float64 `json:"bytesPerClient,omitempty"`
	// PSS is the memory (PSS) of the server's processes at the end, in bytes.
	PSS int64 `json:"pss"`
	// Latency of operations, in µs, from when they should have begun.
	Latency *Latency `json:"latency,omitempty"`
}

// Latency is a distribution in µs.
type Latency struct {
	P50 int64 `json:"p50"`
	P99 int64 `json:"p99"`
	Max int64 `json:"max"`
}

const (
	latencyMin    = 1
	latencyMax    = int64(time.Minute / time.Microsecond)
	latencyDigits = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
}

func latencyOf(h *hdrhistogram.Histogram) *Latency {
	if h.TotalCount() == 0 {
		return nil
	}
	return &Latency{P50: h.ValueAtQuantile(50), P99: h.ValueAtQuantile(99), Max: h.Max()}
}

// set fills in what the processes have used for n operations.
func (r *Result) set(n int64, took time.Duration, before, after usage) {
	r.Operations, r.Seconds, r.PSS = n, took.Seconds(), after.PSS
	cpu := after.CPU - before.CPU
	if n > 0 {
		r.CPUMicros = float64(cpu.Microseconds()) / float64(n)
	}
	r.CPUPercent = 100 * cpu.Seconds() / took.Seconds()
}

// writeTable writes results for people.
func writeTable(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "scenario\tdoor\tclients\toperations\tper second\tserver CPU each\tserver CPU\tmemory\ta client\tp50\tp99\tmax\t")
	for _, r := range results {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d\t%d %s\t%.0f\t%.1f µs\t%.0f %%\t%s\t%s\t%s\t\n", r.Scenario, r.Door, r.Clients,
			r.Operations, r.Unit, float64(r.Operations)/r.Seconds, r.CPUMicros, r.CPUPercent, memory(float64(r.PSS)), memory(r.BytesPerClient), latencies(r.Latency))
	}
	return t.Flush()
}

func memory(b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f KiB", b/1024)
}

func latencies(l *Latency) string {
	if l == nil {
		return "-\t-\t-"
	}
	ms := func(us int64) string { return fmt.Sprintf("%.2f ms", float64(us)/1000) }
	return ms(l.P50) + "\t" + ms(l.P99) + "\t" + ms(l.Max)
}

// writeJSON writes results for programs, one object a line.
func writeJSON(w io.Writer, results []Result) error {
	e := json.NewEncoder(w)
	for _, r := range results {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
