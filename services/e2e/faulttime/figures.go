package faulttime

import (
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

// Figures are what was measured. They are kept in a file beside this package, from which the page's table is made.
type Figures struct {
	Machine string `json:"machine"`
	// Rows are the milliseconds of each run, by row and measure.
	Rows map[string]map[string][]float64 `json:"rows"`
}

// NewFigures are none yet.
func NewFigures() *Figures { return &Figures{Rows: map[string]map[string][]float64{}} }

// ReadFigures reads a file of figures. One that is not there is empty.
func ReadFigures(path string) (*Figures, error) {
	f := NewFigures()
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

// Add adds what a run of a row came to.
func (f *Figures) Add(r *Row, values ...Value) {
	f.Machine = fmt.Sprintf("%d processors, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if f.Rows[r.ID] == nil {
		f.Rows[r.ID] = map[string][]float64{}
	}
	for _, v := range values {
		f.Rows[r.ID][v.Measure] = append(f.Rows[r.ID][v.Measure], float64(v.Took.Microseconds())/1000)
	}
}

// Merge takes over the rows of later figures.
func (f *Figures) Merge(later *Figures) {
	f.Machine = later.Machine
	maps.Copy(f.Rows, later.Rows)
}

// Markdown returns the table.
func (f *Figures) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, with everything on one machine.\n\n", f.Machine)
	b.WriteString("| fault | what clients saw | what was measured | median | worst | runs | bound |\n|---|---|---|---|---|---|---|\n")
	for i := range Rows {
		f.row(&b, &Rows[i])
	}
	return b.String()
}

func (f *Figures) row(b *strings.Builder, r *Row) {
	fault, saw := r.Fault, r.Saw
	for _, m := range r.Measures {
		values := f.Rows[r.ID][m.ID]
		if len(values) == 0 {
			continue
		}
		median, worst := Median(values), slices.Max(values)
		_, _ = fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %d | %s |\n",
			fault, saw, m.Text, milliseconds(median), milliseconds(worst), len(values), verdict(worst, m.Bound))
		fault, saw = "", ""
	}
}

func verdict(worst float64, bound time.Duration) string {
	text := milliseconds(float64(bound.Milliseconds()))
	switch {
	case bound == 0:
		return "–"
	case worst > float64(bound.Milliseconds()):
		return "**missed**: " + text
	}
	return text
}

func milliseconds(ms float64) string {
	if ms >= 1000 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", ms/1000), ".0") + " s"
	}
	return fmt.Sprintf("%.0f ms", ms)
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

// The page holds the table between these lines.
const (
	begin = "<!-- fault-times: made by make fault-times -->\n"
	end   = "<!-- /fault-times -->"
)

// Splice puts the table into a page, between its marks.
func (f *Figures) Splice(page string) (string, error) {
	head, rest, ok := strings.Cut(page, begin)
	_, tail, found := strings.Cut(rest, end)
	if !ok || !found {
		return "", fmt.Errorf("the page has no place for the table: %s…%s", begin, end)
	}
	return head + begin + f.Markdown() + end + tail, nil
}
