package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixture is a run of 10,000 clients that lost nothing.
func fixture(t *testing.T) []record.Record {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "run.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var records []record.Record
	err = record.Read(file, func(r record.Record) error {
		records = append(records, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func newResult(t *testing.T, records []record.Record) *report.Result {
	t.Helper()
	r, err := report.New(records)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// without drops the records that a test does not want.
func without(records []record.Record, unwanted func(record.Record) bool) []record.Record {
	var kept []record.Record
	for _, r := range records {
		if !unwanted(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// end finds the End to change.
func end(t *testing.T, records []record.Record) *record.End {
	t.Helper()
	for _, r := range records {
		if r.End != nil {
			return r.End
		}
	}
	t.Fatal("records without End")
	return nil
}

func text(t *testing.T, r *report.Result) string {
	t.Helper()
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// summary is what a program reads of the JSON.
func summary(t *testing.T, r *report.Result) map[string]any {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var all struct{ Summary map[string]any }
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	return all.Summary
}

func emptyHistogram(t *testing.T) []byte {
	t.Helper()
	encoded, err := hdrhistogram.New(1, 1_000_000, 3).Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestGolden(t *testing.T) {
	file, err := os.Open(filepath.Join("testdata", "run.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	runs, err := report.Load(file)
	if err != nil || len(runs) != 1 {
		t.Fatalf("Load = %d runs, %v, want 1", len(runs), err)
	}
	r := runs[0]
	var asJSON, asText bytes.Buffer
	if err := errors.Join(r.WriteJSON(&asJSON), r.WriteText(&asText)); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"run.json": asJSON.Bytes(), "run.txt": asText.Bytes()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s = %s\nwant %s", name, got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	got := summary(t, newResult(t, fixture(t)))
	for key, want := range map[string]float64{
		"clients":                    10_000,
		"joined":                     10_000,
		"broadcasts":                 20,
		"expected":                   200_000,
		"delivered":                  200_000,
		"lost":                       0,
		"connect_join_per_second":    10_000 * 1000 / 4097.0,
		"deliveries_per_second":      200_000 / 20.0,
		"server_bytes_per_client":    15_974_400 / 10_000.0,
		"client_bytes_per_client":    8_921_088 / 10_000.0,
		"kernel_bytes_per_client":    79_114_240 / 10_000.0,
		"server_cpu_us_per_delivery": 261_840 / 200_000.0,
		"server_cpu_us_per_join":     614_200 / 10_000.0,
		"server_processes":           1,
	} {
		if got[key] != want {
			t.Errorf("summary[%q] = %v, want %v", key, got[key], want)
		}
	}
	latency, ok := got["latency_ms"].(map[string]any)
	if !ok {
		t.Fatalf("summary[latency_ms] = %v, want an object", got["latency_ms"])
	}
	last := 0.0
	for _, key := range []string{"p50", "p90", "p99", "p999", "max"} {
		ms, _ := latency[key].(float64)
		if ms <= last || ms > 50 {
			t.Errorf("latency_ms[%q] = %v, want more than %v and at most 50", key, latency[key], last)
		}
		last = ms
	}
}

// What was not measured is null for programs and said to people; 0 would be a lie.
func TestNotMeasured(t *testing.T) {
	isMemory := func(r record.Record) bool { return r.Memory != nil }
	zeroKernel := fixture(t)
	for _, r := range zeroKernel {
		if r.Memory != nil {
			r.Memory.KernelBytes = 0
		}
	}
	shrunkKernel := fixture(t)
	for _, r := range shrunkKernel {
		if r.Memory != nil && r.Memory.When == "joined" {
			r.Memory.KernelBytes = 1
		}
	}
	shrunkProcesses := fixture(t)
	for _, r := range shrunkProcesses {
		if r.Memory != nil && r.Memory.When == "joined" {
			r.Memory.ServerRSS, r.Memory.ClientRSS = 1000, 1000
		}
	}
	noLatency := fixture(t)
	end(t, noLatency).Latency = nil
	nothingReceived := fixture(t)
	end(t, nothingReceived).Latency = emptyHistogram(t)
	noCPU := fixture(t)
	end(t, noCPU).BroadcastCPU = 0
	for _, test := range []struct {
		name    string
		records []record.Record
		nulls   []string
	}{
		{"no memory records", without(fixture(t), isMemory),
			[]string{"server_bytes_per_client", "client_bytes_per_client", "kernel_bytes_per_client"}},
		{"only the empty bill", without(fixture(t), func(r record.Record) bool { return isMemory(r) && r.Memory.When != "empty" }),
			[]string{"server_bytes_per_client"}},
		{"kernel not read", zeroKernel, []string{"kernel_bytes_per_client"}},
		{"kernel gave back more", shrunkKernel, []string{"kernel_bytes_per_client"}},
		{"pages reclaimed", shrunkProcesses, []string{"server_bytes_per_client", "client_bytes_per_client"}},
		{"no histogram", noLatency, []string{"latency_ms"}},
		{"nothing received", nothingReceived, []string{"latency_ms"}},
		{"CPU not read", noCPU, []string{"server_cpu_us_per_delivery"}},
		{"no end", without(fixture(t), func(r record.Record) bool { return r.End != nil }),
			[]string{"clients", "expected", "lost", "connect_join_per_second", "latency_ms"}},
		{"no records", nil, []string{"clients", "joined", "delivered", "lost", "errors", "latency_ms", "server_processes", "fan_out_per_second"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newResult(t, test.records)
			got := summary(t, r)
			for _, key := range test.nulls {
				if value, present := got[key]; value != nil || !present {
					t.Errorf("summary[%q] = %v (present: %v), want null", key, value, present)
				}
			}
			if out := text(t, r); !strings.Contains(out, "not measured") {
				t.Errorf("text = %s\nwant it to say: not measured", out)
			}
			if out := html(t, r); !strings.Contains(out, "not measured") {
				t.Error("HTML does not say: not measured")
			}
		})
	}
}

// Memory that processes held less of when all had joined is no cost of a client, which
// would be negative: all reports say so, and why.
func TestMemoryNotMeasurable(t *testing.T) {
	t.Parallel()
	records := fixture(t)
	for _, r := range records {
		if r.Memory != nil && r.Memory.When == "joined" {
			r.Memory.ServerRSS = 1000
		}
	}
	r := newResult(t, records)
	const want = "server: not measurable, because it held 1.00 KB when all had joined, and "
	says, _ := summary(t, r)["memory_says"].(string)
	for kind, out := range map[string]string{"JSON": says, "text": text(t, r), "page": html(t, r)} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the %s lacks %q:\n%s", kind, want, out)
		}
	}
	if says := newResult(t, fixture(t)).Summary.MemorySays; says != "" {
		t.Errorf("of a run whose memory grew, %q", says)
	}
}

// A run that died has no totals, but what its ticks say is known.
func TestDiedEarly(t *testing.T) {
	r := newResult(t, fixture(t)[:10])
	if got := summary(t, r)["joined"]; got != 10_000.0 {
		t.Errorf("joined = %v, want 10000", got)
	}
	if ok, reasons := report.Verdict(r.Summary); ok || len(reasons) != 1 {
		t.Errorf("Verdict = %v, %q, want false and one reason", ok, reasons)
	}
}

func TestEmptyJSONHasLists(t *testing.T) {
	var out strings.Builder
	if err := newResult(t, nil).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"schema": 1`, `"run": null`, `"memory": []`, `"broadcasts": []`, `"notes": []`, `"latency_curve": []`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("JSON = %s\nwant %s in it", out.String(), want)
		}
	}
}

func TestBroadcastsInOrderOfTime(t *testing.T) {
	r := newResult(t, []record.Record{
		{Broadcast: &record.Broadcast{Room: 0, Seq: 3, AtMs: 30}},
		{Broadcast: &record.Broadcast{Room: 1, Seq: 1, AtMs: 20}},
		{Broadcast: &record.Broadcast{Room: 0, Seq: 2, AtMs: 20}},
		{Broadcast: &record.Broadcast{Room: 0, Seq: 1, AtMs: 10}},
	})
	for i, want := range []record.Broadcast{{Seq: 1, AtMs: 10}, {Seq: 2, AtMs: 20}, {Room: 1, Seq: 1, AtMs: 20}, {Seq: 3, AtMs: 30}} {
		if r.Broadcasts[i] != want {
			t.Errorf("Broadcasts[%d] = %v, want %v", i, r.Broadcasts[i], want)
		}
	}
}

func TestLoadSplitsRuns(t *testing.T) {
	const note, run = `{"note":{"level":"info"}}` + "\n", `{"run":{"schema":1}}` + "\n"
	for _, test := range []struct {
		records string
		notes   []int // of each run
	}{
		{"", []int{0}},
		{note, []int{1}},
		{run + note, []int{1}},
		{run + note + run + note + note + run, []int{1, 2, 0}},
		{note + run + note, []int{1, 1}}, // the first lost its beginning
	} {
		runs, err := report.Load(strings.NewReader(test.records))
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, r := range runs {
			got = append(got, len(r.Notes))
		}
		if !slices.Equal(got, test.notes) {
			t.Errorf("Load(%q) has runs with %v notes, want %v", test.records, got, test.notes)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for _, test := range []struct{ name, records, want string }{
		{"cut line", "{\"run\":{\"schema\":1\n", "load records: record 1: "},
		{"newer schema", `{"run":{"schema":7}}`, "records: schema 7, this program reads schema 1; a newer one wrote it"},
		{"second run of a newer schema", "{\"run\":{\"schema\":1}}\n{\"run\":{\"schema\":7}}", "records: schema 7, this program reads schema 1; a newer one wrote it"},
		{"older schema", `{"run":{"schema":0}}`, "records: schema 0, this program reads schema 1; an older one wrote it"},
		{"bad histogram", `{"end":{"latency":"AAAA"}}`, "decode histogram latency: "},
		{"bad histogram of a storm", `{"activity":{"name":"storm","latency":"AAAA"}}`, "decode histogram storm: "},
		{"bad histogram of another", `{"activity":{"name":"churn","latency":"AAAA"}}`, "decode histogram churn: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := report.Load(strings.NewReader(test.records))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("Load(%q) = %v, want an error that begins %q", test.records, err, test.want)
			}
		})
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestWriteErrors(t *testing.T) {
	r := newResult(t, fixture(t))
	for name, err := range map[string]error{
		"JSON": r.WriteJSON(fullDisk{}),
		"text": r.WriteText(fullDisk{}),
		"HTML": r.WriteHTML(fullDisk{}),
		"CSV":  r.WriteCSV(fullDisk{}),
		"HDR":  r.WriteHDRLog(fullDisk{}),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("Write %s = %v, want %v", name, err, errFull)
		}
	}
}
