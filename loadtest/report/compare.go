package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// CompareSchema is the version of the output of [Comparison.WriteJSON].
const CompareSchema = 1

// A Side of a comparison is some runs of the same thing.
type Side struct {
	Name string
	Runs []*Result
}

// A Comparison sets sides side by side and measures the others by the first. It is its
// own JSON.
type Comparison struct {
	Schema      int          `json:"schema"`
	Test        string       `json:"test"`
	Alpha       float64      `json:"alpha"` // P up to this is a difference
	Sides       []SideRuns   `json:"sides"`
	Lines       []Line       `json:"lines"`
	Differences []Difference `json:"differences"` // between runs, in what they should share
	Faults      []string     `json:"faults"`      // runs that failed or were cut short, in sentences
	Notes       []string     `json:"notes"`       // what else a reader must know, in sentences; the caller sets them

	sides []Side
}

// SideRuns names the runs of a side.
type SideRuns struct {
	Name string    `json:"name"`
	Runs []RunName `json:"runs"`
}

// A RunName tells one run from the others; empty if the records lack it.
type RunName struct {
	Start  string `json:"start"` // RFC 3339
	Commit string `json:"commit"`
}

// A Line compares one quantity. A quantity that no run measured, because its scenario
// does not have it, has no line.
type Line struct {
	Family string `json:"family"` // "memory"
	Name   string `json:"name"`   // "server"
	Unit   string `json:"unit"`
	Better string `json:"better"` // "lower" or "higher"
	Cells  []Cell `json:"cells"`  // one for each side
}

// A Cell is one quantity of one side.
type Cell struct {
	Runs   []float64 `json:"runs"`   // of each run that measured it
	Median *float64  `json:"median"` // nil if none did

	// Against the first side; not set for that side itself.
	Ratio   *float64 `json:"ratio,omitempty"` // of the medians; nil if there is nothing to divide by
	P       *float64 `json:"p,omitempty"`     // nil if there were too few runs for a verdict
	Q       *float64 `json:"q,omitempty"`     // P corrected for the number of verdicts, see [Comparison.Firm]; nil if there is no P, or all runs have the same
	Verdict string   `json:"verdict,omitempty"`
}

// Verdicts of a cell, each by its own P alone. There are also "one run: no verdict" and "2 runs: no
// verdict", with the number of runs of the shorter side.
const (
	Better      = "better"
	Worse       = "worse"
	WithinNoise = "within noise"
	NotMeasured = notMeasured
)

// Limits of a comparison.
const (
	// MaxSides is how many sides can be told apart by colour.
	MaxSides = 6
	// MinRuns is how many runs a side needs for a verdict.
	MinRuns = 3
	// DefaultAlpha lets three runs a side give a verdict, but only if all runs of
	// one lie above all of the other: that is a P of 0.1. Four a side may give
	// 0.03.
	DefaultAlpha = 0.1
)

// Compare compares the sides with the first. A difference with a P of at most
// alpha, 0 to 1, gets a verdict; 0 means [DefaultAlpha]. It fails unless there
// are 2 to [MaxSides] sides with a run each and names of their own.
func Compare(alpha float64, sides ...Side) (*Comparison, error) {
	if alpha == 0 {
		alpha = DefaultAlpha
	}
	if !(alpha > 0 && alpha < 1) {
		return nil, fmt.Errorf("compare: alpha %v: want more than 0 and less than 1", alpha)
	}
	if err := checkSides(sides); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	c := &Comparison{
		Schema: CompareSchema, Test: "Mann-Whitney U, two-sided, exact", Alpha: alpha,
		Lines: []Line{}, Differences: differences(sides), Faults: []string{}, Notes: []string{}, sides: sides,
	}
	for _, s := range sides {
		c.Sides = append(c.Sides, s.names())
		c.Faults = append(c.Faults, s.faults()...)
	}
	for _, f := range families() {
		if mixed(sides) && (f.id == "latency" || f.id == "raw") {
			continue
		}
		for _, q := range f.members {
			if line := q.line(f, sides, alpha); line.measured() {
				c.Lines = append(c.Lines, line)
			}
		}
	}
	correct(c.tested())
	return c, nil
}

func checkSides(sides []Side) error {
	if len(sides) < 2 || len(sides) > MaxSides {
		return fmt.Errorf("%d sides: want 2 to %d", len(sides), MaxSides)
	}
	names := map[string]bool{}
	for _, s := range sides {
		switch {
		case s.Name == "":
			return errors.New("a side has no name")
		case names[s.Name]:
			return fmt.Errorf("two sides are called %q", s.Name)
		case len(s.Runs) == 0:
			return fmt.Errorf("side %q has no runs", s.Name)
		}
		names[s.Name] = true
	}
	return checkTCP(sides)
}

func (s Side) names() SideRuns {
	names := SideRuns{Name: s.Name}
	for _, r := range s.Runs {
		var n RunName
		if r.Run != nil {
			n = RunName{r.Run.Start, r.Run.Commit}
		}
		names.Runs = append(names.Runs, n)
	}
	return names
}

func (s Side) faults() (faults []string) {
	for i, r := range s.Runs {
		_, reasons := Verdict(r.Summary)
		for _, reason := range reasons {
			faults = append(faults, fmt.Sprintf("%s, run %d: %s", s.Name, i+1, reason))
		}
	}
	return faults
}

func (q quantity) line(f family, sides []Side, alpha float64) Line {
	line := Line{Family: f.id, Name: q.name, Unit: f.unit, Better: "lower"}
	if q.higher {
		line.Better = "higher"
	}
	for _, s := range sides {
		cell := Cell{Runs: []float64{}}
		for _, r := range s.Runs {
			if v := q.of(r); v != nil {
				cell.Runs = append(cell.Runs, *v)
			}
		}
		if len(cell.Runs) > 0 {
			m := median(cell.Runs)
			cell.Median = &m
		}
		if len(line.Cells) > 0 {
			cell.judge(line.Cells[0], q.higher, alpha)
		}
		line.Cells = append(line.Cells, cell)
	}
	return line
}

// measured reports whether any run did.
func (l Line) measured() bool {
	return slices.ContainsFunc(l.Cells, func(c Cell) bool { return c.Median != nil })
}

// judge compares the cell with the first side's.
func (c *Cell) judge(first Cell, higherIsBetter bool, alpha float64) {
	if c.Median == nil || first.Median == nil {
		c.Verdict = NotMeasured
		return
	}
	if *first.Median > 0 && *c.Median >= 0 { // a small run may give memory back: that is no multiple
		ratio := *c.Median / *first.Median
		c.Ratio = &ratio
	}
	runs := min(len(c.Runs), len(first.Runs))
	switch {
	case runs == 1:
		c.Verdict = "one run: no verdict"
		return
	case runs < MinRuns || leastP(len(first.Runs), len(c.Runs)) > alpha*(1+1e-9): // no runs could show it
		c.Verdict = fmt.Sprintf("%d runs: no verdict", runs)
		return
	}
	p, higher := rankSum(first.Runs, c.Runs)
	c.P = &p
	switch {
	case p > alpha*(1+1e-9):
		c.Verdict = WithinNoise
	case higher == higherIsBetter:
		c.Verdict = Better
	default:
		c.Verdict = Worse
	}
}

// AnyWorse reports whether any quantity of any side has the verdict [Worse] and
// is [Comparison.Firm]: of dozens of quantities some look worse by chance.
func (c *Comparison) AnyWorse() bool {
	return slices.ContainsFunc(c.tested(), func(cell *Cell) bool { return cell.Verdict == Worse && c.Firm(*cell) })
}

// WriteJSON writes the comparison, indented, in an order that never changes.
func (c *Comparison) WriteJSON(w io.Writer) error {
	if err := writeJSON(w, c); err != nil {
		return fmt.Errorf("write JSON comparison: %w", err)
	}
	return nil
}
