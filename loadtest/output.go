package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// An output is where the results of a run go.
type output struct {
	folder  string // "" for none
	json    string // "" for none
	records *record.Writer
	buffer  *bufio.Writer
	file    *os.File // nil without a folder
}

// newOutput makes the folder and the file, so that a run does not find out at
// its end that it cannot be saved. It takes no folder that has a run already.
func newOutput(o options, clients int, now time.Time) (*output, error) {
	out := &output{json: o.json, folder: o.out, records: record.NewWriter(io.Discard)}
	if out.json != "" {
		file, err := os.OpenFile(out.json, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, err
		}
		file.Close()
		if out.folder == "" {
			return out, nil
		}
	}
	out.folder = cmp.Or(out.folder, filepath.Join("results", fmt.Sprintf("%s-%d", now.UTC().Format("20060102T150405.000Z"), clients)))
	if err := os.MkdirAll(out.folder, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(out.folder, recordsFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("-out %s has a run already: remove it or take another folder", out.folder)
	}
	if err != nil {
		return nil, err
	}
	out.file, out.buffer = file, bufio.NewWriter(file)
	out.records = record.NewWriter(out.buffer)
	return out, nil
}

// save writes the report to the terminal and to files.
func (out *output) save(r *report.Result) error {
	if err := r.WriteText(os.Stdout); err != nil {
		return err
	}
	if out.json != "" {
		if err := writeFile(out.json, r.WriteJSON); err != nil {
			return err
		}
	}
	if out.folder == "" {
		return nil
	}
	err := errors.Join(
		out.buffer.Flush(),
		out.file.Close(),
		writeFile(filepath.Join(out.folder, "summary.json"), r.WriteJSON),
		writeFile(filepath.Join(out.folder, "report.html"), r.WriteHTML),
		writeFile(filepath.Join(out.folder, "report.txt"), r.WriteText),
		writeFile(filepath.Join(out.folder, "timeline.csv"), r.WriteCSV),
		writeFile(filepath.Join(out.folder, "latency.hlog"), r.WriteHDRLog),
	)
	if err != nil {
		return err
	}
	fmt.Printf("\nSaved in %s (report.html shows it). To keep it in git: git add -f %s\n", out.folder, out.folder)
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
