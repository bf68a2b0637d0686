package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Figures are what was measured, and where. They are kept in a file beside this package, which later runs compare with.
type Figures struct {
	Machine string `json:"machine"`
	// Works holds the rounds of each work, by its id.
	Works map[string]*Rounds `json:"works"`
}

// Rounds are the figures of one work.
type Rounds struct {
	// Measured is the day on which it was.
	Measured string `json:"measured"`
	// Values are those of each round, by target and metric.
	Values map[Target]map[string][]float64 `json:"values"`
}

// ReadFigures reads a file of figures. One that is not there is empty.
func ReadFigures(path string) (*Figures, error) {
	f := &Figures{Works: map[string]*Rounds{}}
	data, err := os.ReadFile(path) //nolint:gosec // G304: the caller's file
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Write writes them.
func (f *Figures) Write(path string) error {
	data, err := json.MarshalIndent(f, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // G306: for everybody to read
}

func (f *Figures) put(w *Work, samples map[Target][]Result) {
	f.Machine = machine()
	r := &Rounds{Measured: time.Now().UTC().Format(time.DateOnly), Values: map[Target]map[string][]float64{}}
	for t, results := range samples {
		r.Values[t] = map[string][]float64{}
		for _, m := range w.Metrics {
			for _, result := range results {
				r.Values[t][m.ID] = append(r.Values[t][m.ID], round(m.Value(result)))
			}
		}
	}
	f.Works[w.ID] = r
}

// round keeps what a measurement can tell.
func round(v float64) float64 { return float64(int64(v*1000+0.5)) / 1000 }

// values are those of a metric on a target; nil if it was not measured.
func (f *Figures) values(w *Work, m *Metric, t Target) []float64 {
	if r := f.Works[w.ID]; r != nil {
		return r.Values[t][m.ID]
	}
	return nil
}

// Median is the middle of the values, 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// machine says on what this runs.
func machine() string {
	model := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
		_ = f.Close()
	}
	return fmt.Sprintf("%d cores, %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}

// Merge takes over the works of later figures, target by target.
func (f *Figures) Merge(later *Figures) {
	f.Machine = later.Machine
	for id, r := range later.Works {
		if f.Works[id] == nil {
			f.Works[id] = r
			continue
		}
		f.Works[id].Measured = r.Measured
		maps.Copy(f.Works[id].Values, r.Values)
	}
}
