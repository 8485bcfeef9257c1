package report_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/roost-rt/roost/loadtest/report"
)

func TestReadJSONGivesBackWhatWasWritten(t *testing.T) {
	r := newResult(t, fixture(t))
	if written, again := document(t, r), document(t, readBack(t, r)); again != written {
		t.Errorf("written again: %s\nwant %s", again, written)
	}
}

// document is the JSON of a run.
func document(t *testing.T, r *report.Result) string {
	t.Helper()
	var out strings.Builder
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func readBack(t *testing.T, r *report.Result) *report.Result {
	t.Helper()
	read, err := report.ReadJSON(strings.NewReader(document(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestReadJSONErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"newer", `{"schema":2,"summary":{"clients":"a lot"}}`, "JSON report: schema 2, this program reads schema 1; a newer one wrote it"},
		{"older", `{"schema":0,"summary":{}}`, "JSON report: schema 0, this program reads schema 1; an older one wrote it"},
		{"no schema", `{"summary":{}}`, "read JSON report: not a summary of a load test"},
		{"a comparison", `{"schema":1,"sides":[]}`, "read JSON report: not a summary of a load test"},
		{"wrong type", `{"schema":1,"summary":{"clients":"a lot"}}`, "read JSON report: json: "},
		{"records", "{\"run\":{}}\n{\"tick\":{}}\n", "read JSON report: invalid character"},
		{"nothing", "", "read JSON report: unexpected end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := report.ReadJSON(strings.NewReader(test.text))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("ReadJSON(%q) = %v, want an error that begins %q", test.text, err, test.want)
			}
		})
	}
	if _, err := report.ReadJSON(iotest.ErrReader(errFull)); !errors.Is(err, errFull) {
		t.Errorf("ReadJSON = %v, want %v", err, errFull)
	}
}

// The runs that the project keeps must stay readable. They are a module of their
// own, which this one's zip lacks.
func TestKeptResults(t *testing.T) {
	results := filepath.Join("..", "..", "results")
	if _, err := os.Stat(results); errors.Is(err, fs.ErrNotExist) {
		t.Skip("results/ is missing: it is a module of its own, and no part of this one's zip")
	}
	kept := 0
	err := filepath.WalkDir(results, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		load := loaders[filepath.Base(path)]
		if load == nil {
			return nil // something else
		}
		kept++
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		runs, err := load(file)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		for i, r := range runs {
			if ok, reasons := report.Verdict(r.Summary); !ok {
				t.Errorf("%s, run %d: Verdict = false, %q", path, i+1, reasons)
			}
		}
		return nil
	})
	if err != nil || kept == 0 {
		t.Errorf("WalkDir = %v with %d runs, want some", err, kept)
	}
}

// loaders read the files that runs are kept in.
var loaders = map[string]func(io.Reader) ([]*report.Result, error){
	"records.jsonl.gz": report.Load,
	"summary.json": func(r io.Reader) ([]*report.Result, error) {
		run, err := report.ReadJSON(r)
		return []*report.Result{run}, err
	},
}
