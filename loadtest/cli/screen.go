package cli

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// A screen shows how a run goes: a few lines that are redrawn in place on a
// terminal, and one line a second elsewhere.
type screen struct {
	file     *os.File
	terminal bool
	ask      func() (*unix.Winsize, error) // for the size of the terminal
	drawn    []string                      // lines on the terminal that the next ones replace
	size     unix.Winsize                  // of the terminal when they were drawn
	last     record.Tick                   // that was shown
	begun    bool                          // one was
	waits    *record.Tick                  // is not shown yet; nil if all are
	planned  int64                         // messages of all writers; 0 if that is not known
	scenario plan.Scenario
}

func newScreen(file *os.File) *screen {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return &screen{file: file, terminal: err == nil, ask: func() (*unix.Winsize, error) {
		return unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	}}
}

func (s *screen) show(r record.Record) {
	switch {
	case r.Run != nil:
		s.scenario = plan.Scenario(fmt.Sprint(r.Run.Config["scenario"]))
		s.planned = planned(s.scenario, r.Run.Config)
	case r.Tick != nil:
		s.tick(*r.Tick)
	case r.Note != nil:
		s.redraw(nil)
		fmt.Fprintf(s.file, "%s: %s\n", r.Note.Level, r.Note.Message)
	}
}

// What is between two ticks that are shown, at least, in milliseconds.
const (
	drawEvery  = 400
	printEvery = 900
)

// tick shows the state of the run, or of more ticks than can be read the last, with
// the highest latencies of all. Elsewhere than on a terminal each phase ends with a
// line.
func (s *screen) tick(t record.Tick) {
	every := int64(printEvery)
	if s.terminal {
		every = drawEvery
	} else if s.waits != nil && s.waits.Phase != t.Phase {
		s.say(*s.waits)
	}
	if s.waits != nil {
		t.P50Us, t.P99Us = max(t.P50Us, s.waits.P50Us), max(t.P99Us, s.waits.P99Us)
	}
	if s.begun && t.AtMs < s.last.AtMs+every {
		s.waits = &t
		return
	}
	s.say(t)
}

// say shows one.
func (s *screen) say(t record.Tick) {
	if s.terminal {
		s.redraw(s.view(&t))
	} else {
		fmt.Fprintln(s.file, s.line(&t))
	}
	s.last, s.begun, s.waits = t, true, nil
}

// end shows the last tick, and leaves it on the terminal.
func (s *screen) end() {
	if s.waits != nil {
		s.say(*s.waits)
	}
	s.drawn = nil
}

// Control sequences of terminals, ECMA-48 §8.3.
const (
	upLines   = "\x1b[%dF" // to the beginning of that line
	clearLine = "\x1b[K"   // from here to its end
	clearDown = "\x1b[J"   // from here to the end of the screen
)

// redraw puts lines in the place of the last ones.
func (s *screen) redraw(lines []string) {
	up, resized := s.measure()
	if s.size.Row > 1 { // what has scrolled away is not drawn over
		lines = lines[:min(len(lines), int(s.size.Row)-1)]
	}
	var b strings.Builder
	if up > 0 {
		fmt.Fprintf(&b, upLines, up)
	}
	if resized {
		b.WriteString(clearDown)
	}
	before := len(s.drawn)
	s.drawn = nil
	for _, line := range lines {
		s.drawn = append(s.drawn, s.fit(line))
		b.WriteString(s.fit(line) + clearLine + "\n")
	}
	if before > len(lines) {
		b.WriteString(clearDown)
	}
	_, _ = s.file.WriteString(b.String()) // at once, so that no one sees half of it
}

// measure asks for the size of the terminal, 0 if it does not know, and returns
// how many of its rows the lines drawn take. Most terminals break lines anew when
// they become narrower, and do not join them when they become wider.
func (s *screen) measure() (rows int, resized bool) {
	size, err := s.ask()
	if err != nil {
		size = &unix.Winsize{}
	}
	resized = *size != s.size
	s.size = *size
	for _, line := range s.drawn {
		rows++
		if width := int(size.Col); width > 0 {
			rows += max(0, len([]rune(line))-1) / width
		}
	}
	if size.Row > 1 {
		rows = min(rows, int(size.Row)-1) // more has scrolled away
	}
	return rows, resized
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
	return []string{
		fmt.Sprintf("%4d s     %s", t.AtMs/1000, t.Phase),
		fmt.Sprintf("connected  %d%s", t.Connected, s.rate(t, t.Connected-since.Connected)),
		fmt.Sprintf("joined     %d%s", t.Joined, s.rate(t, t.Joined-since.Joined)),
		"messages   " + s.messages(t),
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
		line += fmt.Sprintf(" connected %d, joined %d%s", t.Connected, t.Joined, s.rate(t, t.Joined-s.last.Joined))
	case "echo":
		line += " " + s.messages(t) + ", p99 " + p99(t)
	case "broadcast":
		line += fmt.Sprintf(" connected %d, %s, p99 %s", t.Connected, s.messages(t), p99(t))
	case "storm":
		line += fmt.Sprintf(" connected %d, joined %d", t.Connected, t.Present)
	default:
		line += fmt.Sprintf(" joined %d, %s", t.Joined, s.messages(t))
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

// messages is how far the run is, by the counts of its scenario.
func (s *screen) messages(t *record.Tick) string {
	var parts []string
	for _, count := range s.scenario.Shows() {
		switch count {
		case plan.Heartbeats:
			parts = append(parts, fmt.Sprintf("%d heartbeats%s", t.Heartbeats, s.rate(t, t.Heartbeats-s.last.Heartbeats)))
		case plan.Replies:
			parts = append(parts, fmt.Sprintf("%d replies%s", t.Replies, s.rate(t, t.Replies-s.last.Replies)))
		case plan.Messages:
			sent := strconv.FormatInt(t.Sent, 10)
			if s.planned > 0 && t.Sent > 0 {
				sent += " of " + strconv.FormatInt(s.planned, 10)
			}
			parts = append(parts, fmt.Sprintf("sent %s, delivered %d%s", sent, t.Delivered, s.rate(t, t.Delivered-s.last.Delivered)))
		}
	}
	return strings.Join(parts, ", ")
}

// planned is how many messages a run sends, 0 if its configuration does not tell: of
// servers apart there are several.
func planned(scenario plan.Scenario, config map[string]any) int64 {
	number := func(key string) int64 {
		n, _ := strconv.ParseFloat(fmt.Sprint(config[key]), 64) // JSON has a million as 1e+06
		return int64(n)
	}
	if config["apart"] == true {
		return 0
	}
	return scenario.Planned(number("messages"), number("writers"))
}

// p99 returns the 99th percentile of the receipts since the last tick.
func p99(t *record.Tick) string {
	if t.P99Us == 0 {
		return "–"
	}
	return milliseconds(t.P99Us)
}

// rate returns the text for n more since the last tick: "" if there are none.
func (s *screen) rate(t *record.Tick, n int64) string {
	ms := t.AtMs - s.last.AtMs
	if ms <= 0 || n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d/s)", n*1000/ms)
}

// share returns CPU time as a part of the time since the last tick: 100 % is one
// processor. A process that has ended takes its time along.
func (s *screen) share(t *record.Tick, ns int64) string {
	ms := t.AtMs - s.last.AtMs
	if ms <= 0 {
		return "0 %"
	}
	return fmt.Sprintf("%d %%", max(0, ns)/1e4/ms)
}

func milliseconds(us int64) string { return fmt.Sprintf("%.1f ms", float64(us)/1000) }

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n/1e6) }
