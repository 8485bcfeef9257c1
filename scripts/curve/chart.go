package main

import (
	"fmt"
	"math"
	"strings"
)

// The chart's area in pixels, and its colours, which do in light and dark.
const (
	width, height = 720, 420
	left, right   = 70, 110
	top, bottom   = 20, 50
)

var colours = []string{"#2f7ed8", "#d9822b", "#3d9970", "#b10dc9", "#7f8c8d"}

// chart draws deliveries a second over messages a second, a line for each size
// of the room; both axes are logarithmic.
func chart(points []point) string {
	x := axisOf(points, func(p point) float64 { return p.Rate }, left, width-right)
	y := axisOf(points, func(p point) float64 { return p.PerSecond }, height-bottom, top)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for _, v := range x.ticks() {
		fmt.Fprintf(&b, `<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", x.at(v), top, height-bottom, x.at(v), height-bottom+18, v)
	}
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, `<path d="M%d %.1f H%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y.at(v), width-right, left-6, y.at(v)+4, short(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">messages a second</text>`+"\n", (left+width-right)/2, height-10)
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">deliveries a second</text>`+"\n", (top+height-bottom)/2)
	used := make(map[float64]float64) // height of the last label of the lines that end at a rate
	for i, line := range lines(points) {
		colour := colours[i%len(colours)]
		var d strings.Builder
		for j, p := range line {
			fmt.Fprintf(&d, "%c%.1f %.1f ", "ML"[min(j, 1)], x.at(p.Rate), y.at(p.PerSecond))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x.at(p.Rate), y.at(p.PerSecond), colour)
		}
		end := line[len(line)-1]
		label := y.at(end.PerSecond) + 4
		if below, ok := used[end.Rate]; ok { // larger rooms come later and lie above
			label = min(label, below-14)
		}
		used[end.Rate] = label
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/><text x="%.1f" y="%.1f" fill="%s">%s clients</text>`+"\n",
			strings.TrimSpace(d.String()), colour, x.at(end.Rate)+8, label, colour, short(float64(end.Clients)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// lines are the points by size of the room.
func lines(points []point) (all [][]point) {
	for _, p := range points {
		if n := len(all); n > 0 && all[n-1][0].Clients == p.Clients {
			all[n-1] = append(all[n-1], p)
		} else {
			all = append(all, []point{p})
		}
	}
	return all
}

// An axis puts values on pixels, logarithmically.
type axis struct{ from, to, first, last float64 }

func axisOf(points []point, of func(point) float64, first, last float64) axis {
	a := axis{from: math.Inf(1), to: math.Inf(-1), first: first, last: last}
	for _, p := range points {
		if v := of(p); v > 0 {
			a.from, a.to = min(a.from, v), max(a.to, v)
		}
	}
	if a.from == a.to || math.IsInf(a.from, 0) {
		a.from, a.to = 0.5, 2
	}
	return a
}

func (a axis) at(v float64) float64 {
	share := (math.Log(max(v, a.from)) - math.Log(a.from)) / (math.Log(a.to) - math.Log(a.from))
	return a.first + share*(a.last-a.first)
}

// ticks are 1, 2 and 5 times the powers of ten in the axis's range.
func (a axis) ticks() (values []float64) {
	for power := math.Pow(10, math.Floor(math.Log10(a.from))); power <= a.to; power *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if v := step * power; v >= a.from && v <= a.to {
				values = append(values, v)
			}
		}
	}
	return values
}

// short writes 150000 as 150k.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}
