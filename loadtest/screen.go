package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/record"
)

// A screen shows how a run goes: a few lines that are redrawn in place on a
// terminal, and one line a second elsewhere.
type screen struct {
	file     *os.File
	terminal bool
	drawn    int          // lines on the terminal that the next ones replace
	size     unix.Winsize // of the terminal when they were drawn
	last     record.Tick
}

func newScreen(file *os.File) *screen {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return &screen{file: file, terminal: err == nil}
}

func (s *screen) show(r record.Record) {
	switch {
	case r.Tick != nil && s.terminal:
		s.redraw(s.view(r.Tick))
	case r.Tick != nil:
		fmt.Fprintln(s.file, s.line(r.Tick))
	case r.Note != nil:
		s.redraw(nil)
		fmt.Fprintf(s.file, "%s: %s\n", r.Note.Level, r.Note.Message)
	}
	if r.Tick != nil {
		s.last = *r.Tick
	}
}

// end leaves what is drawn on the terminal.
func (s *screen) end() { s.drawn = 0 }

// Control sequences of terminals, ECMA-48 §8.3.
const (
	upLines   = "\x1b[%dF" // to the beginning of that line
	clearLine = "\x1b[K"   // from here to its end
	clearDown = "\x1b[J"   // from here to the end of the screen
)

// redraw puts lines where those of the last time are.
func (s *screen) redraw(lines []string) {
	s.measure()
	if s.size.Row > 1 { // what has scrolled away is not drawn over
		lines = lines[:min(len(lines), int(s.size.Row)-1)]
	}
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, upLines, s.drawn)
	}
	for _, line := range lines {
		b.WriteString(s.fit(line) + clearLine + "\n")
	}
	if s.drawn > len(lines) {
		b.WriteString(clearDown)
	}
	s.drawn = len(lines)
	_, _ = s.file.WriteString(b.String()) // at once, so that nobody sees half of it
}

// measure asks for the size of the terminal, 0 if it does not know. When it is
// another one, nobody can tell how many lines those drawn take now: they stay.
func (s *screen) measure() {
	size, err := unix.IoctlGetWinsize(int(s.file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		size = &unix.Winsize{}
	}
	if *size != s.size {
		s.drawn = 0
	}
	s.size = *size
}

// fit cuts what would take a second line of the terminal.
func (s *screen) fit(line string) string {
	runes, width := []rune(line), int(s.size.Col)-1
	if width < 1 || len(runes) <= width {
		return line
	}
	return string(runes[:width-1]) + "…"
}

// view is the state of the run for a terminal.
func (s *screen) view(t *record.Tick) []string {
	since := s.last
	latency := "no receipts"
	if t.P99Us > 0 {
		latency = fmt.Sprintf("p50 %s, p99 %s", milliseconds(t.P50Us), milliseconds(t.P99Us))
	}
	messages := fmt.Sprintf("sent %d, delivered %d (%s/s)", t.Sent, t.Delivered, s.rate(t, t.Delivered-since.Delivered))
	if t.Phase == "echo" {
		messages = s.replies(t)
	}
	return []string{
		fmt.Sprintf("%4d s     %s", t.AtMs/1000, t.Phase),
		fmt.Sprintf("connected  %d (%s/s)", t.Connected, s.rate(t, t.Connected-since.Connected)),
		fmt.Sprintf("joined     %d (%s/s)", t.Joined, s.rate(t, t.Joined-since.Joined)),
		"messages   " + messages,
		"latency    " + latency,
		"errors     " + classes(t.Errors),
		fmt.Sprintf("server     %s, CPU %s", megabytes(t.ServerRSS), s.share(t, t.ServerCPUNs-since.ServerCPUNs)),
		fmt.Sprintf("clients    %s, CPU %s", megabytes(t.ClientRSS), s.share(t, t.ClientCPUNs-since.ClientCPUNs)),
		fmt.Sprintf("kernel     +%s", megabytes(t.KernelBytes)),
	}
}

// line is the state of the run in short.
func (s *screen) line(t *record.Tick) string {
	var failed int64
	for _, n := range t.Errors {
		failed += n
	}
	line := fmt.Sprintf("%3d s %-9s", t.AtMs/1000, t.Phase)
	switch t.Phase {
	case "connect":
		line += fmt.Sprintf(" connected %d, joined %d (%s/s)", t.Connected, t.Joined, s.rate(t, t.Joined-s.last.Joined))
	case "echo":
		line += " " + s.replies(t) + ", p99 " + milliseconds(t.P99Us)
	case "broadcast":
		line += fmt.Sprintf(" sent %d, delivered %d (%s/s), p99 %s", t.Sent, t.Delivered,
			s.rate(t, t.Delivered-s.last.Delivered), milliseconds(t.P99Us))
	default:
		line += fmt.Sprintf(" joined %d, delivered %d", t.Joined, t.Delivered)
	}
	return line + fmt.Sprintf(", errors %d; MB: server %d, clients %d, kernel +%d",
		failed, t.ServerRSS/1e6, t.ClientRSS/1e6, t.KernelBytes/1e6)
}

// classes lists errors, the most frequent first.
func classes(errors map[string]int64) string {
	if len(errors) == 0 {
		return "none"
	}
	kinds := slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(errors[b], errors[a]), cmp.Compare(a, b))
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d × %s", errors[kind], kind)
	}
	return strings.Join(kinds, ", ")
}

func (s *screen) replies(t *record.Tick) string {
	return fmt.Sprintf("%d replies (%s/s)", t.Replies, s.rate(t, t.Replies-s.last.Replies))
}

// rate is per second since the last tick.
func (s *screen) rate(t *record.Tick, n int64) string {
	ms := t.AtMs - s.last.AtMs
	if ms <= 0 {
		return "0"
	}
	return strconv.FormatInt(n*1000/ms, 10)
}

// share is CPU time as a part of the time since the last tick: 100 % is one
// processor. Who has ended takes its time along.
func (s *screen) share(t *record.Tick, ns int64) string {
	ms := t.AtMs - s.last.AtMs
	if ms <= 0 {
		return "0 %"
	}
	return fmt.Sprintf("%d %%", max(0, ns)/1e4/ms)
}

func milliseconds(us int64) string { return fmt.Sprintf("%.1f ms", float64(us)/1000) }

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n/1e6) }
