package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// An output is where the results of a run go.
type output struct {
	folder  string // "" for none
	json    string // "" for none, like junit
	junit   string
	records *record.Writer
	buffer  *bufio.Writer
	file    *os.File // nil without a folder
}

// checkFolder refuses a folder that has a run already.
func checkFolder(folder string) error {
	if folder == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(folder, recordsIn(folder))); err != nil {
		return nil // what else is wrong with it shows when it is made
	}
	return fmt.Errorf("-out %s has a run already: remove it or choose another folder", folder)
}

// newOutput makes the folder and the file, so that a run does not find out at
// its end that it cannot be saved.
func newOutput(o options, clients int, now time.Time) (*output, error) {
	out := &output{json: o.json, junit: o.junit, folder: o.out, records: record.NewWriter(io.Discard)}
	for _, name := range []string{out.json, out.junit} {
		if name == "" || name == report.Stdout {
			continue
		}
		file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		file.Close()
	}
	if out.json != "" && out.folder == "" {
		return out, nil
	}
	out.folder = cmp.Or(out.folder, filepath.Join("results", fmt.Sprintf("%s-%d", now.UTC().Format("20060102T150405.000Z"), clients)))
	if err := os.MkdirAll(out.folder, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(out.folder, recordsFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	out.file, out.buffer = file, bufio.NewWriter(file)
	out.records = record.NewWriter(out.buffer)
	return out, nil
}

// save writes the report to files and then to the terminal, which may be gone: a
// run that ends with it is saved all the same.
func (out *output) save(r *report.Result, terminal io.Writer) error {
	err := out.close()
	if out.json != "" {
		err = errors.Join(err, report.WriteFile(out.json, r.WriteJSON))
	}
	if out.junit != "" {
		err = errors.Join(err, report.WriteFile(out.junit, r.WriteJUnit))
	}
	if out.folder != "" {
		err = errors.Join(err, saveReports(out.folder, r))
	}
	saved := err == nil && out.folder != ""
	if textErr := r.WriteText(terminal); !errors.Is(textErr, syscall.EPIPE) || !saved && out.json == "" { // "| head" has seen enough
		err = errors.Join(err, textErr)
	}
	if saved {
		fmt.Fprintf(terminal, "\nSaved in %s (report.html shows it).%s\n", out.folder, howToKeep(out.folder))
	}
	return err
}

// close completes the file of records.
func (out *output) close() error {
	if out.file == nil {
		return nil
	}
	return errors.Join(out.buffer.Flush(), out.file.Close())
}

// saveReports writes all that is made of the records, in their folder.
func saveReports(folder string, r *report.Result) error {
	return errors.Join(
		report.WriteFile(filepath.Join(folder, summaryFile), r.WriteJSON),
		report.WriteFile(filepath.Join(folder, "report.html"), r.WriteHTML),
		report.WriteFile(filepath.Join(folder, "report.txt"), r.WriteText),
		report.WriteFile(filepath.Join(folder, "timeline.csv"), r.WriteCSV),
		report.WriteFile(filepath.Join(folder, "latency.hlog"), r.WriteHDRLog),
	)
}

// howToKeep is for a folder in a git repository, which passes over results.
func howToKeep(folder string) string {
	path, err := filepath.Abs(folder)
	for ; err == nil; path = filepath.Dir(path) {
		if _, err := os.Stat(filepath.Join(path, ".git")); err == nil {
			return " To keep it in git: git add -f " + folder
		}
		if path == filepath.Dir(path) {
			break
		}
	}
	return ""
}
