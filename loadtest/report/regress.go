package report

import (
	"fmt"
	"slices"
)

// Missing tells in sentences what the first side has and another lacks: none of its runs
// came to an end, or a figure is not measured any more. That is worse than any figure
// could be.
func (c *Comparison) Missing() (sentences []string) {
	if !c.sides[0].ended() {
		return nil
	}
	for i, s := range c.sides[1:] {
		if !s.ended() {
			sentences = append(sentences, fmt.Sprintf("%s: no run finished", s.Name))
			continue
		}
		if s.scenario() != c.sides[0].scenario() {
			continue // which may not have it
		}
		for _, l := range c.Lines {
			if l.Cells[0].Median != nil && l.Cells[i+1].Median == nil && !l.mayLack() {
				sentences = append(sentences, fmt.Sprintf("%s: %s is no longer measured", s.Name, l.title()))
			}
		}
	}
	return sentences
}

// Untold is why nothing can be said of some figures, in sentences. If there are
// any, that nothing is worse is no good news.
func (c *Comparison) Untold() (sentences []string) {
	say := func(format string, args ...any) { sentences = append(sentences, fmt.Sprintf(format, args...)) }
	if needed, tooFew := c.TooFewRuns(); tooFew {
		say("too few runs to tell: with %d a side, even a single worse figure would show", needed)
		return sentences
	}
	first := c.sides[0]
	if !first.ended() {
		say("%s: no run finished", first.Name)
	}
	for i, s := range c.sides[1:] {
		if s.scenario() != first.scenario() {
			say("%s is a run of scenario %s, %s of %s", s.Name, s.scenario(), first.Name, first.scenario())
		}
		for _, l := range c.Lines {
			was, is := l.Cells[0], l.Cells[i+1]
			if was.Median != nil && is.Median != nil && is.P == nil && !l.mayLack() {
				say("%s: %s was measured in too few of the runs", s.Name, l.title())
			}
		}
	}
	return sentences
}

// mayLack reports whether a run may lack the figure though nothing is wrong: the
// kernel's memory is the whole host's, and with few clients may seem to shrink.
func (l Line) mayLack() bool { return l.Family == "memory" && l.Name == "kernel" }

// title names a line outside its table.
func (l Line) title() string { return l.Family + " " + l.Name }

// ended reports whether any run did.
func (s Side) ended() bool {
	return slices.ContainsFunc(s.Runs, func(r *Result) bool { return r.Summary.Ended })
}

// scenario returns the scenario of the runs, of the first if they differ.
func (s Side) scenario() string { return s.Runs[0].Summary.Scenario }

// mixed reports whether some latencies are of replies and others of receipts.
func mixed(sides []Side) bool {
	kinds := map[string]bool{}
	for _, s := range sides {
		for _, r := range s.Runs {
			if r.Summary.LatencyMs != nil || r.Summary.RawLatencyMs != nil {
				kinds[r.Summary.arrival()] = true
			}
		}
	}
	return len(kinds) > 1
}
