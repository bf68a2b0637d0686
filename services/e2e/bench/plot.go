package bench

import (
	"bytes"
	"image/color"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The size of a picture.
const (
	plotWidth  = 6.5 * vg.Inch
	plotHeight = 3 * vg.Inch
)

// rightMargin is where the horizontal axis ends, in parts of its last number.
const rightMargin = 1.15

// colours of the targets: they differ in lightness too, for those who see no colours.
var colours = map[Target]color.RGBA{
	Node:  {R: 0x9a, G: 0x9a, B: 0x9a, A: 0xff},
	One:   {R: 0x00, G: 0x5f, B: 0xb8, A: 0xff},
	Split: {R: 0xd9, G: 0x6a, B: 0x00, A: 0xff},
}

// Draw draws a curve as SVG. The same figures make the same picture.
func (c *Curve) Draw(f *Figures) ([]byte, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = c.X, c.Title
	p.Y.Min = 0
	if !c.Linear {
		p.X.Scale = plot.LogScale{}
	}
	p.X.Tick.Marker = ticks(c.At)
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs = true, true, vg.Points(12) // texts go to the right, whatever the font
	p.Add(plotter.NewGrid())
	highest := 0.0
	for _, t := range Targets {
		xs, ys := c.at(f, t)
		if len(xs) == 0 {
			continue
		}
		points := make(plotter.XYs, len(xs))
		for i := range xs {
			points[i] = plotter.XY{X: xs[i], Y: ys[i]}
			highest = max(highest, ys[i])
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colours[t], vg.Points(1.5)
		marks.Color, marks.Shape = colours[t], draw.CircleGlyph{}
		p.Add(line, marks)
		p.Legend.Add(titles[t], line, marks)
	}
	p.Y.Max = highest * 1.4                            // room for the legend
	p.X.Max = float64(c.At[len(c.At)-1]) * rightMargin // and for the last number
	w, err := p.WriterTo(plotWidth, plotHeight, "svg")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = w.WriteTo(&out)
	return out.Bytes(), err
}

// ticks are where a curve was measured.
type ticks []int

// Ticks implements [plot.Ticker].
func (at ticks) Ticks(_, _ float64) (all []plot.Tick) {
	for _, x := range at {
		all = append(all, plot.Tick{Value: float64(x), Label: strconv.Itoa(x)})
	}
	return all
}
