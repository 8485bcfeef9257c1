package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

var errGone = errors.New("terminal gone")

type goneTerminal struct{}

func (goneTerminal) Write([]byte) (int, error) { return 0, errGone }

// saved makes the output of a small run.
func saved(t *testing.T, folder string) (*output, *report.Result) {
	t.Helper()
	out, err := newOutput(options{out: folder}, 10, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	records := []record.Record{{Run: &record.Run{Schema: record.Schema}}, {End: &record.End{Clients: 10, Joined: 10}}}
	for _, r := range records {
		if err := out.records.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	result, err := report.New(records)
	if err != nil {
		t.Fatal(err)
	}
	return out, result
}

// The terminal goes with SIGHUP; the run must not.
func TestSaveWithoutATerminal(t *testing.T) {
	folder := t.TempDir()
	out, result := saved(t, folder)
	if err := out.save(result, goneTerminal{}); !errors.Is(err, errGone) {
		t.Errorf("save = %v, want %v", err, errGone)
	}
	for _, name := range []string{recordsFile, summaryFile, "report.html", "report.txt", "timeline.csv", "latency.hlog"} {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || len(text) == 0 {
			t.Errorf("%s: %v, want it whole", name, err)
		}
	}
	if runs, err := readRuns(folder); err != nil || !runs[0].Summary.Ended {
		t.Errorf("readRuns = %v, want the end of the run", err)
	}
}

func TestHowToKeepIsForRepositories(t *testing.T) {
	for _, test := range []struct {
		repository bool
		want       string
	}{{true, " To keep it in git: git add -f "}, {false, ""}} {
		root := t.TempDir()
		if test.repository {
			if err := os.Mkdir(filepath.Join(root, ".git"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		out, result := saved(t, filepath.Join(root, "results", "x"))
		var terminal strings.Builder
		if err := out.save(result, &terminal); err != nil {
			t.Fatal(err)
		}
		folder := out.folder
		if test.want != "" {
			test.want += folder
		}
		if want := "\nSaved in " + folder + " (report.html shows it)." + test.want + "\n"; !strings.HasSuffix(terminal.String(), want) {
			t.Errorf("save printed %q, want it to end with %q", terminal.String(), want)
		}
	}
}
