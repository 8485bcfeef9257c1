package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// saveRun makes the folder of a run with so many server bytes per client; with 0
// they were not measured.
func saveRun(t *testing.T, bytes int64) (folder string) {
	t.Helper()
	folder = t.TempDir()
	records := []record.Record{
		{Run: &record.Run{Schema: record.Schema, Commit: "c0ffee", Start: "2026-03-14T09:26:53Z", Command: []string{"loadtest", "-out", folder}}},
		{Memory: &record.Memory{When: "empty", ServerRSS: 1000}},
		{Memory: &record.Memory{When: "joined", ServerRSS: 1000 + 10*bytes, Clients: 10}},
		{End: &record.End{Clients: 10, Joined: 10}},
	}
	if bytes == 0 {
		records[2].Memory.ServerRSS = 0
	}
	result, err := report.New(records)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(folder, recordsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := record.NewWriter(file)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := report.WriteFile(filepath.Join(folder, summaryFile), result.WriteJSON); err != nil {
		t.Fatal(err)
	}
	return folder
}

// saveDead makes the folder of a run that never ended.
func saveDead(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	text := fmt.Sprintf(`{"run":{"schema":1,"start":"2026-03-14T09:26:53Z","command":[%q]}}`, folder)
	if err := os.WriteFile(filepath.Join(folder, recordsFile), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func saveRuns(t *testing.T, bytes ...int64) string {
	t.Helper()
	var folders []string
	for _, b := range bytes {
		folders = append(folders, saveRun(t, b))
	}
	return strings.Join(folders, ",")
}

func TestCompareReadsFoldersAndFiles(t *testing.T) {
	a, b, again := saveRun(t, 700), saveRun(t, 1400), saveRun(t, 700)
	onlySummary := saveRun(t, 2100)
	if err := os.Remove(filepath.Join(onlySummary, recordsFile)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	code := Program{}.compare([]string{"first=" + a, "records=" + filepath.Join(b, recordsFile), "folder=" + onlySummary, filepath.Join(again, summaryFile)}, &out)
	if code != exitOK {
		t.Fatalf("compare = %d, want %d", code, exitOK)
	}
	for _, want := range []string{
		"first: 1 run\nrecords: 1 run, compared with first\nfolder: 1 run, compared with first\n" + filepath.Base(again) + ": 1 run, compared with first\n",
		"  server                  700 B      1.40 KB   ×2.00  one run: no verdict        2.10 KB   ×3.00  one run: no verdict          700 B   ×1.00  one run: no verdict\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("compare printed %s\nwant %q in it", out.String(), want)
		}
	}
}

func TestCompareWritesFiles(t *testing.T) {
	folder := t.TempDir()
	page, document := filepath.Join(folder, "c.html"), filepath.Join(folder, "c.json")
	var out strings.Builder
	code := Program{}.compare([]string{"old=" + saveRuns(t, 700, 710, 720), "-html", page, "new=" + saveRuns(t, 600, 610, 620), "-json", document,
		"-note", "Nothing was tuned.", "-note", "No network."}, &out)
	if code != exitOK {
		t.Fatalf("compare = %d, want %d", code, exitOK)
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "better, p=0.1") {
		t.Errorf("page = %.200q, %v, want a verdict in it", text, err)
	}
	text, err := os.ReadFile(document)
	var c report.Comparison
	if err != nil || json.Unmarshal(text, &c) != nil || c.Schema != report.CompareSchema || len(c.Sides) != 2 || len(c.Notes) != 2 {
		t.Errorf("JSON = %.200q, %v, want a comparison of two sides with two notes", text, err)
	}
	if want := "What to know\n- Nothing was tuned.\n- No network.\n"; !strings.Contains(out.String(), want) {
		t.Errorf("compare printed %s\nwant %q in it", out.String(), want)
	}
}

func TestCompareExitCodes(t *testing.T) {
	old, worse, run := "old="+saveRuns(t, 700, 710, 720), "new="+saveRuns(t, 800, 810, 820), saveRun(t, 700)
	died := saveDead(t)
	broken := filepath.Join(t.TempDir(), "future.json")
	if err := os.WriteFile(broken, []byte(`{"schema":99,"summary":{}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want int
	}{
		{"worse", []string{old, worse}, exitOK},
		{"worse, and that fails", []string{old, worse, "-fail-if-worse"}, exitMissed},
		{"flag first", []string{"-fail-if-worse", old, worse}, exitMissed},
		{"better", []string{"-fail-if-worse", worse, old}, exitOK},
		{"no worse", []string{"-fail-if-worse", old, "new=" + saveRuns(t, 720, 700, 710)}, exitOK},
		{"cannot tell", []string{"-fail-if-worse", "-alpha", "0.01", old, worse}, exitBroken},
		{"one run cannot tell", []string{"-fail-if-worse", "a=" + run, "b=" + saveRun(t, 700)}, exitBroken},
		{"one run", []string{"a=" + run, "b=" + saveRun(t, 700)}, exitOK},
		{"all died", []string{"-fail-if-worse", old, "new=" + died + "," + saveDead(t) + "," + saveDead(t)}, exitMissed},
		{"all died, and only that", []string{old, "new=" + died}, exitOK},
		{"all died before", []string{"-fail-if-worse", "old=" + died, "new=" + run}, exitBroken},
		{"some died", []string{"-fail-if-worse", old, "new=" + saveRuns(t, 700, 710) + "," + died}, exitBroken},
		{"not measured any more", []string{"-fail-if-worse", old, "new=" + saveRuns(t, 0, 0, 0)}, exitMissed},
		{"the same run twice", []string{"a=" + run, "b=" + run}, exitUsage},
		{"the same run twice on a side", []string{"a=" + run + "," + filepath.Join(run, summaryFile), "b=" + saveRun(t, 700)}, exitUsage},
		{"no name", []string{"=" + run, "b=" + run}, exitUsage},
		{"one side", []string{old}, exitUsage},
		{"unknown flag", []string{old, worse, "-html5", "x"}, exitUsage},
		{"alpha", []string{old, worse, "-alpha", "5"}, exitUsage},
		{"help", []string{"-help"}, exitOK},
		{"no such file", []string{old, "new=" + broken + "x"}, exitBroken},
		{"empty folder", []string{old, "new=" + t.TempDir()}, exitBroken},
		{"newer schema", []string{old, "new=" + broken}, exitBroken},
		{"same name twice", []string{"a=" + run, "a=" + run}, exitUsage},
		{"cannot write", []string{old, worse, "-json", filepath.Join(broken, "x")}, exitBroken},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			if got := (Program{}).compare(test.args, &out); got != test.want {
				t.Errorf("compare(%q) = %d, want %d; it printed %s", test.args, got, test.want, out.String())
			}
		})
	}
}

// Whoever reads the message must see at once what is wrong.
func TestCompareSaysWhatIsWrong(t *testing.T) {
	run := saveRun(t, 700)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"a=" + run, "b=" + run}, run + " and " + run + " are the same run"},
		{[]string{"a=" + run, "a=" + run}, `two sides are called "a": give one another name, name=folder`},
	} {
		c, err := Program{}.parseComparison(test.args, io.Discard)
		if err == nil {
			_, err = c.make()
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("compare %q = %v, want %s", test.args, err, test.want)
		}
	}
}

// A file of several runs is as many runs of its side.
func TestReadSideOfCompressedRecords(t *testing.T) {
	folder := keep(t, 700, 800)
	for _, path := range []string{folder, filepath.Join(folder, compressedFile)} {
		side, err := (reader{}).readSide("a=" + path + "," + saveRun(t, 900))
		if err != nil || len(side.Runs) != 3 {
			t.Fatalf("readSide = %d runs, %v, want 3", len(side.Runs), err)
		}
		for i, want := range []float64{700, 800, 900} {
			if got := *side.Runs[i].Summary.ServerBytesPerClient; got != want {
				t.Errorf("run %d: %v bytes per client, want %v", i+1, got, want)
			}
		}
	}
	if _, err := (reader{}).readSide("a=" + keep(t, 700) + "," + folder); err != nil {
		t.Errorf("readSide of other runs: %v", err)
	}
	if _, err := (reader{}).readSide("a=" + folder + "," + folder); err == nil {
		t.Error("readSide took the same file twice, want an error")
	}
}

func TestReadSideErrorsNameTheFile(t *testing.T) {
	empty := t.TempDir()
	for text, want := range map[string]string{
		"a=/no/such":  "/no/such: no such file or directory",
		"a=" + empty:  empty + ": neither records.jsonl nor summary.json is there",
		"/no/such,/b": "/no/such: no such file or directory",
	} {
		if _, err := (reader{}).readSide(text); err == nil || err.Error() != want {
			t.Errorf("readSide(%q) = %v, want %s", text, err, want)
		}
	}
}

func TestNameOf(t *testing.T) {
	for path, want := range map[string]string{
		"results/10k":              "10k",
		"results/10k/":             "10k",
		"results/10k/summary.json": "10k",
		"/x/15k/records.jsonl":     "15k",
		"/x/15k/records.jsonl.gz":  "15k",
		"before.json":              "before",
		"before.jsonl.gz":          "before",
		"a.json,b.json":            "a",
	} {
		if got := nameOf(path); got != want {
			t.Errorf("nameOf(%q) = %q, want %q", path, got, want)
		}
	}
}

// Mistakes in the arguments are said before anything is read.
func TestCompareMistakes(t *testing.T) {
	t.Parallel()
	many := make([]string, report.MaxSides+1)
	for i := range many {
		many[i] = fmt.Sprint("side", i)
	}
	for args, want := range map[string]string{
		"":                       fmt.Sprintf("0 sides: want 2 to %d", report.MaxSides),
		"a":                      "1 sides: want 2 to",
		strings.Join(many, " "):  fmt.Sprintf("%d sides: want 2 to %d", report.MaxSides+1, report.MaxSides),
		"a b -html - -json -":    "-html - and -json -: there is one standard output",
		"a b -alpha 0":           "-alpha 0: want more than 0 and less than 1",
		"a -alpha 1 b":           "-alpha 1: want more than 0 and less than 1",
		"a b -alpha NaN":         "-alpha NaN: want more than 0",
		"a b -alpha x":           `invalid value "x" for flag -alpha`,
		"a b -wrong":             "flag provided but not defined: -wrong",
		"a b -note":              "flag needs an argument: -note",
		"a =b":                   "=b: a side has no name",
		"results/a other/a":      `two sides are called "a": give one another name, name=folder`,
		"a=b c a=d":              `two sides are called "a"`,
		"x/summary.json x other": `two sides are called "x"`,
	} {
		if _, err := (Program{}).parseComparison(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("compare %s: %v, want %q", args, err, want)
		}
	}
	if c, err := (Program{}).parseComparison(many[:report.MaxSides], io.Discard); err != nil || len(c.sides) != report.MaxSides || c.alpha != report.DefaultAlpha {
		t.Errorf("%d sides: %+v, %v, want them taken", report.MaxSides, c, err)
	}
	for _, args := range []string{"a b -json -", "a b -html x -json -", "a b -html -", "a b -html - -json x"} {
		if _, err := (Program{}).parseComparison(strings.Fields(args), io.Discard); err != nil {
			t.Errorf("compare %s: %v, want it taken", args, err)
		}
	}
	if c, err := (Program{}).parseComparison(strings.Fields("a -alpha 0.01 b -html - -json x"), io.Discard); err != nil || c.alpha != 0.01 || c.html != "-" || c.json != "x" {
		t.Errorf("%+v, %v", c, err)
	}
}

// -fail-if-worse fails for what is worse and for what is not measured any more, and
// without an answer is broken: what cannot fail is no check.
func TestFailIfWorseSaysWhy(t *testing.T) {
	t.Parallel()
	old := "old=" + saveRuns(t, 700, 710, 720)
	for _, tt := range []struct {
		name, new string
		code      int
		reasons   string // a part of them
	}{
		{"worse", "new=" + saveRuns(t, 800, 810, 820), exitMissed, ""},
		{"the same", "new=" + saveRuns(t, 720, 700, 710), exitOK, ""},
		{"better", "new=" + saveRuns(t, 600, 610, 620), exitOK, ""},
		{"not measured", "new=" + saveRuns(t, 0, 0, 0), exitMissed, "new"},
		{"one run", "new=" + saveRuns(t, 700), exitBroken, "too few runs to tell"},
	} {
		c, err := Program{}.parseComparison([]string{old, tt.new}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		result, err := c.make()
		if err != nil {
			t.Fatal(err)
		}
		code, reasons := failIfWorse(result)
		if said := strings.Join(reasons, "\n"); code != tt.code || !strings.Contains(said, tt.reasons) || (said == "") != (tt.reasons == "") {
			t.Errorf("%s: exit code %d because of %q, want %d", tt.name, code, reasons, tt.code)
		}
	}
}

// What is read is the best of a folder: records, then compressed ones, then the summary;
// a file that is named is read as it is.
func TestWhichFileOfAFolder(t *testing.T) {
	t.Parallel()
	folder := saveRun(t, 700)
	bytes := func(path string) float64 {
		runs, err := readRuns(path)
		if err != nil || len(runs) != 1 {
			t.Fatalf("%s: %d runs, %v", path, len(runs), err)
		}
		return *runs[0].Summary.ServerBytesPerClient
	}
	copyFile := func(from, to string) {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copyFile(filepath.Join(keep(t, 800), compressedFile), filepath.Join(folder, compressedFile))
	copyFile(filepath.Join(saveRun(t, 900), summaryFile), filepath.Join(folder, summaryFile))
	for _, step := range []struct {
		remove, records string
		want            float64
	}{{"", recordsFile, 700}, {recordsFile, compressedFile, 800}, {compressedFile, recordsFile, 900}} {
		if step.remove != "" {
			if err := os.Remove(filepath.Join(folder, step.remove)); err != nil {
				t.Fatal(err)
			}
		}
		if got, records := bytes(folder), recordsIn(folder); got != step.want || records != step.records {
			t.Errorf("without %q: %v bytes, records in %s, want %v, %s", step.remove, got, records, step.want, step.records)
		}
		if got := bytes(filepath.Join(folder, summaryFile)); got != 900 {
			t.Errorf("the summary by its name has %v bytes, want 900", got)
		}
	}
}

// Runs are the same if they began at the same moment by the same command; of those that
// do not say when, as summaries of old, nothing is known.
func TestTheSameRunTwice(t *testing.T) {
	t.Parallel()
	run := func(start string, command ...string) *record.Run { return &record.Run{Start: start, Command: command} }
	for _, tt := range []struct {
		name string
		a, b *record.Run
		want string
	}{
		{"the same", run("12:00", "loadtest", "-x"), run("12:00", "loadtest", "-x"), "one and two are the same run"},
		{"another time", run("12:00", "loadtest"), run("12:01", "loadtest"), ""},
		{"another command", run("12:00", "loadtest", "a b"), run("12:00", "loadtest", "a", "b"), ""},
		{"no time", run("", "loadtest"), run("", "loadtest"), ""},
		{"no run", nil, nil, ""},
	} {
		r := reader{}
		err := r.check("one", tt.a)
		if err != nil {
			t.Errorf("%s: the first: %v", tt.name, err)
		}
		if err = r.check("two", tt.b); (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
