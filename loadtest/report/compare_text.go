package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteText writes a table for a terminal: 80 columns for two sides, 42 more
// for each other.
func (c *Comparison) WriteText(w io.Writer) error {
	var t table
	c.textHead(&t)
	for _, f := range families() {
		for i, l := range c.family(f.id) {
			if i == 0 {
				t.line("%s", f.title)
			}
			t.line("%s", strings.TrimRight(c.lineText(l, f.show), " "))
		}
	}
	t.line("")
	for _, sentence := range c.method() {
		t.wrapped("", sentence)
	}
	c.textWarnings(&t)
	for i, note := range c.Notes {
		if i == 0 {
			t.line("\nWhat to know")
		}
		t.wrapped("- ", note)
	}
	if _, err := io.WriteString(w, t.String()); err != nil {
		return fmt.Errorf("write text comparison: %w", err)
	}
	return nil
}

func (c *Comparison) textHead(t *table) {
	for i, s := range c.Sides {
		relation := ""
		if i > 0 {
			relation = ", compared with " + c.Sides[0].Name
		}
		t.line("%s: %s%s", s.Name, runs(len(s.Runs)), relation)
	}
	head := fmt.Sprintf("\n%-18s%13s", "", brief(c.Sides[0].Name))
	for _, s := range c.Sides[1:] {
		head += fmt.Sprintf("%13s%8s  %-21s", brief(s.Name), "ratio", "verdict")
	}
	t.line("%s", strings.TrimRight(head, " "))
}

func (c *Comparison) lineText(l Line, unit func(float64) string) string {
	line := fmt.Sprintf("  %-16s%13s", l.Name, show(l.Cells[0].Median, unit))
	for _, cell := range l.Cells[1:] {
		line += fmt.Sprintf("%13s%8s  %-21s", show(cell.Median, unit), cell.ratio(), c.verdict(cell))
	}
	return line
}

func (c *Comparison) textWarnings(t *table) {
	for _, d := range c.Differences {
		var parts []string
		for i, value := range d.Values {
			parts = append(parts, c.Sides[i].Name+" "+value)
		}
		t.line("warn  %s differs: %s", d.Name, strings.Join(parts, ", "))
	}
	for _, f := range c.Faults {
		t.line("warn  %s", f)
	}
}

// apples is said where some latencies are oranges.
const apples = "Latencies are left out: the latency of an echo reply cannot be compared with that of a broadcast receipt."

// method says how far to trust the verdicts.
func (c *Comparison) method() []string {
	sentences := []string{"Figures are medians of the runs of a side."}
	if mixed(c.sides) {
		sentences = append(sentences, apples)
	}
	if !c.judged() {
		return append(sentences, fmt.Sprintf("A verdict needs %d runs a side, made alternately.", max(MinRuns, enough(c.Alpha))))
	}
	fewest := c.fewestRuns()
	sentences = append(sentences,
		fmt.Sprintf("Test: %s; a difference counts as better or worse if p is at most %v.", c.Test, c.Alpha),
		fmt.Sprintf("With %s a side, p cannot fall below %.2g, even if every value of one side is above all of the other.", runs(fewest), leastP(fewest, fewest)),
		"Within noise: no difference was shown, but there may be one. More runs reveal smaller differences.")
	if tested := c.tested(); len(tested) > 0 {
		different := func(cell *Cell) bool { return cell.Verdict != WithinNoise }
		firm := func(cell *Cell) bool { return c.Firm(*cell) }
		sentences = append(sentences,
			fmt.Sprintf("Verdicts of better or worse: %d of %d, each by its own p; chance alone would produce up to %.2g.",
				countOf(tested, different), len(tested), float64(len(tested))*c.Alpha),
			fmt.Sprintf("Still significant after correction for their number: %d, marked * (Benjamini-Hochberg, false discovery rate %v).",
				countOf(tested, firm), c.Alpha))
		if needed, tooFew := c.TooFewRuns(); tooFew && countOf(tested, firm) == 0 {
			sentences = append(sentences, fmt.Sprintf("With %s a side nothing can survive the correction unless nearly every figure differs; use %d or more.", runs(fewest), needed))
		}
	}
	if apart := c.apart(); apart != "" {
		sentences = append(sentences, apart)
	}
	return sentences
}

func countOf(cells []*Cell, counts func(*Cell) bool) (n int) {
	for _, cell := range cells {
		if counts(cell) {
			n++
		}
	}
	return n
}

// judged reports whether any figure has a verdict.
func (c *Comparison) judged() bool {
	return slices.ContainsFunc(c.Lines, func(l Line) bool {
		return slices.ContainsFunc(l.Cells, func(cell Cell) bool { return cell.P != nil })
	})
}

// apart says which sides were not measured by turns with the first. No test can
// tell a difference between them from one between two hours.
func (c *Comparison) apart() string {
	var names []string
	first, last, dated := c.Sides[0].span()
	for _, s := range c.Sides[1:] {
		from, to, known := s.span()
		if dated && known && (to < first || last < from) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("Not alternating with %s: %s. Any other change of the host in between counts as a difference.", c.Sides[0].Name, strings.Join(names, ", "))
}

// span is when the first and the last of several runs began. RFC 3339 in UTC, as
// records have it, sorts by time.
func (s SideRuns) span() (first, last string, known bool) {
	for _, r := range s.Runs {
		if r.Start == "" {
			return "", "", false
		}
		if first == "" || r.Start < first {
			first = r.Start
		}
		last = max(last, r.Start)
	}
	return first, last, true
}

func (c Cell) ratio() string {
	if c.Ratio == nil {
		return "–"
	}
	return "×" + threeDigits(*c.Ratio)
}

// verdict names the p it rests on, with a star if it is firm.
func (c *Comparison) verdict(cell Cell) string {
	if cell.P == nil {
		return cell.Verdict
	}
	text := fmt.Sprintf("%s, p=%.2g", cell.Verdict, *cell.P)
	if *cell.P < 0.001 {
		text = cell.Verdict + ", p<0.001"
	}
	if c.Firm(cell) {
		text += " *"
	}
	return text
}

func runs(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}

// brief keeps a name within a column.
func brief(name string) string {
	if r := []rune(name); len(r) > 12 {
		return string(r[:11]) + "…"
	}
	return name
}
