package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
	"github.com/roost-rt/roost/server/settings"
)

const compareUsage = `Loadtest compare sets runs side by side; the first side is the baseline for the
others.

  go run ./loadtest compare results/10k results/15k
  go run ./loadtest compare old=a1,a2,a3,a4 new=b1,b2,b3,b4 -html compare.html

A side is one run or, with a name, several: rounds of the same thing, made in
turn with those of the other sides. A run is the folder of its results, its
summary.json or its records.jsonl, which may be compressed (records.jsonl.gz) and
hold several runs, one after another. With three runs a side, each figure gets a
verdict. Among dozens of verdicts some are wrong by chance. Those marked * stay
significant after correction for that, which takes more runs: six or seven a side
if only one figure differs. Only they count for -fail-if-worse.

Exit codes: 0 compared; with -fail-if-worse 99 something is worse or no longer
measured, 1 no answer, for example because of too few runs; 1 a run cannot be read
or a file cannot be written, 2 wrong arguments, such as the same run twice.

flags, before or after the sides:
`

// A comparison says what to compare and where to write it.
type comparison struct {
	sides       []string
	html, json  string // files; "" for none
	notes       []string
	alpha       float64
	failIfWorse bool
}

// compare runs the subcommand of that name and returns the exit code.
func (p Program) compare(args []string, stdout io.Writer) int {
	c, err := p.parseComparison(args, stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return p.misused(os.Stderr, "compare", err)
	}
	result, err := c.make()
	if err == nil {
		err = c.save(result, stdout)
	}
	switch {
	case errors.As(err, new(twice)):
		return p.misused(os.Stderr, "compare", err)
	case err != nil:
		return p.failed(os.Stderr, "compare", err)
	case !c.failIfWorse:
		return exitOK
	}
	code, reasons := failIfWorse(result)
	for _, reason := range reasons {
		fmt.Fprintf(os.Stderr, "%s: -fail-if-worse: %s\n", p.name("compare"), reason)
	}
	return code
}

// failIfWorse is the exit code that was asked for, with what the table does not
// say.
func failIfWorse(c *report.Comparison) (code int, reasons []string) {
	missing, untold := c.Missing(), c.Untold()
	switch {
	case c.AnyWorse(), len(missing) > 0:
		return exitMissed, missing
	case len(untold) > 0: // what cannot fail is no check
		return exitBroken, untold
	}
	return exitOK, nil
}

func (p Program) parseComparison(args []string, help io.Writer) (c comparison, err error) {
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.html, "html", "", "`file` for a page with tables and charts; - means standard output, which then has no tables")
	f.StringVar(&c.json, "json", "", "`file` for the comparison as JSON; - likewise")
	f.Float64Var(&c.alpha, "alpha", report.DefaultAlpha, "highest `p` that makes a difference better or worse")
	f.BoolVar(&c.failIfWorse, "fail-if-worse", false, "exit 99 if anything is worse, corrected for the number of verdicts")
	f.Func("note", "`sentence` for readers of the comparison; may be repeated", func(note string) error {
		c.notes = append(c.notes, note)
		return nil
	})
	for err = f.Parse(args); err == nil && f.NArg() > 0; err = f.Parse(f.Args()[1:]) {
		c.sides = append(c.sides, f.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, p.help(compareUsage))
		settings.PrintDefaults(help, f)
		return c, errHelp
	case err != nil:
		return c, err
	case len(c.sides) < 2 || len(c.sides) > report.MaxSides:
		return c, fmt.Errorf("%d sides: want 2 to %d", len(c.sides), report.MaxSides)
	case c.html == report.Stdout && c.json == report.Stdout:
		return c, errors.New("-html - and -json -: there is one standard output")
	case !(c.alpha > 0 && c.alpha < 1):
		return c, fmt.Errorf("-alpha %v: want more than 0 and less than 1", c.alpha)
	}
	return c, c.checkNames()
}

func (c comparison) checkNames() error {
	names := map[string]bool{}
	for _, text := range c.sides {
		name, _ := splitSide(text)
		switch {
		case name == "":
			return fmt.Errorf("%s: a side has no name", text)
		case names[name]:
			return fmt.Errorf("two sides are called %q: give one another name, name=folder", name)
		}
		names[name] = true
	}
	return nil
}

// twice is the error of a run that was given twice: it would seem to be two that
// agree.
type twice struct{ path, other string }

func (t twice) Error() string {
	return fmt.Sprintf("%s and %s are the same run", t.other, t.path)
}

// A reader reads runs, each once.
type reader map[string]string // the path of each run, by its start and command

// check finds the same run again. Without a start nothing can be said.
func (r reader) check(path string, run *record.Run) error {
	if run == nil || run.Start == "" {
		return nil
	}
	id := fmt.Sprintf("%s %q", run.Start, run.Command)
	if other, found := r[id]; found {
		return twice{path, other}
	}
	r[id] = path
	return nil
}

func (c comparison) make() (*report.Comparison, error) {
	var sides []report.Side
	runs := reader{}
	for _, text := range c.sides {
		side, err := runs.readSide(text)
		if err != nil {
			return nil, err
		}
		sides = append(sides, side)
	}
	result, err := report.Compare(c.alpha, sides...)
	if err == nil {
		result.Notes = append(result.Notes, c.notes...)
	}
	return result, err
}

func (c comparison) save(result *report.Comparison, stdout io.Writer) error {
	var err error
	if c.html != report.Stdout && c.json != report.Stdout {
		err = result.WriteText(stdout)
	}
	if c.html != "" {
		err = errors.Join(err, report.WriteFile(c.html, result.WriteHTML))
	}
	if c.json != "" {
		err = errors.Join(err, report.WriteFile(c.json, result.WriteJSON))
	}
	return err
}

// readSide reads "a" or "name=a,b,c".
func (r reader) readSide(text string) (side report.Side, err error) {
	name, runs := splitSide(text)
	side.Name = name
	for path := range strings.SplitSeq(runs, ",") {
		found, err := readRuns(path)
		if err != nil {
			return side, fmt.Errorf("%s: %w", path, err)
		}
		for _, run := range found {
			if err := r.check(path, run.Run); err != nil {
				return side, err
			}
		}
		side.Runs = append(side.Runs, found...)
	}
	return side, nil
}

// splitSide takes the name off the runs of a side.
func splitSide(text string) (name, runs string) {
	name, runs, named := strings.Cut(text, "=")
	if !named {
		return nameOf(text), text
	}
	return name, runs
}

// nameOf is the folder that holds the run, or the file if it has a name of its own.
func nameOf(path string) string {
	path, _, _ = strings.Cut(path, ",")
	base := filepath.Base(path)
	if slices.Contains(runFiles, base) {
		if absolute, err := filepath.Abs(path); err == nil {
			return filepath.Base(filepath.Dir(absolute))
		}
	}
	base = strings.TrimSuffix(base, ".gz")
	return strings.TrimSuffix(strings.TrimSuffix(base, ".json"), ".jsonl")
}

// The files of a folder that hold a run.
const (
	summaryFile    = "summary.json"
	recordsFile    = "records.jsonl"
	compressedFile = recordsFile + ".gz" // made by gzip, to be kept
)

// runFiles lists the files of a run, the best first: records have more than the summary,
// and figures from them are this program's, not those of the program that made them.
var runFiles = []string{recordsFile, compressedFile, summaryFile}

// recordsIn returns the name of the file of records in a folder; recordsFile if there
// is none.
func recordsIn(folder string) string {
	for _, name := range []string{recordsFile, compressedFile} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return name
		}
	}
	return recordsFile
}

// readRuns reads a file that holds runs, or the best of a folder.
func readRuns(path string) ([]*report.Result, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Unwrap(err) // without the path, which the caller names
	}
	if info.IsDir() {
		for _, name := range runFiles {
			runs, err := readRuns(filepath.Join(path, name))
			if !errors.Is(err, fs.ErrNotExist) {
				return runs, err
			}
		}
		return nil, fmt.Errorf("neither %s nor %s is there", recordsFile, summaryFile)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer file.Close()
	if filepath.Ext(strings.TrimSuffix(path, ".gz")) == ".jsonl" {
		return report.Load(file)
	}
	run, err := report.ReadJSON(file)
	return []*report.Result{run}, err
}
