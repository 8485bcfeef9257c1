package versus

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// A figure is a row of the table.
type figure struct {
	name, unit string
	brief      bool                        // it is in the progress line, too
	of         func(*measurement) *float64 // nil if not measured
}

// figures are the rows of the table.
func figures() []figure {
	return []figure{
		{"connect and join", "clients/s", true, func(m *measurement) *float64 { return m.result.Summary.ConnectJoinPerSecond }},
		{"server CPU per join", "µs", false, func(m *measurement) *float64 { return m.result.Summary.ServerCPUUsPerJoin }},
		{"server without clients", "MB", false, func(m *measurement) *float64 { return measured(m.bills["empty"].ServerRSS, 1e6) }},
		{"memory per client", "KB", true, func(m *measurement) *float64 { return m.perClient("joined") }},
		{"memory per client after the messages", "KB", false, func(m *measurement) *float64 { return m.perClient("after") }},
		{"server CPU per delivery", "µs", true, func(m *measurement) *float64 { return m.result.Summary.ServerCPUUsPerDelivery }},
		{"broadcast, first receiver", "ms", false, broadcastMs(func(b record.Broadcast) int64 { return b.FirstUs })},
		{"broadcast, median receiver", "ms", false, broadcastMs(func(b record.Broadcast) int64 { return b.P50Us })},
		{"broadcast, last receiver", "ms", true, broadcastMs(func(b record.Broadcast) int64 { return b.LastUs })},
		{"echo", "replies/s", true, echoed(func(s report.Summary) *float64 { return s.Echo.RepliesPerSecond })},
		{"echo, server CPU per reply", "µs", false, echoed(func(s report.Summary) *float64 { return s.Echo.ServerCPUUsPerReply })},
		{"echo, median latency", "ms", false, echoLatency(func(p report.Percentiles) float64 { return p.P50 })},
		{"echo, p99 latency", "ms", false, echoLatency(func(p report.Percentiles) float64 { return p.P99 })},
	}
}

// measured takes 0 for what was not read.
func measured(n int64, per float64) *float64 {
	if n == 0 {
		return nil
	}
	v := float64(n) / per
	return &v
}

// perClient is the server's memory in KB at the named moment, less that
// without clients.
func (m *measurement) perClient(when string) *float64 {
	empty, then := m.bills["empty"].ServerRSS, m.bills[when].ServerRSS
	if empty == 0 || then == 0 {
		return nil
	}
	return measured(then-empty, 1e3*float64(*m.result.Summary.Joined))
}

// broadcastMs is the median of a run's broadcasts that reached everybody: one
// that lost some of its receivers would seem faster.
func broadcastMs(us func(record.Broadcast) int64) func(*measurement) *float64 {
	return func(m *measurement) *float64 {
		var all []float64
		for _, b := range m.result.Broadcasts {
			if b.Delivered == b.Expected && b.Expected > 0 {
				all = append(all, float64(us(b))/1000)
			}
		}
		return median(all)
	}
}

func echoed(of func(report.Summary) *float64) func(*measurement) *float64 {
	return func(m *measurement) *float64 {
		if m.echo == nil {
			return nil
		}
		return of(*m.echo)
	}
}

// echoLatency is nil of an echo whose latencies were not recorded.
func echoLatency(of func(report.Percentiles) float64) func(*measurement) *float64 {
	return echoed(func(s report.Summary) *float64 {
		if s.LatencyMs == nil {
			return nil
		}
		v := of(*s.LatencyMs)
		return &v
	})
}

// median is nil of nothing.
func median(all []float64) *float64 {
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	m := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	return &m
}

// Save writes the reports.
func (c Contest) Save(bouts []Bout, interrupted bool) error {
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	if interrupted {
		c.notes = append(c.notes, "It was interrupted: what is missing was not measured.")
	}
	var errs []error
	for _, b := range bouts {
		errs = append(errs, c.saveComparison(b))
	}
	page := c.markdown(bouts)
	fmt.Printf("\n%s\nSaved in %s\n", page, c.out)
	path := filepath.Join(c.out, "README.md")
	return errors.Join(append(errs, os.WriteFile(path, []byte(page), 0o644))...)
}

// saveComparison writes what package report makes of the runs with one number
// of clients, unless there is nothing to compare.
func (c Contest) saveComparison(b Bout) error {
	var sides []report.Side
	for _, who := range c.contenders {
		side := report.Side{Name: who.name}
		for _, m := range b.good(who.name) {
			side.Runs = append(side.Runs, m.result)
		}
		if len(side.Runs) > 0 {
			sides = append(sides, side)
		}
	}
	if len(sides) < 2 {
		return nil
	}
	comparison, err := report.Compare(0, sides...)
	if err != nil {
		return err
	}
	comparison.Notes = c.whatToKnow([]Bout{b})
	path := filepath.Join(c.out, strconv.Itoa(b.clients), "compare")
	return errors.Join(
		report.WriteFile(path+".txt", comparison.WriteText),
		report.WriteFile(path+".html", comparison.WriteHTML),
		report.WriteFile(path+".json", comparison.WriteJSON),
	)
}

// markdown is the report for people: tables, what went wrong, and what to know.
func (c Contest) markdown(bouts []Bout) string {
	var text strings.Builder
	var names []string
	for _, who := range c.contenders {
		names = append(names, who.name)
	}
	fmt.Fprintf(&text, "# %s by turns\n", strings.Join(names, ", "))
	for _, b := range bouts {
		c.table(&text, b)
	}
	writeList(&text, "What went wrong", Faults(bouts))
	writeList(&text, "What to know", append([]string{
		"Figures are medians of the runs; in parentheses, against roost. The links show each run and whether a difference is more than noise.",
	}, c.whatToKnow(bouts)...))
	return text.String()
}

// table has medians, and their ratios to the first column's.
func (c Contest) table(text *strings.Builder, b Bout) {
	fmt.Fprintf(text, "\n| [%d clients](%d/compare.html) |", b.clients, b.clients)
	for _, who := range c.contenders {
		fmt.Fprintf(text, " %s |", who.name)
	}
	fmt.Fprintf(text, "\n|---%s|\n", strings.Repeat("|--:", len(c.contenders)))
	for _, f := range figures() {
		fmt.Fprintf(text, "| %s, %s |", f.name, f.unit)
		var first *float64
		for i, who := range c.contenders {
			v := f.median(b.good(who.name))
			fmt.Fprintf(text, " %s |", cellOf(v, first))
			if i == 0 {
				first = v
			}
		}
		text.WriteByte('\n')
	}
	text.WriteString("| runs |")
	for _, who := range c.contenders {
		fmt.Fprintf(text, " %d |", len(b.good(who.name)))
	}
	text.WriteByte('\n')
}

func (f figure) median(runs []*measurement) *float64 {
	var all []float64
	for _, m := range runs {
		if v := f.of(m); v != nil {
			all = append(all, *v)
		}
	}
	return median(all)
}

// cellOf shows v, and how often it holds first.
func cellOf(v, first *float64) string {
	switch {
	case v == nil:
		return "–"
	case first == nil || *first == 0:
		return threeDigits(*v)
	}
	return fmt.Sprintf("%s (×%s)", threeDigits(*v), threeDigits(*v / *first))
}

// threeDigits writes a number as precisely as it is measured.
func threeDigits(v float64) string {
	switch {
	case math.Abs(v) >= 99.95: // what would be rounded to 100
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Faults are the runs that were not made, or not without a loss.
func Faults(bouts []Bout) (sentences []string) {
	for _, b := range bouts {
		for _, name := range slices.Sorted(maps.Keys(b.of)) {
			for _, m := range b.of[name] {
				if m.reason == "" {
					continue
				}
				what := ""
				if !m.whole() {
					what = "not in the table: "
				}
				sentences = append(sentences, fmt.Sprintf("%d clients, %s, round %d: %s%s", b.clients, name, m.round, what, m.reason))
			}
		}
	}
	return sentences
}

// whatToKnow is how it was measured, as far as this program knows, and what the
// user says.
func (c Contest) whatToKnow(bouts []Bout) (sentences []string) {
	say := func(format string, args ...any) { sentences = append(sentences, fmt.Sprintf(format, args...)) }
	say("The contenders took turns on this host, %d times, each time in another order. Each was started anew for each run: a chat with %d messages to each room%s.",
		c.rounds, c.messages, c.echoSays())
	say("Clients and kernel settings were the same for all. Clients share the processors with the server and have the scheduling policy SCHED_BATCH, which does not interrupt a server that writes: " +
		"figures per second and in milliseconds are of both together, server CPU is of the server alone.")
	for _, b := range bouts {
		for _, m := range b.good(c.contenders[0].name) { // all have the same
			if says := m.result.Summary.ClientTCPSays; says != "" && !slices.Contains(sentences, says) {
				say("%s", says)
			}
		}
	}
	say("Memory is the growth of the server process's resident memory from before the first client until all have joined and are idle, and until after the messages. The server is asked to collect its garbage (SIGUSR1) before each measurement. " +
		"That flatters a server that would not do so by itself.")
	say("The kernel counts CPU time in steps of 10 ms: with few clients the figures of CPU are coarse.")
	say("Each client joins one topic. A broadcast is timed from its intended send, an echo from its actual send.")
	if len(c.more) > 0 {
		say("Further flags of each run: `%s`.", strings.Join(c.more, " "))
	}
	for _, who := range c.contenders {
		sentences = append(sentences, who.describe()+".")
	}
	sentences = append(sentences, c.circumstances(bouts)...)
	say("Not measured: a network, TLS, compression, presence, long polling, many rooms, clients that come and go or read slowly.")
	return append(sentences, c.notes...)
}

func (c Contest) echoSays() string {
	if c.echo == 0 {
		return ""
	}
	return fmt.Sprintf(", and an echo for %s in a closed loop: a push for each reply, 256 at a time (-inflight)", c.echo)
}

func (w contender) describe() string {
	switch {
	case w.command == "":
		return w.name + ": this program's own server, with its defaults"
	case w.raw:
		return fmt.Sprintf("%s: `%s`, plain WebSocket without channels: a client has joined when it is upgraded, messages are bare JSON, and heartbeats are pings", w.name, w.command)
	}
	return fmt.Sprintf("%s: `%s`", w.name, w.command)
}

// circumstances returns what the records say of the host and of each server.
func (c Contest) circumstances(bouts []Bout) (sentences []string) {
	rooms := "each a room of its own"
	if c.oneRoom {
		rooms = "one cluster and one room"
	}
	for _, b := range bouts {
		for _, name := range slices.Sorted(maps.Keys(b.of)) {
			for _, m := range b.of[name] {
				if m.result == nil {
					continue
				}
				if run := m.result.Run; run != nil {
					sentences = append(sentences, fmt.Sprintf("Host: %s, %d cores, %.1f GB, %s; Roost and the load generator: commit %s, %s.",
						run.Machine.CPU, run.Machine.Cores, float64(run.Machine.MemoryBytes)/1e9, run.Machine.OS, run.Commit, run.Machine.Go))
					if ns, ok := run.Config["heartbeat_ns"].(float64); ok { // as it was read from a file
						sentences = append(sentences, fmt.Sprintf("Each of %d clients sends a heartbeat every %s.", b.clients, time.Duration(ns)))
					}
				}
				if n := m.result.Summary.ServerProcesses; n != nil && *n > 1 {
					sentences = append(sentences, fmt.Sprintf("%d clients of %s needed %d server processes, %s, because of the limit of open files per process.", b.clients, name, *n, rooms))
				}
				for _, note := range m.result.Notes {
					if strings.Contains(note.Message, "SIGUSR1") {
						sentences = append(sentences, fmt.Sprintf("%s does not answer SIGUSR1: its memory includes garbage.", name))
					}
				}
			}
		}
	}
	slices.Sort(sentences)
	return slices.Compact(sentences)
}

// writeList writes a heading and a line for each sentence, or nothing.
func writeList(text *strings.Builder, heading string, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	fmt.Fprintf(text, "\n## %s\n\n", heading)
	for _, s := range sentences {
		fmt.Fprintf(text, "- %s\n", s)
	}
}
