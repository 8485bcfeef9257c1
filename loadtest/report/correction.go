package report

import (
	"cmp"
	"slices"
)

// tested returns the cells with a P, except those whose runs all have the same value as
// the first side's: they could not differ, so they are no chance to be wrong.
func (c *Comparison) tested() (cells []*Cell) {
	for _, l := range c.Lines {
		for i := range l.Cells {
			cell := &l.Cells[i]
			all := slices.Concat(l.Cells[0].Runs, cell.Runs)
			if cell.P != nil && slices.Min(all) < slices.Max(all) {
				cells = append(cells, cell)
			}
		}
	}
	return cells
}

// correct sets Q of cells: P corrected for how many there are, by the step-up
// procedure of Benjamini and Hochberg (1995). It holds for quantities that rise
// and fall together, too, as percentiles do.
func correct(cells []*Cell) {
	slices.SortStableFunc(cells, func(a, b *Cell) int { return cmp.Compare(*a.P, *b.P) })
	q := 1.0
	for i, cell := range slices.Backward(cells) {
		q = min(q, *cell.P*float64(len(cells))/float64(i+1))
		corrected := q
		cell.Q = &corrected
	}
}

// Firm reports whether a verdict of better or worse holds when all verdicts of
// the comparison are looked at together: of those that are firm, a share of at
// most Alpha is expected to be chance.
func (c *Comparison) Firm(cell Cell) bool {
	return cell.Q != nil && *cell.Q <= c.Alpha*(1+1e-9)
}

// TooFewRuns reports whether some side has fewer runs than each needs, so that a
// single quantity that differs can be firm.
func (c *Comparison) TooFewRuns() (needed int, tooFew bool) {
	verdicts := len(c.tested())
	if !c.judged() {
		verdicts = len(c.Lines) * (len(c.Sides) - 1)
	}
	needed = max(MinRuns, enough(c.Alpha/max(1, float64(verdicts))))
	return needed, c.fewestRuns() < needed
}

// fewestRuns is how many the side has that has the fewest.
func (c *Comparison) fewestRuns() int {
	n := len(c.Sides[0].Runs)
	for _, s := range c.Sides {
		n = min(n, len(s.Runs))
	}
	return n
}

// enough is how many runs each of two sides needs to show a P of alpha.
func enough(alpha float64) int {
	n := 1
	for leastP(n, n) > alpha*(1+1e-9) {
		n++
	}
	return n
}
