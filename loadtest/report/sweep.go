package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// SweepSchema is the version of the output of [Sweep.WriteJSON], with the same
// promises as [Schema].
const SweepSchema = 1

// A Sweep is runs that differ in one number, made to find the highest at which they
// hold what was asked of them.
type Sweep struct {
	Schema  int      `json:"schema"`
	Start   string   `json:"start"` // RFC 3339
	Command []string `json:"command"`
	Vary    string   `json:"vary"` // "rate" or "clients"
	SLO     string   `json:"slo"`
	Trials  []Trial  `json:"trials"` // as they were made

	Holds  *SweepPoint `json:"holds"`  // the highest that holds; nil if none does
	Breaks *SweepPoint `json:"breaks"` // the lowest that does not; nil if all hold
	Sure   bool        `json:"sure"`   // the search came to its end
	Ended  string      `json:"ended"`  // why it did not; "" if it did
}

// A Trial is one of its runs.
type Trial struct {
	Value      float64     `json:"value"`
	Held       bool        `json:"held"`
	Why        []string    `json:"why,omitempty"`    // it did not hold: failures, apart from
	Missed     []Threshold `json:"missed,omitempty"` // clauses of the SLO
	P50Ms      *float64    `json:"p50_ms"`           // latency
	P99Ms      *float64    `json:"p99_ms"`
	Generator  string      `json:"generator,omitempty"` // the judgement; "" if there is none
	Suspect    bool        `json:"suspect,omitempty"`   // the generator
	Bottleneck string      `json:"bottleneck,omitempty"`
	Folder     string      `json:"folder,omitempty"`
}

// A SweepPoint is the runs at one number.
type SweepPoint struct {
	Value float64 `json:"value"`
	Held  int     `json:"held"`
	Runs  int     `json:"runs"`
	From  float64 `json:"from"` // of all runs at it a share from here
	To    float64 `json:"to"`   // to here holds, by the interval of 95 %
}

// TrialOf makes a trial of a run, nil if there is no result: then why says all.
func TrialOf(value float64, r *Result, why ...string) Trial {
	t := Trial{Value: value, Why: why}
	if r == nil {
		return t
	}
	s := r.Summary
	ok, _ := Verdict(s)
	t.Held, t.Why = ok && len(why) == 0, append(why, s.faults()...)
	if s.complete() {
		t.Missed = s.missedThresholds()
	}
	if s.LatencyMs != nil {
		t.P50Ms, t.P99Ms = &s.LatencyMs.P50, &s.LatencyMs.P99
	}
	if g := s.Generator; g != nil {
		t.Generator, t.Suspect, t.Bottleneck = g.String(), !g.OK, g.Bottleneck
	}
	return t
}

// String is a trial in a line.
func (t Trial) String() string {
	line := fmt.Sprintf("%-9s %-5s  p50 %-8s p99 %-8s", plainNumber(t.Value), t.Outcome(), show(t.P50Ms, milliseconds), show(t.P99Ms, milliseconds))
	if t.Suspect {
		line += "  generator suspect"
	}
	if t.Bottleneck != "" {
		line += "  " + t.Bottleneck
	}
	return line
}

// Reason says why it broke: each failure and each clause of the SLO that it missed,
// with what it was instead. It is "" if it held.
func (t Trial) Reason() string {
	list := slices.Clone(t.Why)
	for _, m := range t.Missed {
		list = append(list, m.String())
	}
	return strings.Join(list, "; ")
}

// Number, P99 and Outcome are for people.
func (t Trial) Number() string { return plainNumber(t.Value) }

// P99 returns the 99th percentile of its latencies.
func (t Trial) P99() string { return show(t.P99Ms, milliseconds) }

// Outcome says how it ended.
func (t Trial) Outcome() string {
	if t.Held {
		return "holds"
	}
	return "broke"
}

// plainNumber shows a value as a flag takes it, to four digits, or all that it has
// before the point.
func plainNumber(v float64) string {
	if v == math.Trunc(v) || v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// of names the number that varies.
func (s *Sweep) of(v float64) string {
	if s.Vary == "clients" {
		return plainNumber(v) + " clients"
	}
	return "a rate of " + plainNumber(v)
}

// Headline says what was found.
func (s *Sweep) Headline() string {
	switch {
	case s.Holds == nil && s.Breaks == nil:
		return "Nothing is known: no run was made"
	case s.Holds == nil:
		return fmt.Sprintf("Nothing holds: %s broke in %d of %d runs, and less was not tried", s.of(s.Breaks.Value), s.Breaks.Runs-s.Breaks.Held, s.Breaks.Runs)
	case s.Breaks == nil:
		return fmt.Sprintf("All holds: %s held in %d of %d runs, and more was not tried", s.of(s.Holds.Value), s.Holds.Held, s.Holds.Runs)
	}
	return fmt.Sprintf("The knee: %s holds, %s does not", s.of(s.Holds.Value), s.of(s.Breaks.Value))
}

// Remarks returns what readers should know of it.
func (s *Sweep) Remarks() (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if p := s.Holds; p != nil {
		say("%s: %d of %d runs held; so between %.0f%% and %.0f%% of all would (95%% confidence)", s.of(p.Value), p.Held, p.Runs, 100*p.From, 100*p.To)
	}
	if p := s.Breaks; p != nil {
		say("%s: %d of %d runs held; so between %.0f%% and %.0f%% of all would (95%% confidence)", s.of(p.Value), p.Held, p.Runs, 100*p.From, 100*p.To)
		if broke := s.whatBroke(); broke != "" {
			say("what broke there: %s", broke)
		}
	}
	if of, suspect := s.brokeSuspect(); suspect > 0 {
		if 2*suspect > of {
			say("the limit is the generator's, or that of the host it shares, rather than the server's: it was suspect in %d of the %d runs that broke at the border%s", suspect, of, s.bottlenecks())
		} else {
			say("the generator was suspect in %d of the %d runs that broke at the border", suspect, of)
		}
	} else if of > 0 {
		say("the generator was ok in the runs that broke at the border%s", s.bottlenecks())
	}
	switch {
	case s.Ended != "":
		say("ended early, %s: these are the results so far", s.Ended)
	case !s.Sure:
		say("the border was not confirmed: the maximum number of runs was reached")
	}
	return list
}

// whatBroke is each failure and each missed clause of the runs that broke at the
// border, with the number of runs, the most frequent first.
func (s *Sweep) whatBroke() string {
	times, runs := make(map[string]int), 0
	for _, t := range s.Trials {
		if t.Value != s.Breaks.Value || t.Held {
			continue
		}
		runs++
		for _, failure := range t.Why {
			times[failure]++
		}
		for _, m := range t.Missed {
			times[m.Text]++
		}
	}
	list := slices.SortedFunc(maps.Keys(times), func(a, b string) int {
		return cmp.Or(cmp.Compare(times[b], times[a]), cmp.Compare(a, b))
	})
	for i, reason := range list {
		list[i] = fmt.Sprintf("%s (%d of %d runs)", reason, times[reason], runs)
	}
	return strings.Join(list, ", ")
}

// brokeSuspect is how many runs broke at the lowest number that does not hold, and
// in how many of them the generator was suspect.
func (s *Sweep) brokeSuspect() (of, suspect int) {
	for _, t := range s.Trials {
		if s.Breaks != nil && t.Value == s.Breaks.Value && !t.Held {
			of++
			if t.Suspect {
				suspect++
			}
		}
	}
	return of, suspect
}

// bottlenecks returns the bottlenecks of the runs at the border, the most frequent first.
func (s *Sweep) bottlenecks() string {
	times := make(map[string]int)
	var names []string
	for _, t := range s.Trials {
		if s.Breaks == nil || t.Value != s.Breaks.Value || t.Held || t.Bottleneck == "" {
			continue
		}
		if times[t.Bottleneck]++; times[t.Bottleneck] == 1 {
			names = append(names, t.Bottleneck)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; bottleneck: " + slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(times[a], times[b]) })
}

// WriteText writes what was found for a terminal.
func (s *Sweep) WriteText(w io.Writer) error {
	var t table
	t.line("%s\n", s.Headline())
	for _, remark := range s.Remarks() {
		t.wrapped("  ", remark)
	}
	t.line("\nRuns, by %s; each had to hold %s:", s.Vary, s.SLO)
	for i, trial := range s.sorted() {
		if i == 0 || trial.Value != s.sorted()[i-1].Value {
			t.line("")
		}
		t.line("  %s", trial)
		if reason := trial.Reason(); reason != "" {
			t.wrapped("            ", reason)
		}
	}
	if _, err := io.WriteString(w, t.String()); err != nil {
		return fmt.Errorf("write text of the knee: %w", err)
	}
	return nil
}

func (s *Sweep) sorted() []Trial {
	sorted := slices.Clone(s.Trials)
	slices.SortStableFunc(sorted, func(a, b Trial) int { return cmp.Compare(a.Value, b.Value) })
	return sorted
}

// WriteJSON writes all of it.
func (s *Sweep) WriteJSON(w io.Writer) error {
	s.Schema = SweepSchema
	if err := writeJSON(w, s); err != nil {
		return fmt.Errorf("write JSON of the knee: %w", err)
	}
	return nil
}

// A sweepPage is all that the template shows.
type sweepPage struct {
	Title, Subtitle, Headline string
	OK                        bool
	Remarks                   []string
	Charts                    []chart
	Trials                    []Trial
	Command                   string
	Vary, SLO                 string
}

// WriteHTML writes one page that needs no other file and no network.
func (s *Sweep) WriteHTML(w io.Writer) error {
	p := sweepPage{
		Title: "The knee by " + s.Vary, Subtitle: s.Start + " · each run had to hold " + s.SLO, Headline: s.Headline(), OK: s.Holds != nil,
		Remarks: s.Remarks(), Charts: []chart{s.chart()}, Trials: s.sorted(), Command: shellQuote(s.Command), Vary: s.Vary, SLO: s.SLO,
	}
	if err := pageTemplate().ExecuteTemplate(w, "knee.html", p); err != nil {
		return fmt.Errorf("write HTML of the knee: %w", err)
	}
	return nil
}

// chart has a dot for each run: its p99 latency over what was varied.
func (s *Sweep) chart() chart {
	c := chart{ID: "knee", Title: "Latency p99 of each run", About: "Each dot is a run. The line is at the highest " + s.Vary + " that holds."}
	trials := slices.DeleteFunc(s.sorted(), func(t Trial) bool { return t.P99Ms == nil })
	if len(trials) == 0 {
		return c
	}
	least, most := math.Inf(1), 0.0
	var xs []float64
	for _, t := range trials {
		least, most = min(least, max(0.001, *t.P99Ms)), max(most, *t.P99Ms)
		xs = append(xs, t.Value)
	}
	x := axis{scale: logarithmic(xs[0]*0.95, xs[len(xs)-1]*1.05), label: s.Vary + ", logarithmic", tick: compact, cell: func(v float64) string { return s.of(v) }}
	y := axis{scale: logarithmic(least*0.95, max(0.002, most*1.05)), label: "latency p99, ms, logarithmic", tick: plain, cell: milliseconds}
	c.axes(x, y)
	c.Columns = append(c.Columns, "outcome", "p50", "p99", "bottleneck")
	c.Keys = []key{{"blue bar", "holds"}, {"orange bar", "broke"}}
	for _, held := range []bool{true, false} {
		values := make([]float64, len(trials))
		path := ""
		for i, t := range trials {
			if values[i] = max(0.001, *t.P99Ms); t.Held == held {
				path += fmt.Sprintf("M%.1f %.1fh0", 1000*x.at(xs[i]), 1000-1000*y.at(values[i]))
			}
		}
		if path != "" {
			c.Shapes = append(c.Shapes, shape{map[bool]string{true: "blue", false: "orange"}[held] + " dot", path})
		}
	}
	if s.Holds != nil {
		at := x.at(s.Holds.Value)
		c.Events = []eventMark{{At: cent(at), Name: plainNumber(s.Holds.Value), Late: at > 0.6}}
	}
	c.rows(x, xs, func(i int) []string {
		t := trials[i]
		return []string{s.of(t.Value), t.Outcome(), show(t.P50Ms, milliseconds), show(t.P99Ms, milliseconds), cmp.Or(t.Bottleneck, "–")}
	})
	return c
}
