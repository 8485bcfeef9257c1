package report

import (
	"fmt"
	"io"
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
			t.line("%s", strings.TrimRight(l.text(f.show), " "))
		}
	}
	t.line("")
	for _, sentence := range c.method() {
		t.line("%s", sentence)
	}
	c.textWarnings(&t)
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

func (l Line) text(unit func(float64) string) string {
	line := fmt.Sprintf("  %-16s%13s", l.Name, show(l.Cells[0].Median, unit))
	for _, c := range l.Cells[1:] {
		line += fmt.Sprintf("%13s%8s  %-21s", show(c.Median, unit), c.ratio(), c.verdict())
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

// method says how far to trust the verdicts.
func (c *Comparison) method() []string {
	judged := 0
	for _, l := range c.Lines {
		for _, cell := range l.Cells {
			if cell.P != nil {
				judged++
			}
		}
	}
	sentences := []string{"Figures are medians of the runs of a side."}
	if judged == 0 {
		return append(sentences, fmt.Sprintf("A verdict needs %d runs a side.", max(MinRuns, enough(c.Alpha))))
	}
	return append(sentences,
		fmt.Sprintf("Test: %s; different means a p of at most %v.", c.Test, c.Alpha),
		fmt.Sprintf("Of %d verdicts, about %.0f would say better or worse by chance alone.", judged, float64(judged)*c.Alpha))
}

// enough is how many runs each of two sides needs to show a P of alpha.
func enough(alpha float64) int {
	n := 1
	for leastP(n, n) > alpha*(1+1e-9) {
		n++
	}
	return n
}

func (c Cell) ratio() string {
	if c.Ratio == nil {
		return "–"
	}
	return "×" + threeDigits(*c.Ratio)
}

// verdict names the p it rests on.
func (c Cell) verdict() string {
	if c.P == nil {
		return c.Verdict
	}
	if *c.P < 0.001 {
		return c.Verdict + ", p<0.001"
	}
	return fmt.Sprintf("%s, p=%.2g", c.Verdict, *c.P)
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
