package versus

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
	m.result.Broadcasts[1].Delivered, m.result.Broadcasts[1].Expected = 0, 0 // to nobody
	for _, f := range figures() {
		if f.name == "broadcast, last receiver" && *f.of(m) != 5 {
			t.Errorf("%s = %v, want the median of those that went to somebody, 5", f.name, *f.of(m))
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
		{of(9.994), nil, "9.99"},
		{of(9.996), nil, "10.0"},
		{of(99.94), nil, "99.9"},
		{of(99.96), nil, "100"},
		{of(-99.96), nil, "-100"},
		{of(1234.5), of(0.5), "1234 (×2469)"},
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
	if text, err = os.ReadFile(filepath.Join(c.out, "10", "compare.json")); err != nil || json.Unmarshal(text, &comparison) != nil || len(comparison.Sides) != 3 || !slices.Contains(comparison.Notes, "A note.") {
		t.Errorf("compare.json: %v, %d sides, %q, want the three that have runs, and what to know", err, len(comparison.Sides), comparison.Notes)
	}
	if faults := Faults(bouts); len(faults) != 2 {
		t.Errorf("faults %q, want those of the two runs that were not made", faults)
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

// An echo's rows are of the echo, and a run without one has none of them.
func TestFiguresOfAnEcho(t *testing.T) {
	t.Parallel()
	of := func(v float64) *float64 { return &v }
	m := run(t, 1, 4000)
	m.echo = &report.Summary{Echo: &report.Echo{RepliesPerSecond: of(81_000), ServerCPUUsPerReply: of(9.5)}, LatencyMs: &report.Percentiles{P50: 2.5, P90: 7, P99: 8.25}}
	want := map[string]float64{"echo": 81_000, "echo, server CPU per reply": 9.5, "echo, median latency": 2.5, "echo, p99 latency": 8.25}
	for _, f := range figures() {
		if w, of := want[f.name], f.of(m); strings.HasPrefix(f.name, "echo") && (of == nil || *of != w) {
			t.Errorf("%s = %v, want %v", f.name, value(of), w)
		}
	}
	if want := "connect and join 100 clients/s, memory per client 100 KB, server CPU per delivery 100 µs, broadcast, last receiver 4.00 ms, echo 81000 replies/s"; m.String() != want {
		t.Errorf("line %q, want the brief figures, %q", m, want)
	}
	m.echo.LatencyMs = nil // in old records
	for _, f := range figures() {
		if v := f.of(m); strings.HasSuffix(f.name, " latency") && v != nil {
			t.Errorf("%s = %v, want nothing", f.name, *v)
		}
	}
}

// Memory is what came to the server since it was empty, for each client that joined;
// without a first reading there is none.
func TestMemoryPerClient(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		empty, joined int64
		want          any
	}{
		"grown":           {20e6, 21e6, 100.0},
		"shrunk":          {21e6, 20e6, -100.0},
		"as it was":       {20e6, 20e6, "nothing"},
		"empty not read":  {0, 21e6, "nothing"},
		"joined not read": {20e6, 0, "nothing"},
	} {
		m := run(t, 1, 4000)
		m.bills["empty"], m.bills["joined"] = record.Memory{ServerRSS: tt.empty}, record.Memory{ServerRSS: tt.joined}
		if got := value(m.perClient("joined")); got != tt.want {
			t.Errorf("%s: %v KB, want %v", name, got, tt.want)
		}
	}
}

// Medians are of the runs that were whole, and of those that measured the figure.
func TestMedianOfRuns(t *testing.T) {
	t.Parallel()
	fast, slow, partial := run(t, 1, 4000), run(t, 2, 12_000), run(t, 3, 1)
	*partial.result.Summary.Joined = 9
	b := Bout{of: map[string][]*measurement{"a": {slow, partial, fast, {reason: "exit status 1"}}}}
	if good := b.good("a"); len(good) != 2 || good[0] != slow || good[1] != fast || len(b.good("b")) != 0 {
		t.Errorf("%d good runs, want the two that were whole, in their order", len(good))
	}
	last := figures()[8]
	if got := value(last.median(b.good("a"))); last.name != "broadcast, last receiver" || got != 8.0 {
		t.Errorf("%s: %v ms, want 8", last.name, got)
	}
	fast.result.Broadcasts = nil
	if got := value(last.median(b.good("a"))); got != 12.0 {
		t.Errorf("of one run that has any: %v ms, want 12", got)
	}
}

// What the user reads of how it was measured follows from what was asked for.
func TestWhatToKnow(t *testing.T) {
	t.Parallel()
	m := run(t, 1, 4000)
	m.result.Summary.ClientTCPSays = "The clients had no sockets."
	bouts := []Bout{{clients: 10, of: map[string][]*measurement{"roost": {m, m}, "other": {m}}}, {clients: 10, of: map[string][]*measurement{"roost": {run(t, 1, 4000)}}}}
	of := func(change func(c *Contest)) string {
		c := Contest{contenders: []contender{{name: "roost"}, {name: "other", command: "serve it"}}, rounds: 2, messages: 3}
		change(&c)
		return strings.Join(c.whatToKnow(bouts), "\n")
	}
	for _, tt := range []struct {
		name      string
		change    func(c *Contest)
		want, not string
	}{
		{"no echo", func(*Contest) {}, "a chat with 3 messages to each room.", "an echo for"},
		{"an echo", func(c *Contest) { c.echo = 5 * time.Second }, "a chat with 3 messages to each room, and an echo for 5s in a closed loop: a push for each reply, 256 at a time (-inflight).", ""},
		{"no more flags", func(*Contest) {}, "- ", "Further flags"},
		{"more flags", func(c *Contest) { c.more = []string{"-size", "9"} }, "Further flags of each run: `-size 9`.", ""},
		{"plain WebSocket", func(c *Contest) { c.contenders[1].raw = true }, "other: `serve it`, plain WebSocket without channels", ""},
		{"notes", func(c *Contest) { c.notes = []string{"One.", "Two."} }, "or read slowly.\nOne.\nTwo.", ""},
	} {
		text := of(tt.change)
		if !strings.Contains("- "+text, tt.want) || tt.not != "" && strings.Contains(text, tt.not) {
			t.Errorf("%s: want %q and not %q in\n%s", tt.name, tt.want, tt.not, text)
		}
		if strings.Contains(text, "\n\n") {
			t.Errorf("%s: a sentence is empty in\n%s", tt.name, text)
		}
		for _, once := range []string{"have the scheduling policy SCHED_BATCH", "asked to collect its garbage (SIGUSR1)", "steps of 10 ms", "timed from its intended send, an echo from its actual send.",
			"The clients had no sockets.", "Host: a CPU, 2 cores, 8.0 GB", "Each of 10 clients sends a heartbeat every 30s."} {
			if strings.Count(text, once) != 1 {
				t.Errorf("%s: %q is there %d times, want once:\n%s", tt.name, once, strings.Count(text, once), text)
			}
		}
	}
}

// Servers of several processes are said to be one room or several, and those of one are
// not mentioned.
func TestCircumstancesOfProcesses(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{1: "", 2: "10 clients of roost needed 2 server processes, each a room of its own, because of the limit of open files per process."} {
		m := run(t, 1, 4000)
		m.result.Summary.ServerProcesses = &n
		got := strings.Join(Contest{}.circumstances([]Bout{{clients: 10, of: map[string][]*measurement{"roost": {m, {reason: "exit status 1"}}}}}), "\n")
		if strings.Contains(got, "server processes") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%d processes: %q, want %q", n, got, want)
		}
	}
}
