package versus

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// run is a measurement of so many broadcasts that took so long.
func run(t *testing.T, round int, lastUs ...int64) *measurement {
	t.Helper()
	chat := []record.Record{
		{Run: &record.Run{Schema: record.Schema, Commit: "c0ffee", Config: map[string]any{"heartbeat_ns": 3e10}, Machine: record.Machine{CPU: "a CPU", Cores: 2, MemoryBytes: 8e9, OS: "Linux 6", Go: "go1.26"}}},
		{Memory: &record.Memory{When: "empty", ServerRSS: 20e6, ClientRSS: 1, KernelBytes: 1}},
		{Memory: &record.Memory{When: "joined", Clients: 10, ServerRSS: 21e6, ClientRSS: 2, KernelBytes: 2}},
		{Memory: &record.Memory{When: "after", Clients: 10, ServerRSS: 22e6, ClientRSS: 2, KernelBytes: 2}},
	}
	for i, us := range lastUs {
		chat = append(chat, record.Record{Broadcast: &record.Broadcast{Seq: int64(i + 1), AtMs: int64(100 * i), Expected: 10, Delivered: 10, FirstUs: us / 4, P50Us: us / 2, P99Us: us, LastUs: us}})
	}
	n := int64(10 * len(lastUs))
	chat = append(chat, record.Record{End: &record.End{Clients: 10, Joined: 10, Expected: n, Delivered: n, ConnectMs: 100, ConnectCPUNs: 1e6, BroadcastMs: 1000, BroadcastCPU: 1e6, ServerProcs: 1, ClientProcs: 1}})
	m := &measurement{round: round}
	if err := m.read(chat); err != nil || m.reason != "" {
		t.Fatalf("read: %v, %s", err, m.reason)
	}
	return m
}

func TestFigures(t *testing.T) {
	m := run(t, 1, 4000, 8000, 6000)
	want := map[string]float64{
		"connect and join": 100, "server CPU per join": 100, "server without clients": 20, "memory per client": 100, "memory per client after the messages": 200,
		"server CPU per delivery": 1000. / 30, "broadcast, first receiver": 1.5, "broadcast, median receiver": 3, "broadcast, last receiver": 6,
	}
	for _, f := range figures() {
		v := f.of(m)
		if w, known := want[f.name]; known != (v != nil) || known && (*v < w*0.999 || *v > w*1.001) {
			t.Errorf("%s = %v, want %v, or nothing of an echo that was not made", f.name, value(v), w)
		}
	}
	m.result.Broadcasts[1].Delivered = 9 // which makes it seem faster
	for _, f := range figures() {
		if f.name == "broadcast, last receiver" && *f.of(m) != 5 {
			t.Errorf("%s = %v, want the median of those that reached everybody, 5", f.name, *f.of(m))
		}
	}
	delete(m.bills, "after")
	if v := m.perClient("after"); v != nil {
		t.Errorf("memory per client after the messages = %v without a bill", *v)
	}
}

func value(v *float64) any {
	if v == nil {
		return "nothing"
	}
	return *v
}

func TestCells(t *testing.T) {
	of := func(v float64) *float64 { return &v }
	for _, test := range []struct {
		v, first *float64
		want     string
	}{
		{nil, of(2), "–"},
		{of(123.4), nil, "123"},
		{of(12.34), of(0), "12.3"},
		{of(3), of(2), "3.00 (×1.50)"},
		{of(-3), of(2), "-3.00 (×-1.50)"},
		{of(2), of(2), "2.00 (×1.00)"},
	} {
		if got := cellOf(test.v, test.first); got != test.want {
			t.Errorf("cellOf(%v, %v) = %q, want %q", value(test.v), value(test.first), got, test.want)
		}
	}
	for _, test := range []struct {
		of   []float64
		want any
	}{{nil, "nothing"}, {[]float64{3}, 3.0}, {[]float64{9, 1, 5}, 5.0}, {[]float64{4, 1, 9, 2}, 3.0}} {
		if got := value(median(test.of)); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.of, got, test.want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	good := run(t, 1, 4000)
	if got := good.String(); !strings.Contains(got, "connect and join 100 clients/s") || strings.Contains(got, "without clients") || strings.Contains(got, "MISSED") {
		t.Errorf("line %q, want the brief figures", got)
	}
	good.reason = "4 lost"
	if got := good.String(); !strings.HasSuffix(got, "; MISSED: 4 lost") {
		t.Errorf("line %q, want what it missed", got)
	}
	for reason, want := range map[string]string{"no such port": "FAILED: no such port", "": "FAILED: interrupted"} {
		if got := (&measurement{reason: reason}).String(); got != want {
			t.Errorf("line %q, want %q", got, want)
		}
	}
}

// The page has a row for each figure, medians of the good runs, and all that a
// reader has to know, each once.
func TestMarkdown(t *testing.T) {
	c := Contest{
		contenders: []contender{{name: "roost"}, {name: "other", command: "serve it"}, {name: "plain", command: "./peer", raw: true}, {name: "gone", command: "false"}},
		rounds:     2, messages: 3, out: filepath.Join(t.TempDir(), "out"), notes: []string{"A note."}, more: []string{"-size", "200"}, oneRoom: true,
	}
	slow := run(t, 2, 12_000)
	slow.result.Notes = []record.Note{{Level: "warn", Message: "server process 0 does not answer SIGUSR1: its memory includes garbage"}}
	two := int64(2)
	slow.result.Summary.ServerProcesses = &two
	bouts := []Bout{{clients: 10, of: map[string][]*measurement{
		"roost": {run(t, 1, 4000), run(t, 2, 6000)}, "other": {run(t, 1, 8000), slow}, "plain": {run(t, 1, 5000)},
		"gone": {{round: 1, reason: "exit status 1"}, {round: 2, reason: "exit status 1"}},
	}}}
	if err := os.MkdirAll(filepath.Join(c.out, "10"), 0o755); err != nil { // as the runs do
		t.Fatal(err)
	}
	if err := c.Save(bouts, false); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(c.out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{
		"# roost, other, plain, gone by turns\n",
		"| [10 clients](10/compare.html) | roost | other | plain | gone |\n|---|--:|--:|--:|--:|\n",
		"| broadcast, last receiver, ms | 5.00 | 10.0 (×2.00) | 5.00 (×1.00) | – |\n",
		"| echo, replies/s | – | – | – | – |\n",
		"| runs | 2 | 2 | 1 | 0 |\n",
		"## What went wrong\n\n- 10 clients, gone, round 1: not in the table: exit status 1\n- 10 clients, gone, round 2: ",
		"- The contenders took turns on this host, 2 times", "a chat with 3 messages to each room.",
		"- Further flags of each run: `-size 200`.\n", "- roost: this program's own server, with its defaults.\n", "- other: `serve it`.\n",
		"- plain: `./peer`, plain WebSocket without channels", "- Host: a CPU, 2 cores, 8.0 GB, Linux 6; Roost and the load generator: commit c0ffee, go1.26.\n",
		"- Each of 10 clients sends a heartbeat every 30s.\n", "- 10 clients of other needed 2 server processes, one cluster and one room, because of the limit of open files per process.\n",
		"- other does not answer SIGUSR1: its memory includes garbage.\n", "- A note.\n",
	} {
		if strings.Count(page, want) != 1 {
			t.Errorf("%q is %d times in the page, want once:\n%s", want, strings.Count(page, want), page)
		}
	}
	var comparison report.Comparison
	if text, err = os.ReadFile(filepath.Join(c.out, "10", "compare.json")); err != nil || json.Unmarshal(text, &comparison) != nil || len(comparison.Sides) != 3 {
		t.Errorf("compare.json: %v, %d sides, want the three that have runs", err, len(comparison.Sides))
	}
	for _, name := range []string{"compare.html", "compare.txt"} {
		if _, err := os.Stat(filepath.Join(c.out, "10", name)); err != nil {
			t.Error(err)
		}
	}
}

// With one server alone there is nothing to compare, and a folder that cannot be
// made is an error.
func TestSaveErrors(t *testing.T) {
	c := Contest{contenders: []contender{{name: "roost"}, {name: "gone"}}, out: filepath.Join(t.TempDir(), "out")}
	bouts := []Bout{{clients: 10, of: map[string][]*measurement{"roost": {run(t, 1, 4000)}, "gone": {{round: 1, reason: "x"}}}}}
	if err := c.Save(bouts, false); err != nil {
		t.Errorf("Save() = %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.out, "10", "compare.html")); err == nil {
		t.Error("one server is compared")
	}
	c.out = "/dev/null/out"
	if err := c.Save(bouts, false); err == nil {
		t.Error("Save() to a folder that cannot be made is no error")
	}
	c = Contest{contenders: []contender{{name: "roost"}, {name: "other"}}, out: filepath.Join(t.TempDir(), "out")}
	bouts[0].of["other"] = []*measurement{run(t, 1, 4000)}
	if err := c.Save(bouts, false); err == nil {
		t.Error("Save() of a comparison whose folder is not there is no error")
	}
}
