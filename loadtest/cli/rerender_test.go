package cli

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

func TestReportIsMadeAnew(t *testing.T) {
	folder, died := saveRun(t, 700), saveDead(t)
	var out strings.Builder
	if code := (Program{}).rerender([]string{folder, died}, &out); code != exitOK {
		t.Fatalf("rerender = %d, want %d", code, exitOK)
	}
	for _, where := range []string{folder, died} {
		for _, name := range []string{summaryFile, "report.html", "report.txt", "timeline.csv", "latency.hlog"} {
			if text, err := os.ReadFile(filepath.Join(where, name)); err != nil || len(text) == 0 {
				t.Errorf("%s: %v, want it made", name, err)
			}
		}
		if want := "Rebuilt the reports in " + where; !strings.Contains(out.String(), want) {
			t.Errorf("rerender printed %q, want %q in it", out.String(), want)
		}
	}
}

// Kept records are compressed, those of several runs in one file.
func TestReportsOfCompressedRecords(t *testing.T) {
	one, several := keep(t, 700), keep(t, 700, 800)
	var out strings.Builder
	if code := (Program{}).rerender([]string{one, several}, &out); code != exitOK {
		t.Fatalf("rerender = %d, want %d", code, exitOK)
	}
	for _, folder := range []string{one, filepath.Join(several, "1"), filepath.Join(several, "2")} {
		if text, err := os.ReadFile(filepath.Join(folder, "report.txt")); err != nil || len(text) == 0 {
			t.Errorf("report.txt: %v, want it made", err)
		}
	}
	for _, folder := range []string{one, several} {
		if err := checkFolder(folder); err == nil {
			t.Errorf("checkFolder(%s) = nil, want it to say that a run is there", folder)
		}
	}
}

// keep makes a folder with the compressed records of runs, one after another, as
// cat and gzip do.
func keep(t *testing.T, bytes ...int64) (folder string) {
	t.Helper()
	folder = t.TempDir()
	file, err := os.Create(filepath.Join(folder, compressedFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := gzip.NewWriter(file)
	for _, n := range bytes {
		text, err := os.ReadFile(filepath.Join(saveRun(t, n), recordsFile))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestReportExitCodes(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want int
		says string
	}{
		{"help", []string{"-help"}, exitOK, "go run ./loadtest report results/1m"},
		{"nothing", nil, exitUsage, ""},
		{"unknown flag", []string{"-html", "x"}, exitUsage, ""},
		{"no run", []string{t.TempDir()}, exitBroken, ""},
		{"the first is no run", []string{t.TempDir(), saveRun(t, 700)}, exitBroken, "Rebuilt the reports in "},
	} {
		var out strings.Builder
		if got := (Program{}).rerender(test.args, &out); got != test.want || !strings.Contains(out.String(), test.says) || (out.Len() > 0) != (test.says != "") {
			t.Errorf("%s: rerender(%q) = %d, printed %q, want %d, %q", test.name, test.args, got, out.String(), test.want, test.says)
		}
	}
}

func TestThresholdsOfCommand(t *testing.T) {
	for command, want := range map[string]string{
		"loadtest -clients 10":                     "",
		"loadtest -slo p99<1s,lost=0 -clients 10":  "p99<1s,lost=0",
		"loadtest -slo=p99<1s --slo lost=0":        "p99<1s,lost=0",
		"loadtest --slo=p99<1s -out slo -note slo": "p99<1s",
	} {
		ts, err := thresholdsOf(&record.Run{Command: strings.Fields(command)})
		if err != nil || ts.String() != want {
			t.Errorf("thresholdsOf(%q) = %q, %v, want %q", command, ts.String(), err, want)
		}
	}
	if ts, err := thresholdsOf(nil); len(ts) > 0 || err != nil {
		t.Errorf("thresholdsOf of nothing = %v, %v, want none", ts, err)
	}
}

// A scenario file's thresholds are in the configuration of its run, after those of the
// command.
func TestThresholdsOfAScenarioFilesRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		command string
		slo     any
		want    string
	}{
		{"loadtest app.yaml", []any{"p99<1s", "push a.errors=0"}, "p99<1s,push a.errors=0"},
		{"loadtest app.yaml -slo lost=0", []any{"p99<1s"}, "lost=0,p99<1s"},
		{"loadtest app.yaml", nil, ""},
		{"loadtest app.yaml", "p99<1s", ""},
	} {
		ts, err := thresholdsOf(&record.Run{Command: strings.Fields(tt.command), Config: map[string]any{"slo": tt.slo}})
		if err != nil || ts.String() != tt.want {
			t.Errorf("%s with %v: %s, %v, want %s", tt.command, tt.slo, ts.String(), err, tt.want)
		}
	}
	for name, run := range map[string]record.Run{
		"command": {Command: []string{"loadtest", "-slo", "p98<1s"}},
		"nothing": {Command: []string{"loadtest", "-slo"}},
		"file":    {Config: map[string]any{"slo": []any{"p98<1s"}}},
	} {
		if ts, err := thresholdsOf(&run); err == nil {
			t.Errorf("%s: %s, want an error", name, ts.String())
		}
	}
}
