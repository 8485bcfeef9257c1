package report_test

import (
	"errors"
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
		{"newer", `{"schema":2,"summary":{"clients":"a lot"}}`, "JSON report of schema 2: this program reads schema 1; a newer one wrote it"},
		{"older", `{"schema":0,"summary":{}}`, "JSON report of schema 0: this program reads schema 1; an older one wrote it"},
		{"no schema", `{"summary":{}}`, "read JSON report: this is no summary of a load test"},
		{"a comparison", `{"schema":1,"sides":[]}`, "read JSON report: this is no summary of a load test"},
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

// The runs that the project keeps must stay readable.
func TestKeptResults(t *testing.T) {
	kept, err := filepath.Glob(filepath.Join("..", "..", "results", "*", "*.json*"))
	if err != nil || len(kept) == 0 {
		t.Fatalf("Glob = %q, %v, want some", kept, err)
	}
	for _, path := range kept {
		read := map[string]func(*os.File) (*report.Result, error){
			"summary.json":  func(f *os.File) (*report.Result, error) { return report.ReadJSON(f) },
			"records.jsonl": func(f *os.File) (*report.Result, error) { return report.Load(f) },
		}[filepath.Base(path)]
		if read == nil {
			continue // something else
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := read(file)
		file.Close()
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if ok, reasons := report.Verdict(r.Summary); !ok {
			t.Errorf("%s: Verdict = false, %q", path, reasons)
		}
	}
}
