package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// WriteText writes a table for a terminal of 80 columns.
func (r *Result) WriteText(w io.Writer) error {
	var t table
	r.textHead(&t)
	r.textFigures(&t)
	r.textVerdict(&t)
	if _, err := io.WriteString(w, t.String()); err != nil {
		return fmt.Errorf("write text report: %w", err)
	}
	return nil
}

// A table aligns cells to the right below a label. Width counts characters, so
// "µs" lines up too.
type table struct{ strings.Builder }

func (t *table) row(label string, cells ...string) {
	line := fmt.Sprintf("%-14s", label)
	for i, cell := range cells {
		width := 13
		if i == 0 { // a long label takes of the first cell
			width = max(utf8.RuneCountInString(cell)+1, 27-utf8.RuneCountInString(line))
		}
		line += fmt.Sprintf("%*s", width, cell)
	}
	t.line("%s", strings.TrimRight(line, " "))
}

func (t *table) line(format string, args ...any) {
	fmt.Fprintf(t, format+"\n", args...)
}

// wrapped writes a sentence in lines of at most 80 columns: the first begins with
// mark, the others below the text of the first. A word is never broken.
func (t *table) wrapped(mark, sentence string) {
	line, indent := mark, strings.Repeat(" ", len(mark))
	for i, word := range strings.Fields(sentence) {
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > 80:
			t.line("%s", line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	t.line("%s", line)
}

func (r *Result) textHead(t *table) {
	if r.Run == nil {
		return
	}
	t.line("%s of %s, commit %s", r.Summary.title(), r.Run.Start, shortCommit(r.Run.Commit))
	t.line("%s\n", r.machine())
}

func (r *Result) textFigures(t *table) {
	s := r.Summary
	t.row("clients", "asked", "joined", "rate", "CPU/join", "errors")
	t.row("", show(s.Clients, count), show(s.Joined, count), show(s.ConnectJoinPerSecond, rate),
		show(s.ServerCPUUsPerJoin, duration), s.errors())
	t.line("")
	t.row("memory", "server", "client", "kernel", "together", "left")
	t.row("  per client", show(s.ServerBytesPerClient, size), show(s.ClientBytesPerClient, size), show(s.KernelBytesPerClient, size),
		show(sum(s.ServerBytesPerClient, s.ClientBytesPerClient, s.KernelBytesPerClient), size))
	for _, m := range r.Memory {
		kernel := reading(m.KernelBytes)
		t.row("  "+moment(m), show(reading(m.ServerRSS), size), show(reading(m.ClientRSS), size), show(kernel, size),
			show(sum(processes(m), kernel), size), show(reading(m.AvailableBytes), size))
	}
	t.line("")
	if s.MemorySays != "" {
		t.wrapped("", s.MemorySays)
		t.line("")
	}
	if blocks := s.scenarioBlocks(); len(blocks) > 0 {
		t.blocks(blocks...)
		t.line("")
	}
	if s.broadcasts() {
		t.broadcasts(s)
	}
	t.blocks(s.latencyBlock())
	t.line("")
	if s.ClientTCPSays != "" {
		t.wrapped("", s.ClientTCPSays)
		t.line("")
	}
	if g := s.Generator; g != nil {
		t.wrapped("", g.String())
		t.wrapped("  ", g.Measures())
		t.wrapped("", "bottleneck: "+g.Bottleneck+" ("+g.Evidence+")")
		t.line("")
	}
}

func (t *table) blocks(blocks ...block) {
	for _, b := range blocks {
		t.row(b.Title, b.Columns...)
		for _, r := range b.Rows {
			label := r.Label
			if len(r.Cells) > 0 && utf8.RuneCountInString(label+r.Cells[0]) >= 27 { // else the columns would not be below each other
				t.line("%s", label)
				label = ""
			}
			t.row(label, r.Cells...)
		}
		if b.Note != "" {
			t.wrapped("  ", b.Note)
		}
	}
}

func (t *table) broadcasts(s Summary) {
	t.row("messages", "expected", "delivered", "lost", "duplicated", "reordered")
	t.row("", show(s.Expected, count), show(s.Delivered, count), show(s.Lost, count), show(s.Duplicated, count), show(s.Reordered, count))
	if s.Unreadable > 0 {
		t.row("  unreadable", "", count(s.Unreadable))
	}
	if s.missed() > 0 {
		t.row("  while away", "", "", count(s.missed()))
	}
	if s.Late != nil && *s.Late > 0 {
		t.row("  late", "", count(*s.Late))
	}
	t.line("")
	if !s.eachBroadcast() {
		return
	}
	t.row("fan-out", "broadcasts", "rate", "burst rate", "CPU/delivery")
	t.row("", count(int64(s.Broadcasts)), show(s.DeliveriesPerSecond, rate), show(s.FanOutPerSecond, rate), show(s.ServerCPUUsPerDelivery, duration))
	t.line("")
}

func (r *Result) textVerdict(t *table) {
	for _, n := range r.Notes {
		if n.Level != "info" {
			t.line("%-5s %s %s", n.Level, duration(float64(n.AtMs)*1000), n.Message)
		}
	}
	mark, lines := "FAIL", []string{}
	ok, reasons := Verdict(r.Summary)
	if ok {
		mark, lines = "OK", append(lines, headline(r.Summary))
		if r.Summary.Interrupted {
			mark = "PART"
		}
	}
	for _, line := range slices.Concat(lines, reasons, r.Summary.LostExamples) {
		t.line("%-5s %s", mark, line)
		mark = ""
	}
	for _, threshold := range r.Summary.Thresholds {
		mark := "MISS"
		if threshold.Met {
			mark = "met"
		}
		t.line("%-5s %s", mark, threshold)
	}
}

// machine is the host in one line.
func (r *Result) machine() string {
	m := r.Run.Machine
	return fmt.Sprintf("%s, %d cores, %s, %s, %s", m.CPU, m.Cores, size(float64(m.MemoryBytes)), m.OS, m.Go)
}

// reading is nil for 0: no process and no kernel is that small.
func reading(bytes int64) *float64 {
	if bytes == 0 {
		return nil
	}
	b := float64(bytes)
	return &b
}

// title names the kind of run.
func (s Summary) title() string {
	if s.Scenario == "" || s.Scenario == chat.name {
		return "Load test"
	}
	return "Load test " + s.Scenario
}

// missed is how many messages their receivers could not have.
func (s Summary) missed() int64 {
	if s.Away == nil {
		return 0
	}
	return *s.Away
}

// errors is how many there were of all kinds.
func (s Summary) errors() string {
	if s.Errors == nil {
		return notMeasured
	}
	return count(total(s.Errors))
}

func total(errors map[string]int64) (n int64) {
	for _, c := range errors {
		n += c
	}
	return n
}
