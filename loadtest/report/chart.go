package report

import (
	"fmt"
	"math"
	"strings"
)

// A chart is one figure of the page, ready for the template: the plot as SVG
// paths in a box of 1000 by 1000 that the browser stretches, and everything
// with letters as HTML, which keeps its size on any screen.
type chart struct {
	ID, Title string
	About     string // one sentence; also what a screen reader says
	X, Y      string // axis labels, with units
	Keys      []key
	Shapes    []shape
	XTicks    []mark
	YTicks    []mark
	Phases    []phase
	Events    []eventMark
	Columns   []string // of the table: x first, then a column for each series
	Rows      []row    // none: nothing was measured
}

// A series is one line. NaN means not measured: the line has a gap there.
type series struct {
	name   string
	class  string // of the style sheet: its colour
	values []float64
	filled bool // down to the axis
}

type key struct{ Class, Name string }

type shape struct{ Class, Path string }

// A mark is a label on an axis or above the plot. At is in percent.
type mark struct {
	At    string
	Label string
}

// A phase of the run begins at From, in percent.
type phase struct {
	From, Name string
	Narrow     bool // no room for the name on a phone
}

// An eventMark is a vertical line with a name.
type eventMark struct {
	At, Name string
	Late     bool // the name is to its left
	Line     int  // of the name, so that two close to each other can be read
}

// A row is one x with its values: a line of the table, and the box that
// appears when the pointer is over that part of the plot.
type row struct {
	Left, Width string // percent
	Late        bool   // in the right half, so the box opens to the left
	Cells       []string
}

// An axis is a scale with its words.
type axis struct {
	scale
	label string               // "latency, ms"
	tick  func(float64) string // label of a tick
	cell  func(float64) string // a value in the table, with its unit
}

func (a axis) marks(place func(share float64) float64) []mark {
	marks := make([]mark, len(a.ticks))
	for i, t := range a.ticks {
		marks[i] = mark{At: cent(place(a.at(t))), Label: a.tick(t)}
	}
	return marks
}

// plot draws lines over common x values.
func (c *chart) plot(x, y axis, xs []float64, lines []series) {
	c.axes(x, y)
	for _, s := range lines {
		k := key{Class: s.class, Name: s.name}
		if _, most := bounds(s); math.IsInf(most, 0) {
			k.Name += ": " + notMeasured
		}
		c.Keys = append(c.Keys, k)
		c.Columns = append(c.Columns, s.name)
		if s.filled {
			c.Shapes = append(c.Shapes, shape{s.class + " fill", path(x, y, xs, s.values, "V1000")})
		}
		c.Shapes = append(c.Shapes, shape{s.class + " line", path(x, y, xs, s.values, "")})
		if dots := path(x, y, xs, lone(s.values), ""); dots != "" {
			c.Shapes = append(c.Shapes, shape{s.class + " dot", dots})
		}
	}
	c.rows(x, xs, func(i int) []string {
		cells, some := make([]string, 0, len(lines)+1), false
		cells = append(cells, x.cell(xs[i]))
		for _, s := range lines {
			if math.IsNaN(s.values[i]) {
				cells = append(cells, "–")
				continue
			}
			some = true
			cells = append(cells, y.cell(s.values[i]))
		}
		if !some {
			return nil
		}
		return cells
	})
}

func (c *chart) axes(x, y axis) {
	c.X, c.Y = x.label, y.label
	c.XTicks = x.marks(func(share float64) float64 { return share })
	c.YTicks = y.marks(func(share float64) float64 { return 1 - share })
	c.Columns = []string{x.label}
}

// rows gives each x its cells and its part of the width, halfway to its
// neighbours. An x without cells is left out.
func (c *chart) rows(x axis, xs []float64, cells func(i int) []string) {
	for i := range xs {
		line := cells(i)
		if line == nil {
			continue
		}
		left, right := 0.0, 1.0
		if i > 0 {
			left = (x.at(xs[i-1]) + x.at(xs[i])) / 2
		}
		if i < len(xs)-1 {
			right = (x.at(xs[i]) + x.at(xs[i+1])) / 2
		}
		c.Rows = append(c.Rows, row{Left: cent(left), Width: cent(right - left), Late: left > 0.5, Cells: line})
	}
}

// path joins neighbouring values. Each stretch between gaps is closed down to
// the axis if down says how; a lone value becomes a dot.
func path(x, y axis, xs, ys []float64, down string) string {
	var b strings.Builder
	open := false
	end := func() {
		if open && down != "" {
			b.WriteString(down + "Z")
		}
		open = false
	}
	for i, v := range ys {
		if math.IsNaN(v) {
			end()
			continue
		}
		px, py := 1000*x.at(xs[i]), min(1000-1000*y.at(v), 1000) // below 0 there is no room: drawn on the axis
		switch {
		case open:
			fmt.Fprintf(&b, "L%.1f %.1f", px, py)
		case down != "":
			fmt.Fprintf(&b, "M%.1f 1000V%.1f", px, py)
		default:
			fmt.Fprintf(&b, "M%.1f %.1fh0", px, py)
		}
		open = true
	}
	end()
	return b.String()
}

// lone are the values between two gaps: a line as thin as the others would hide
// them.
func lone(ys []float64) []float64 {
	out := make([]float64, len(ys))
	gap := func(i int) bool { return i < 0 || i >= len(ys) || math.IsNaN(ys[i]) }
	for i, v := range ys {
		if out[i] = v; !gap(i-1) || !gap(i+1) {
			out[i] = math.NaN()
		}
	}
	return out
}

// bounds are the least and most of all values; infinite if there are none.
func bounds(lines ...series) (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, s := range lines {
		for _, v := range s.values {
			if !math.IsNaN(v) {
				least, most = min(least, v), max(most, v)
			}
		}
	}
	return least, most
}

// cent writes a share as percent for a style sheet.
func cent(share float64) string { return fmt.Sprintf("%.2f", 100*share) }
