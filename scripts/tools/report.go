package main

import (
	_ "embed"
	"encoding/json"
	"errors"
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
	Machine  string    `json:"machine"`
	Time     time.Time `json:"time"`
	Commit   string    `json:"commit"`
	Command  []string  `json:"command"`
	Messages int       `json:"messages"`
	Rounds   int       `json:"rounds"`
	Notes    []string  `json:"notes,omitempty"`
	Figures  []figure  `json:"figures"`
}

func newReport(o options, args []string) (*report, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, fmt.Errorf("needs Linux: %w", err)
	}
	command := []string{"scripts/tools/run"}
	for i := 1; i < len(args); i++ { // what the script says is no news
		if slices.Contains([]string{"-server", "-loadtest", "-k6", "-commit"}, args[i]) {
			i++
			continue
		}
		command = append(command, quoted(args[i]))
	}
	machine := fmt.Sprintf("%s, %d cores, Linux %s, %s", cpuName(), runtime.NumCPU(), strings.TrimSpace(string(release)), runtime.Version())
	return &report{Machine: machine, Time: time.Now().UTC().Truncate(time.Second), Commit: o.commit, Command: command,
		Messages: o.messages, Rounds: o.rounds, Notes: o.notes}, nil
}

// quoted is an argument as a shell takes it.
func quoted(arg string) string {
	if strings.ContainsAny(arg, " '\"\\$`;&|<>()*?[]#~") || arg == "" {
		return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return arg
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

// A row is a tool with a number of clients.
type row struct {
	tool    string
	clients int
	cells   []string
}

var head = []string{"tool", "clients", "joins/s", "memory per client, KB", "CPU per client, ms", "empty, MB", "receipts accounted"}

// rows returns medians of all rounds. The cost of a client is the tool's usage beyond its
// usage with a single client.
func (r *report) rows() (list []row) {
	for _, n := range r.sizes() {
		for _, name := range names() {
			if figures := r.of(name, n); n > 1 && len(figures) > 0 {
				list = append(list, row{name, n, r.cells(figures, r.of(name, 1))})
			}
		}
	}
	return list
}

func (r *report) cells(figures, empty []figure) []string {
	n := figures[0].Clients
	if failed := slices.IndexFunc(figures, func(f figure) bool { return f.Failure != "" }); failed >= 0 {
		first, _, _ := strings.Cut(figures[failed].Failure, "\n")
		return []string{"–", "–", "–", "–", "failed: " + first}
	}
	rss := func(f figure) float64 { return float64(f.RSS) }
	cpu := func(f figure) float64 { return f.CPU }
	more := func(of func(figure) float64, unit float64) string {
		if len(empty) == 0 || empty[0].Failure != "" {
			return "–"
		}
		return digits((median(figures, of) - median(empty, of)) / float64(n-1) / unit)
	}
	bare := "–"
	if len(empty) > 0 && empty[0].Failure == "" {
		bare = digits(median(empty, rss) / 1e6)
	}
	return []string{
		digits(median(figures, func(f figure) float64 { return f.Joins })),
		more(rss, 1000), more(cpu, 0.001), bare, r.receipts(figures),
	}
}

// receipts sets the counted messages beside the real ones.
func (r *report) receipts(figures []figure) string {
	counted := int64(median(figures, func(f figure) float64 { return float64(f.Account.Receipts) }))
	text := fmt.Sprintf("%d of %d", counted, r.Messages*figures[0].Clients)
	if unit := figures[0].Account.Unit; unit != "" {
		text += ", " + unit + " of any data"
	}
	return text
}

func (r *report) of(name string, clients int) (list []figure) {
	for _, f := range r.Figures {
		if f.Tool == name && f.Clients == clients {
			list = append(list, f)
		}
	}
	return list
}

func (r *report) sizes() (list []int) {
	for _, f := range r.Figures {
		if !slices.Contains(list, f.Clients) {
			list = append(list, f.Clients)
		}
	}
	return list
}

// text is for a terminal.
func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s, commit %s, %s\n%d broadcasts to all, two a second; medians of %d by turns\n", r.Machine, r.Time.Format(time.RFC3339), r.Commit, strings.Join(r.Command, " "), r.Messages, r.Rounds)
	for _, note := range r.Notes {
		fmt.Fprintln(&b, note)
	}
	b.WriteString("\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, row := range r.rows() {
		fmt.Fprintf(t, "%s\t%d\t%s\n", row.tool, row.clients, strings.Join(row.cells, "\t"))
	}
	_ = t.Flush() // a strings.Builder takes all
	return b.String()
}

//go:embed features.md
var features string

// markdown is the report with what the tools can do.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# Load generators by turns\n\n| " + strings.Join(head, " | ") + " |\n|---|" + strings.Repeat("--:|", len(head)-1) + "\n")
	for _, row := range r.rows() {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", row.tool, row.clients, strings.Join(row.cells, " | "))
	}
	fmt.Fprintf(&b, "\n- `%s`, commit %s, %s.\n- %s; %d broadcasts to all, two a second; medians of %d.\n", strings.Join(r.Command, " "), r.Commit, r.Time.Format(time.RFC3339), r.Machine, r.Messages, r.Rounds)
	for _, t := range tools {
		if slices.ContainsFunc(r.Figures, func(f figure) bool { return f.Tool == t.name }) {
			fmt.Fprintf(&b, "- %s: %s.\n", t.name, t.says)
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	return b.String() + "\n" + features
}

// write shows the table and keeps it, if there is a folder. An error is also that of
// tools that broke.
func (r *report) write(w io.Writer, folder string) (err error) {
	table := r.text()
	_, err = io.WriteString(w, table)
	if folder != "" {
		err = errors.Join(err, r.save(folder, table))
	}
	for _, f := range r.Figures {
		if f.Failure != "" {
			err = errors.Join(err, fmt.Errorf("%s, %d clients: %s", f.Tool, f.Clients, f.Failure))
		}
	}
	return err
}

func (r *report) save(folder, table string) error {
	figures, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"README.md": r.markdown(), "tools.txt": table, "tools.json": string(figures) + "\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// digits has as many as say something.
func digits(n float64) string {
	switch size := max(n, -n); {
	case size < 10:
		return fmt.Sprintf("%.2f", n)
	case size < 100:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// median is the middle one, of an even number between the two.
func median(list []figure, of func(figure) float64) float64 {
	var values []float64
	for _, f := range list {
		values = append(values, of(f))
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
