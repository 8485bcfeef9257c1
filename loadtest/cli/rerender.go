package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

const rerenderUsage = `Loadtest report rebuilds the reports of runs from their records: report.html,
report.txt, summary.json, timeline.csv and latency.hlog, in the same folder. Use it
for runs that died before their reports were written, and for those of older programs.

  go run ./loadtest report results/1m

Records may be compressed (records.jsonl.gz). Where they hold several runs, one
after another, each has a folder of its own for its reports: 1, 2 and so on.

Thresholds are those of the run's command (-slo) and of its scenario file.

Exit codes: 0 written, whatever the verdict; 1 a run cannot be read or a file cannot
be written, 2 wrong arguments.
`

// rerender runs the subcommand "report" and returns the exit code.
func (p Program) rerender(args []string, stdout io.Writer) int {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, p.help(rerenderUsage))
		return exitOK
	case err != nil:
		return p.misused(os.Stderr, "report", err)
	case f.NArg() == 0:
		return p.misused(os.Stderr, "report", errors.New("want the folder of a run"))
	}
	code := exitOK
	for _, folder := range f.Args() {
		if err := renderAgain(folder); err != nil {
			code = p.failed(os.Stderr, "report", fmt.Errorf("%s: %w", folder, err))
			continue
		}
		fmt.Fprintf(stdout, "Rebuilt the reports in %s (see report.html).\n", folder)
	}
	return code
}

func renderAgain(folder string) error {
	name := recordsIn(folder)
	runs, err := readRuns(filepath.Join(folder, name))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(runs) == 1 {
		return renderRun(folder, runs[0])
	}
	for i, run := range runs {
		own := filepath.Join(folder, strconv.Itoa(i+1))
		err = errors.Join(err, os.MkdirAll(own, 0o755), renderRun(own, run))
	}
	return err
}

// renderRun writes the reports of one run.
func renderRun(folder string, result *report.Result) error {
	ts, err := thresholdsOf(result.Run)
	if err != nil {
		return err
	}
	judge(result, ts)
	return saveReports(folder, result)
}

// thresholdsOf returns the thresholds of the command of a run and of its scenario file:
// records have no others.
func thresholdsOf(run *record.Run) (ts thresholds, err error) {
	if run == nil {
		return nil, nil
	}
	for i, arg := range run.Command {
		name, value, joined := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if name != "-slo" && name != "slo" || !strings.HasPrefix(arg, "-") {
			continue
		}
		if !joined && i+1 < len(run.Command) {
			value = run.Command[i+1]
		}
		if err := ts.Set(value); err != nil {
			return nil, err
		}
	}
	inFile, _ := run.Config["slo"].([]any)
	for _, limit := range inFile {
		if err := ts.Set(fmt.Sprint(limit)); err != nil {
			return nil, err
		}
	}
	return ts, nil
}
