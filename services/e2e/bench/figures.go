package bench

import (
	"maps"
	"time"

	"signalling/services/e2e/figures"
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

// NewFigures are figures of nothing.
func NewFigures() *Figures { return &Figures{Works: map[string]*Rounds{}} }

func (f *Figures) put(w *Work, samples map[Target][]Result) {
	f.Machine = figures.Machine()
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
