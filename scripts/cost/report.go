package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is all figures, and what they were measured with.
type report struct {
	Machine  machine   `json:"machine"`
	Time     time.Time `json:"time"`
	Command  []string  `json:"command"`
	Config   config    `json:"config"`
	Figures  []*figure `json:"figures"`
	Failures []string  `json:"failures"` // what could not be measured
}

type machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Go    string `json:"go"`
}

// A figure is one quantity of both sides, a value for each round.
type figure struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Before []float64 `json:"before"` // the other server
	Now    []float64 `json:"now"`
}

func newReport(c config, args []string) (*report, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, fmt.Errorf("needs Linux: %w", err)
	}
	m := machine{cpuName(), runtime.NumCPU(), "Linux " + strings.TrimSpace(string(release)), runtime.Version()}
	return &report{Machine: m, Time: time.Now().UTC().Truncate(time.Second), Command: args, Config: c, Failures: []string{}}, nil
}

func cpuName() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the architecture has to do
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// of returns the values of a figure, so far, of one side.
func (r *report) of(name, unit string, now bool) *[]float64 {
	i := slices.IndexFunc(r.Figures, func(f *figure) bool { return f.Name == name && f.Unit == unit })
	if i < 0 {
		i = len(r.Figures)
		r.Figures = append(r.Figures, &figure{Name: name, Unit: unit, Before: []float64{}, Now: []float64{}})
	}
	if now {
		return &r.Figures[i].Now
	}
	return &r.Figures[i].Before
}

// write shows the table, and keeps it with its figures if there is a folder.
func (r *report) write(w io.Writer, folder string) error {
	table := r.text()
	if _, err := io.WriteString(w, table); err != nil || folder == "" {
		return err
	}
	figures, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "cost.txt"), []byte(table), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "cost.json"), append(figures, '\n'), 0o644)
}

func (r *report) text() string {
	var b strings.Builder
	c := r.Config
	fmt.Fprintf(&b, "%s, %d cores, %s, %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go)
	fmt.Fprintf(&b, "%d clients, %d long-poll sessions, %d broadcasts; idle for %v, memory later: %v after the joins\n",
		c.Clients, c.Sessions, c.Broadcasts, c.Idle, c.Later)
	fmt.Fprintf(&b, "by turns, %d rounds; median (lowest to highest); ratio of the medians\n\n", c.Rounds)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "figure\tunit\t%s\tnow: %s\tratio\n", c.At, c.Commit)
	for _, f := range r.Figures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Name, f.Unit, spread(f.Before), spread(f.Now), f.ratio())
	}
	_ = t.Flush() // a strings.Builder takes all
	for _, failure := range r.Failures {
		fmt.Fprintf(&b, "\nFAILED: %s\n", failure)
	}
	return b.String()
}

// ratio is now/before, if both were measured and are not about nothing.
func (f *figure) ratio() string {
	if len(f.Before) == 0 || len(f.Now) == 0 || median(f.Before) <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", median(f.Now)/median(f.Before))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is the median with the lowest and the highest value.
func spread(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%s to %s)", short(median(values)), short(slices.Min(values)), short(slices.Max(values)))
}

// short has three digits, or as many as there are before the point.
func short(v float64) string {
	switch size := max(v, -v); {
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	case size >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
