package faulttime

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalling/services/e2e/figures"
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
	return f, figures.Read(path, f)
}

// Add adds what a run of a row came to.
func (f *Figures) Add(r *Row, values ...Value) {
	f.Machine = figures.Machine()
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
		median, worst := figures.Median(values), slices.Max(values)
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

// Page is where deploy/FAULTS.md has the table.
var Page = figures.Place{Name: "fault-times", By: "make fault-times"}
