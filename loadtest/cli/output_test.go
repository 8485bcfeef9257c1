package cli

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// brokenPipe is a terminal whose reader has gone, as behind "| head".
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

// Whoever has read enough of the report is no error, as long as it is kept somewhere.
func TestSaveBehindHead(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out, result := saved(t, filepath.Join(folder, "run"))
	if err := out.save(result, brokenPipe{}); err != nil {
		t.Errorf("with a folder: %v, want it saved all the same", err)
	}
	for _, tt := range []struct {
		out  output
		want error
	}{
		{output{json: filepath.Join(folder, "a.json")}, nil},
		{output{}, syscall.EPIPE},
		{output{junit: filepath.Join(folder, "a.xml")}, syscall.EPIPE}, // it has the verdict, and no figures
	} {
		if err := tt.out.save(result, brokenPipe{}); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.out, err, tt.want)
		}
	}
}

// What cannot be written is an error that names the file, and nothing is said to be
// saved.
func TestSaveErrors(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(out *output) (path string){
		"JSON":   func(out *output) string { out.json = filepath.Join(out.folder, "no", "a.json"); return out.json },
		"JUnit":  func(out *output) string { out.junit = filepath.Join(out.folder, "no", "a.xml"); return out.junit },
		"folder": func(out *output) string { os.RemoveAll(out.folder); return out.folder },
	} {
		out, result := saved(t, filepath.Join(t.TempDir(), "run"))
		path := spoil(out)
		var terminal strings.Builder
		if err := out.save(result, &terminal); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(terminal.String(), "Saved in") || terminal.Len() == 0 {
			t.Errorf("%s: %v, want an error with %s, and the report on the terminal:\n%s", name, err, path, &terminal)
		}
	}
}

// Figures as JSON and cases as JUnit are what their readers take, with the verdict.
func TestFilesForPrograms(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out, err := newOutput(options{json: filepath.Join(folder, "a.json"), junit: filepath.Join(folder, "a.xml")}, 10, time.Time{})
	if err != nil || out.folder != "" || out.file != nil {
		t.Fatalf("%+v, %v, want no folder: the figures go to a file", out, err)
	}
	_, result := saved(t, filepath.Join(folder, "run"))
	var ts thresholds
	if err := ts.Set("lost=0,p99<1s"); err != nil {
		t.Fatal(err)
	}
	judge(result, ts)
	if err := out.save(result, io.Discard); err != nil {
		t.Fatal(err)
	}
	var figures struct {
		Summary struct {
			OK         bool
			Reasons    []string
			Joined     int
			Thresholds []report.Threshold
		}
	}
	text, err := os.ReadFile(out.json)
	if s := &figures.Summary; err != nil || json.Unmarshal(text, &figures) != nil || s.Joined != 10 || s.OK || len(s.Reasons) != 1 || len(s.Thresholds) != 2 {
		t.Errorf("figures %+v, %v of\n%s", figures, err, text)
	}
	var suite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Cases    []struct {
			Kind    string    `xml:"classname,attr"`
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
		} `xml:"testcase"`
	}
	if text, err = os.ReadFile(out.junit); err != nil || xml.Unmarshal(text, &suite) != nil || suite.Tests != len(suite.Cases) || suite.Failures != 1 {
		t.Fatalf("cases %+v, %v of\n%s", suite, err, text)
	}
	failed := map[string]bool{}
	for _, c := range suite.Cases {
		failed[c.Name] = c.Failure != nil
	}
	if lost, known := failed["lost=0"]; lost || !known || !failed["p99<1s"] {
		t.Errorf("cases %v, want lost=0 met, and p99<1s failed as it was not measured", failed)
	}
}

// Without -out the folder's name is the time and the number of clients. Nothing that exists
// is overwritten, and a folder that cannot be made is an error before the run.
func TestNewOutput(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	at := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.FixedZone("", 3600))
	out, err := newOutput(options{}, 1234, at)
	if err != nil || out.folder != "results/20260203T030506.789Z-1234" {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := newOutput(options{}, 1234, at); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second run of the same time: %v, want an error", err)
	}
	if out, err := newOutput(options{json: report.Stdout}, 1, at); err != nil || out.folder != "" {
		t.Errorf("-json -: %+v, %v, want no folder and no file", out, err)
	}
	if out, err := newOutput(options{json: report.Stdout, out: "named"}, 1, at); err != nil || out.folder != "named" {
		t.Errorf("-json - -out named: %+v, %v, want the folder", out, err)
	}
	for _, o := range []options{{json: "no/a.json"}, {junit: "no/a.xml"}, {out: "/dev/null/run"}} {
		if _, err := newOutput(o, 1, at); err == nil {
			t.Errorf("%+v: no error, want it found out before the run", o)
		}
	}
	for path, want := range map[string]string{"": "", "named": "-out named has a run already: remove it or choose another folder", "new": "", "results": ""} {
		if err := checkFolder(path); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("checkFolder(%q) = %v, want %q", path, err, want)
		}
	}
}
