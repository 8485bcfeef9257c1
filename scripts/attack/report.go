package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is all rows, and what they were measured with.
type report struct {
	Machine machine   `json:"machine"`
	Time    time.Time `json:"time"`
	Config  config    `json:"config"`
	Rows    []row     `json:"rows"`
}

type machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Go    string `json:"go"`
}

func newReport(c config) (*report, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, fmt.Errorf("needs Linux: %w", err)
	}
	m := machine{cpuName(), runtime.NumCPU(), "Linux " + strings.TrimSpace(string(release)), runtime.Version()}
	return &report{Machine: m, Time: time.Now().UTC().Truncate(time.Second), Config: c}, nil
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

func (r *report) exitCode() int {
	for _, row := range r.Rows {
		if row.Harm != "" {
			return harmed
		}
	}
	return 0
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
	if err := os.WriteFile(filepath.Join(folder, "attack.txt"), []byte(table), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "attack.json"), append(figures, '\n'), 0o644)
}

// widestAttacker is how much of what happened to an attacker a row shows.
const widestAttacker = 58

func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s, %s; server %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go, r.Config.Commit)
	fmt.Fprintf(&b, "%d bystanders ping every %v; %v before and after, attacks of %v; times in ms from the intended moment, RSS in MB, CPU in processors\n",
		r.Config.Bystanders, pace, r.Config.Quiet, r.Config.For)
	b.WriteString("pass: the longest that an event loop went without a look at its other connections, and the most processor time that it took for one, system calls and page faults included, other goroutines not\n")
	b.WriteString("rounds: 3 where the first was too slow; of p99 and passes the medians count then, of losses, memory and deafness each round\n\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "attack\tbefore p50/p99\tduring p50/p99/max\tloop p99/max\tpass max/work\tafter p50/p99\tnewcomer\tRSS\tCPU\tlost\tmsgs lost\trounds\tharm\tattacker")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%s/%s\t%s/%s/%s\t%s/%s\t%s/%s\t%s/%s\t%s\t%d/%d/%d\t%.2f\t%d\t%d\t%d\t%s\t%s\n", row.Attack,
			short(row.Before.P50), short(row.Before.P99), short(row.During.P50), short(row.During.P99), short(row.During.Max),
			short(row.Loop.P99), short(row.Loop.Max), short(ms(row.Passes.Longest)), short(ms(row.Passes.Worked)),
			short(row.After.P50), short(row.After.P99), short(row.Newcomer.Max), row.RSS[0], row.RSS[1], row.RSS[2], row.CPU,
			row.Lost.Clients, row.Lost.Messages, row.Rounds, cmp.Or(row.Harm, "none"), cut(row.Attacker))
	}
	_ = t.Flush() // a strings.Builder takes all
	harm := 0
	for _, row := range r.Rows {
		if row.Harm != "" {
			harm++
		}
	}
	fmt.Fprintf(&b, "\n%d attacks, %d did harm\n", len(r.Rows), harm)
	return b.String()
}

// short has two digits, or as many as there are before the point.
func short(ms float64) string {
	if ms < 10 {
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

// cut keeps the beginning of a text, without line breaks.
func cut(text string) string {
	if text = strings.Join(strings.Fields(text), " "); len(text) > widestAttacker {
		return text[:widestAttacker-1] + "…"
	}
	return text
}
