package bench

import (
	"fmt"
	"slices"
	"strings"

	"signalling/services/e2e/figures"
)

// titles are how the tables call the targets.
var titles = map[Target]string{Node: "Node + Socket.IO", One: "one process", Split: "2 gateways, rooms, nats-server"}

// Markdown returns the two tables: what was measured, and the ratios with their bars.
func (f *Figures) Markdown() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s. Medians of alternating rounds, in brackets the lowest and the highest.\n\n", f.Machine)
	_, _ = fmt.Fprintf(&b, "| work | unit | %s | %s | %s |\n|---|---|---|---|---|\n", titles[Node], titles[One], titles[Split])
	f.each(func(w *Work, m *Metric) {
		_, _ = fmt.Fprintf(&b, "| %s | %s |", m.Name, m.Unit)
		for _, t := range Targets {
			_, _ = fmt.Fprintf(&b, " %s |", spread(f.values(w, m, t)))
		}
		b.WriteString("\n")
	})
	_, _ = fmt.Fprintf(&b, "\n| work | %s | bar | %s | bar |\n|---|---|---|---|---|\n", titles[One], titles[Split])
	f.each(func(w *Work, m *Metric) {
		if len(m.Bars) == 0 {
			return
		}
		_, _ = fmt.Fprintf(&b, "| %s |", m.Name)
		for _, t := range []Target{One, Split} {
			_, _ = fmt.Fprintf(&b, " %s |", f.verdict(w, m, t))
		}
		b.WriteString("\n")
	})
	return b.String()
}

// each calls do for the metrics that were measured.
func (f *Figures) each(do func(w *Work, m *Metric)) {
	for i := range Works {
		if f.Works[Works[i].ID] == nil {
			continue
		}
		for k := range Works[i].Metrics {
			do(&Works[i], &Works[i].Metrics[k])
		}
	}
}

func spread(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", number(figures.Median(values)), number(slices.Min(values)), number(slices.Max(values)))
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// verdict is the ratio, or the value, and whether it is at or under its bar: two cells.
func (f *Figures) verdict(w *Work, m *Metric, t Target) string {
	value, bar := figures.Median(f.values(w, m, t)), m.Bars[t]
	text, limit := number(value)+" "+m.Unit, fmt.Sprintf("≤ %g %s", bar.Max, m.Unit)
	if !bar.Absolute {
		peer := figures.Median(f.values(w, m, Node))
		if peer == 0 {
			return "– | –"
		}
		value /= peer
		text, limit = fmt.Sprintf("%.2f × Node", value), fmt.Sprintf("≤ %g ×", bar.Max)
	}
	if len(f.values(w, m, t)) == 0 {
		return "– | –"
	}
	if value > bar.Max {
		return text + " | **missed**: " + limit
	}
	return text + " | met: " + limit
}

// Compare returns a table of these figures beside earlier ones, of what both have.
func (f *Figures) Compare(earlier *Figures) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "| work | unit | target | now | committed | ratio |\n|---|---|---|---|---|---|\n")
	f.each(func(w *Work, m *Metric) {
		for _, t := range Targets {
			now, then := f.values(w, m, t), earlier.values(w, m, t)
			if len(now) == 0 {
				continue
			}
			ratio := "–"
			if figures.Median(then) > 0 {
				ratio = fmt.Sprintf("%.2f", figures.Median(now)/figures.Median(then))
			}
			_, _ = fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", m.Name, m.Unit, titles[t], spread(now), spread(then), ratio)
		}
	})
	return b.String()
}

// Guided returns a table of the one-process build, as it is and optimised by a profile; none if that was not measured.
func (f *Figures) Guided() string {
	if len(f.Works) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| work | unit | as it is | optimised by a profile | ratio |\n|---|---|---|---|---|\n")
	f.each(func(w *Work, m *Metric) {
		if plain, guided := f.values(w, m, One), f.values(w, m, Guided); len(guided) > 0 && len(plain) > 0 {
			_, _ = fmt.Fprintf(&b, "| %s | %s | %s | %s | %.2f |\n",
				m.Name, m.Unit, spread(plain), spread(guided), figures.Median(guided)/figures.Median(plain))
		}
	})
	return b.String()
}

// GuidedPage is where README.md has the table of profile-guided optimisation.
var GuidedPage = figures.Place{Name: "guided", By: "bench -guided"}

// Page is where README.md has the tables.
var Page = figures.Place{Name: "bench", By: "make bench-page"}
