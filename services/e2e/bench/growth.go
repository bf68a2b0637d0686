package bench

import (
	"fmt"
	"strings"

	"signalling/services/e2e/figures"
)

// Curve is how a cost grows with one quantity.
type Curve struct {
	// ID names it on the command line, its picture and its works in the file of figures.
	ID string
	// Title says what is on the vertical axis, X what is on the horizontal one.
	Title, X string
	// At are the values of X.
	At []int
	// Linear axis; otherwise each step is a factor.
	Linear bool

	work func(x int) Work
}

// Works are the curve's points, in the order of At.
func (c *Curve) Works() []Work {
	var all []Work
	for _, x := range c.At {
		w := c.work(x)
		w.ID = fmt.Sprintf("%s-%d", c.ID, x)
		all = append(all, w)
	}
	return all
}

// Curves are all that are drawn.
var Curves = []Curve{
	{
		ID: "load", Title: "CPU per 300 B signal, µs", X: "signals a second, 100 clients",
		At: []int{500, 1000, 2000, 5000, 10000, 20000},
		work: func(x int) Work {
			return Work{Args: fmt.Sprintf("-scenario relay -clients 100 -bytes 300 -rate %d", x), Metrics: cpuMetric("", nil)}
		},
	},
	{
		ID: "clients", Title: "CPU per 300 B signal, µs", X: "clients, 2,000 signals a second",
		At: []int{1000, 5000, 15000},
		work: func(x int) Work {
			return Work{Args: fmt.Sprintf("-scenario relay -bytes 300 -rate 2000 -clients %d", x), Metrics: cpuMetric("", nil)}
		},
	},
	{
		ID: "memory", Title: "memory per idle connection, KiB", X: "clients in rooms of 4",
		At: []int{1000, 5000, 15000},
		work: func(x int) Work {
			w := idle("", fmt.Sprint(x), socketIO, nil, 1)
			w.Metrics = w.Metrics[:1]
			return w
		},
	},
	{
		ID: "room", Title: "CPU per delivery, µs", X: "members of the room",
		At: []int{2, 5, 10, 32, 100, 316, 1000},
		work: func(x int) Work {
			return Work{Args: fmt.Sprintf("-scenario fanout -room %d", x), Metrics: cpuMetric("", nil)}
		},
	},
	{
		ID: "gateways", Title: "CPU per operation, µs", X: "gateways, 100 clients spread over them", Linear: true,
		At: []int{1, 2, 3, 4},
		work: func(x int) Work {
			return Work{
				Args: "-scenario relay -clients 100 -bytes 300", Gateways: x, Targets: []Target{Split}, Metrics: cpuMetric("", nil),
			}
		},
	},
}

// FindCurves returns the curves of these ids, all if there are none; ok is false if one is unknown.
func FindCurves(ids []string) (curves []Curve, ok bool) {
	return find(Curves, ids, func(c *Curve) string { return c.ID })
}

// Picture is the file name of a curve's plot.
func (c *Curve) Picture() string { return "growth-" + c.ID + ".svg" }

// at are the medians of a target along the curve, and where they were measured.
func (c *Curve) at(f *Figures, t Target) (xs, ys []float64) {
	works := c.Works()
	for i, x := range c.At {
		w := &works[i]
		if values := f.values(w, &w.Metrics[0], t); len(values) > 0 {
			xs, ys = append(xs, float64(x)), append(ys, figures.Median(values))
		}
	}
	return xs, ys
}

// measured says whether there is anything to draw.
func (c *Curve) measured(f *Figures) bool {
	for _, t := range Targets {
		if xs, _ := c.at(f, t); len(xs) == len(c.At) {
			return true
		}
	}
	return false
}

// Growth returns each curve's picture and numbers.
func (f *Figures) Growth() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s. Medians.\n", f.Machine)
	for i := range Curves {
		c := &Curves[i]
		if !c.measured(f) {
			continue
		}
		var rows strings.Builder
		for _, t := range Targets {
			if _, ys := c.at(f, t); len(ys) == len(c.At) {
				_, _ = fmt.Fprintf(&rows, "| %s |", titles[t])
				for _, y := range ys {
					_, _ = fmt.Fprintf(&rows, " %s |", number(y))
				}
				rows.WriteString("\n")
			}
		}
		_, _ = fmt.Fprintf(&b, "\n![%s by %s](%s)\n\n| %s |", c.Title, c.X, c.Picture(), c.X)
		for _, x := range c.At {
			_, _ = fmt.Fprintf(&b, " %d |", x)
		}
		_, _ = fmt.Fprintf(&b, "\n|%s\n%s", strings.Repeat("---|", len(c.At)+1), rows.String())
	}
	return b.String()
}

// GrowthPage is where README.md has the curves.
var GrowthPage = figures.Place{Name: "growth", By: "make bench-growth"}
