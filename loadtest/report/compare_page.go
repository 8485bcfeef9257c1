package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A comparisonPage is all that the template shows, already in words.
type comparisonPage struct {
	Title, Subtitle string
	Sides           []key
	Tallies         []tallyRow
	Faults          []string
	Differences     []Difference
	Families        []familyTable
	Charts          []chart
	Commands        []sideCommand
	Method, Notes   []string
}

// A tallyRow counts the verdicts of one side.
type tallyRow struct {
	Name                        string
	Better, Worse, Noise, Other int
}

type familyTable struct {
	Title string
	Lines []comparedLine
}

type comparedLine struct {
	Name  string
	Cells []comparedCell
}

type comparedCell struct {
	Value, Range string // Range: "" if all runs have the same
	Ratio        string // "" for the first side
	Verdict      string
	Class        string // "better", "worse" or ""
}

type sideCommand struct {
	Name    string
	Runs    string
	Command string // of its first run
}

// palette has a colour for each of MaxSides sides.
func palette() []string { return []string{"blue", "orange", "teal", "purple", "rose", "olive"} }

// WriteHTML writes one page that needs no other file and no network.
func (c *Comparison) WriteHTML(w io.Writer) error {
	if err := pageTemplate().ExecuteTemplate(w, "compare.html", c.page()); err != nil {
		return fmt.Errorf("write HTML comparison: %w", err)
	}
	return nil
}

func (c *Comparison) page() comparisonPage {
	var names []string
	for _, s := range c.Sides {
		names = append(names, s.Name)
	}
	p := comparisonPage{
		Title:       "Comparison of " + strings.Join(names, ", "),
		Subtitle:    "Ratios and verdicts are against " + names[0] + ".",
		Differences: c.Differences,
		Faults:      c.Faults,
		Method:      c.method(),
		Notes:       c.Notes,
	}
	for i, s := range c.sides {
		p.Sides = append(p.Sides, key{palette()[i] + " bar", s.Name})
		if i > 0 {
			p.Tallies = append(p.Tallies, c.tally(i))
		}
		p.Commands = append(p.Commands, s.command())
	}
	for _, f := range families() {
		lines := c.family(f.id)
		if len(lines) == 0 {
			continue // so there are no curves of latencies that are not the same thing
		}
		p.Families = append(p.Families, c.table(f, lines))
		if f.axis != "" {
			p.Charts = append(p.Charts, c.bars(f, lines))
		}
		if f.id == "latency" {
			p.Charts = append(p.Charts, c.curves())
		}
	}
	return p
}

func (c *Comparison) tally(side int) tallyRow {
	row := tallyRow{Name: c.Sides[side].Name}
	for _, l := range c.Lines {
		switch l.Cells[side].Verdict {
		case Better:
			row.Better++
		case Worse:
			row.Worse++
		case WithinNoise:
			row.Noise++
		default:
			row.Other++
		}
	}
	return row
}

func (s Side) command() sideCommand {
	command := sideCommand{s.Name, runs(len(s.Runs)), notRecorded}
	if run := s.Runs[0].Run; run != nil {
		command.Runs += ", commit " + shortCommit(run.Commit) + ", " + run.Start
		command.Command = shellQuote(run.Command)
	}
	return command
}

func (c *Comparison) family(id string) (lines []Line) {
	for _, l := range c.Lines {
		if l.Family == id {
			lines = append(lines, l)
		}
	}
	return lines
}

func (c *Comparison) table(f family, lines []Line) familyTable {
	t := familyTable{Title: f.title}
	for _, l := range lines {
		line := comparedLine{Name: l.Name}
		for i, cell := range l.Cells {
			shown := comparedCell{Value: show(cell.Median, f.show)}
			if len(cell.Runs) > 1 && slices.Min(cell.Runs) < slices.Max(cell.Runs) {
				shown.Range = f.show(slices.Min(cell.Runs)) + " to " + f.show(slices.Max(cell.Runs))
			}
			if i > 0 {
				shown.Ratio, shown.Verdict = cell.ratio(), c.verdict(cell)
			}
			if cell.Verdict == Better || cell.Verdict == Worse {
				shown.Class = cell.Verdict
			}
			line.Cells = append(line.Cells, shown)
		}
		t.Lines = append(t.Lines, line)
	}
	return t
}

// bars has a group of bars for each quantity of a family, one bar for each
// side: as high as the median, with a whisker from the least run to the most.
func (c *Comparison) bars(f family, lines []Line) chart {
	out := chart{ID: f.id, Title: f.title, About: f.about}
	most := math.Inf(-1)
	for _, l := range lines {
		for _, cell := range l.Cells {
			if len(cell.Runs) > 0 {
				most = max(most, slices.Max(cell.Runs)/f.perAxis)
			}
		}
	}
	if math.IsInf(most, 0) {
		return out
	}
	x := axis{scale: scale{max: float64(len(lines))}}
	y := axis{scale: fromZero(most, 4), label: f.axis, tick: compact}
	out.axes(x, y)
	out.Columns = []string{f.title}
	for i, s := range c.Sides {
		out.Keys = append(out.Keys, key{palette()[i] + " bar", s.Name})
		out.Columns = append(out.Columns, s.Name)
		out.Shapes = append(out.Shapes, c.barsOf(i, f, lines, x, y)...)
	}
	middles := make([]float64, len(lines))
	for i, l := range lines {
		middles[i] = float64(i) + 0.5
		out.XTicks = append(out.XTicks, mark{cent(x.at(middles[i])), l.Name})
	}
	out.rows(x, middles, func(i int) []string {
		cells := []string{lines[i].Name}
		for _, cell := range lines[i].Cells {
			cells = append(cells, show(cell.Median, f.show))
		}
		return cells
	})
	return out
}

// barsOf draws the bars of one side, and their whiskers.
func (c *Comparison) barsOf(side int, f family, lines []Line, x, y axis) []shape {
	const gap = 0.15 // of a group, before and after its bars
	width := (1 - 2*gap) / float64(len(c.Sides))
	var bars, whiskers strings.Builder
	for i, l := range lines {
		cell := l.Cells[side]
		if cell.Median == nil {
			continue
		}
		height := func(v float64) float64 { return min(1000-1000*y.at(v/f.perAxis), 1000) }
		left := float64(i) + gap + float64(side)*width
		fmt.Fprintf(&bars, "M%.1f 1000V%.1fH%.1fV1000Z", 1000*x.at(left), height(*cell.Median), 1000*x.at(left+0.92*width))
		if len(cell.Runs) > 1 {
			fmt.Fprintf(&whiskers, "M%.1f %.1fV%.1f", 1000*x.at(left+0.46*width), height(slices.Min(cell.Runs)), height(slices.Max(cell.Runs)))
		}
	}
	shapes := []shape{{palette()[side] + " bar", bars.String()}}
	if whiskers.Len() > 0 {
		shapes = append(shapes, shape{"whisker", whiskers.String()})
	}
	return shapes
}

// curves lays the latencies by percentile over each other, each the median of
// the runs of its side, at the percentiles that every run has.
func (c *Comparison) curves() chart {
	out := chart{ID: "percentiles", Title: "Latency by percentile", About: "Latency within which the given share of receipts (in echo, of replies) arrived. Of several runs, the median."}
	percents := c.sharedPercents()
	var lines []series
	for i, s := range c.sides {
		line := series{name: s.Name, class: palette()[i]}
		for _, p := range percents {
			var all []float64
			for _, r := range s.Runs {
				if ms, measured := r.curve()[p]; measured {
					all = append(all, ms)
				}
			}
			line.values = append(line.values, median(all))
		}
		lines = append(lines, line)
	}
	return out.percentiles("latency, ms", percents, lines)
}

// sharedPercents returns the percents of every run that has any.
func (c *Comparison) sharedPercents() (shared []float64) {
	have, of := map[float64]int{}, 0
	for _, s := range c.sides {
		for _, r := range s.Runs {
			curve := r.curve()
			if len(curve) > 0 {
				of++
			}
			for p := range curve {
				have[p]++
			}
		}
	}
	for p, n := range have {
		if n == of {
			shared = append(shared, p)
		}
	}
	slices.Sort(shared)
	return shared
}

// curve is latency in milliseconds by percent. JSON of before there was a
// curve has the percentiles of the summary alone.
func (r *Result) curve() map[float64]float64 {
	curve := map[float64]float64{}
	for _, p := range r.Curve {
		curve[p.Percent] = p.Ms
	}
	if l := r.Summary.LatencyMs; l != nil && len(curve) == 0 {
		curve = map[float64]float64{50: l.P50, 90: l.P90, 99: l.P99, 99.9: l.P999}
	}
	return curve
}
