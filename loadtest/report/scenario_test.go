package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// histogram has one value for each of us, in microseconds.
func histogram(t *testing.T, us ...int64) []byte {
	t.Helper()
	h := hdrhistogram.New(1, 60_000_000, 3)
	for _, v := range us {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// upTo is 1, 2, 3 ... n milliseconds, in microseconds.
func upTo(n int64) (us []int64) {
	for ms := range n {
		us = append(us, 1000*(ms+1))
	}
	return us
}

func pinged(t *testing.T) *record.Activity {
	return &record.Activity{
		Name: "echo", AtMs: 1000, Ms: 4000, Count: 8000, ServerCPUNs: 80_000_000, ClientCPUNs: 96_000_000,
		Latency: histogram(t, upTo(100)...), RawLatency: histogram(t, upTo(50)...),
	}
}

func beaten() *record.Activity {
	return &record.Activity{Name: "idle", AtMs: 1000, Ms: 4000, Count: 100, ServerCPUNs: 800_000}
}

// cutOff is a storm after which n clients reconnected, in 1, 2, 3 ... milliseconds.
func cutOff(t *testing.T, n int64) *record.Activity {
	return &record.Activity{Name: "storm", AtMs: 1000, Ms: 700, Count: n, Retries: 33, Latency: histogram(t, upTo(n)...)}
}

// killed is the same of a server that others stood in for.
func killed(t *testing.T, n int64) *record.Activity {
	a := cutOff(t, n)
	a.Name, a.Ms = "kill", 0
	return a
}

// killedOf is the same whose record tells how many were cut off.
func killedOf(t *testing.T, back, all int64) *record.Activity {
	a := killed(t, back)
	a.CutOff = all
	return a
}

// pushed is a burst of n messages, answered in 1, 2, 3 ... milliseconds.
func pushed(t *testing.T, n int64) *record.Activity {
	return &record.Activity{Name: "burst", Ms: 2000, Count: n, Latency: histogram(t, upTo(n)...)}
}

// churned is a chat during which n clients left and joined again.
func churned(t *testing.T, n int64) *report.Result {
	t.Helper()
	e := broadcasts(7)
	e.Clients, e.Joined = 100, 100
	return newResult(t, []record.Record{
		{Run: &record.Run{Schema: 1, Config: map[string]any{"scenario": "churn"}}},
		{Activity: &record.Activity{Name: "churn", Ms: 2000, Count: n, Latency: histogram(t, upTo(n)...)}},
		{Activity: &record.Activity{Name: "leave", Ms: 2000, Count: n, Latency: histogram(t, upTo(10)...)}},
		{Broadcast: &record.Broadcast{Seq: 1, Expected: 100, Delivered: 93}},
		{End: &e},
	})
}

// played is a run of 100 clients that came to a, and to no more broadcasts than
// e says.
func played(t *testing.T, a *record.Activity, e record.End, more ...*record.Activity) *report.Result {
	t.Helper()
	e.Clients, e.Joined, e.ConnectMs, e.JoinLatency = 100, 100, 10, histogram(t, upTo(20)...)
	records := []record.Record{
		{Run: &record.Run{Schema: 1, Config: map[string]any{"scenario": a.Name}}},
		{Tick: &record.Tick{AtMs: 1000, P50Us: 5, P99Us: 9}},
		{Tick: &record.Tick{AtMs: 2000, P50Us: 5, P99Us: 9}},
	}
	for _, each := range append([]*record.Activity{a}, more...) {
		records = append(records, record.Record{Activity: each})
	}
	return newResult(t, append(records, record.Record{End: &e}))
}

// broadcasts is the End of a chat; some messages may have been missed.
func broadcasts(missed int64) record.End {
	return record.End{Expected: 1000 - missed, Delivered: 1000 - missed, Away: missed, BroadcastMs: 500}
}

func TestScenarioSummary(t *testing.T) {
	for _, test := range []struct {
		r    *report.Result
		name string // of the object
		want string // fmt of a map, in the order of keys
	}{
		{played(t, pinged(t), record.End{}), "echo",
			"map[client_cpu_us_per_reply:12 replies:8000 replies_per_second:2000 server_cpu_us_per_reply:10]"},
		{played(t, beaten(), record.End{}), "idle",
			"map[heartbeats:100 heartbeats_per_second:25 server_cpu_us_per_heartbeat:8]"},
		{played(t, cutOff(t, 100), broadcasts(0)), "comeback",
			"map[back:100 back_100_percent_ms:100.031 back_50_percent_ms:50.015 back_99_percent_ms:99.007 cut_off:100 no_server_ms:700 retries:33]"},
		{played(t, cutOff(t, 80), broadcasts(0)), "comeback",
			"map[back:80 back_100_percent_ms:<nil> back_50_percent_ms:50.015 back_99_percent_ms:<nil> cut_off:100 no_server_ms:700 retries:33]"},
		{played(t, killed(t, 40), broadcasts(0)), "comeback",
			"map[back:40 back_100_percent_ms:40.031 back_50_percent_ms:20.015 back_99_percent_ms:40.031 cut_off:<nil> no_server_ms:<nil> retries:33]"},
		{played(t, killedOf(t, 40, 50), broadcasts(0)), "comeback",
			"map[back:40 back_100_percent_ms:<nil> back_50_percent_ms:25.007 back_99_percent_ms:<nil> cut_off:50 no_server_ms:<nil> retries:33]"},
		{churned(t, 100), "churn",
			"map[join_ms:map[max:100.031 p50:50.015 p90:90.047 p99:99.007 p999:100.031] joins:100 joins_per_second:50 leave_ms:map[max:10.007 p50:5.003 p90:9.007 p99:10.007 p999:10.007] leaves:100]"},
		{played(t, &record.Activity{Name: "slow", Ms: 2000, Count: 3}, broadcasts(0)), "slow", "map[cut_off:3 stalled:<nil>]"},
		{played(t, &record.Activity{Name: "slow", Ms: 2000, Count: 3, Stalled: 5}, broadcasts(0)), "slow", "map[cut_off:3 stalled:5]"},
		{played(t, pushed(t, 100), broadcasts(0)), "burst",
			"map[replies:100 reply_ms:map[max:100.031 p50:50.015 p90:90.047 p99:99.007 p999:100.031]]"},
		{played(t, &record.Activity{Name: "juggle", Ms: 2000, Count: 3}, broadcasts(0)), "others",
			"[map[count:3 latency_ms:<nil> name:juggle per_second:1.5]]"},
	} {
		got := summary(t, test.r)
		if text := fmt.Sprint(got[test.name]); text != test.want {
			t.Errorf("summary[%q] = %s, want %s", test.name, text, test.want)
		}
		for _, other := range []string{"echo", "idle", "comeback", "churn", "slow", "burst", "others"} {
			if _, present := got[other]; present && other != test.name {
				t.Errorf("summary of %s has %q, too", test.name, other)
			}
		}
	}
}

// The latencies of an echo are those of its pings.
func TestEchoLatency(t *testing.T) {
	s := played(t, pinged(t), record.End{}).Summary
	if s.LatencyMs == nil || s.RawLatencyMs == nil || s.LatencyMs.P50 != 50.015 || s.RawLatencyMs.P50 != 25.007 {
		t.Errorf("latency = %v and %v, want p50 50.015 and 25.007", s.LatencyMs, s.RawLatencyMs)
	}
}

func TestScenarioText(t *testing.T) {
	for _, test := range []struct {
		name    string
		r       *report.Result
		want    []string
		without []string
	}{
		{"echo", played(t, pinged(t), record.End{}), []string{
			"Load test echo of ",
			"\necho                replies         rate    CPU/reply   client CPU\n" +
				"                      8,000     2.00 k/s      10.0 µs      12.0 µs\n\nlatency  ",
			"\n  intended send     50.0 ms      90.0 ms      99.0 ms       100 ms       100 ms\n",
			"\nOK    8,000 pings of 100 clients answered\n",
		}, []string{"messages", "fan-out"}},
		{"idle", played(t, beaten(), record.End{}), []string{
			"\nidle             heartbeats         rate     CPU each\n" +
				"                        100      25.0 /s      8.00 µs\n\nlatency  ",
			"\nOK    100 heartbeats of 100 clients answered\n",
		}, []string{"messages", "fan-out", "intended", "actual"}},
		{"storm", played(t, cutOff(t, 100), broadcasts(7)), []string{
			"\ndisconnected        clients  reconnected      retries    no server\n" +
				"                        100          100           33       700 ms\n" +
				"  reconnect time        50%          99%         100%\n" +
				"                    50.0 ms      99.0 ms       100 ms\n\nmessages  ",
			"\n                        993          993            0            0            0\n" +
				"  while away                                        7\n\nfan-out  ",
			"\nOK    100 disconnected clients reconnected. All delivered: 993 messages to 100 clients, each once and in order, except 7 missed while away\n",
		}, nil},
		{"kill", played(t, killed(t, 40), broadcasts(0)), []string{
			"\ndisconnected    reconnected      retries\n                         40           33\n  reconnect time  ",
			"\nOK    40 disconnected clients reconnected. All delivered: 1,000 messages to 100 clients, each once and in order\n",
		}, []string{"while away", "no server"}},
		{"kill that tells", played(t, killedOf(t, 40, 40), broadcasts(0)), []string{
			"\ndisconnected        clients  reconnected      retries\n                         40           40           33\n",
			"\nOK    40 disconnected clients reconnected. All delivered",
		}, nil},
		{"kill and not all back", played(t, killedOf(t, 40, 50), broadcasts(0)), []string{"\nFAIL  40 of 50 clients reconnected\n", "        never        never\n"}, nil},
		{"churn", churned(t, 100), []string{
			"\nchurn                 count          p50          p90          p99          max\n" +
				"  join again            100      50.0 ms      90.0 ms      99.0 ms       100 ms\n" +
				"  leave                 100      5.00 ms      9.01 ms      10.0 ms      10.0 ms\n\nmessages  ",
		}, nil},
		{"slow", played(t, &record.Activity{Name: "slow", Ms: 2000, Count: 3, Stalled: 5}, broadcasts(0)), []string{
			"\ndo not read         clients disconnected\n                          5            3\n\nmessages  ",
			"messages to the 95 clients that read, each once and in order; 3 of 5 slow ones disconnected\n",
		}, nil},
		{"slow of an old record", played(t, &record.Activity{Name: "slow", Ms: 2000, Count: 3}, broadcasts(0)), []string{
			"\ndo not read    disconnected\n                          3\n\nmessages  ",
			"messages to those of 100 clients that read, each once and in order; 3 slow ones disconnected\n",
		}, nil},
		{"burst", played(t, pushed(t, 100), broadcasts(0)), []string{
			"\npushed in one go      count          p50          p90          p99          max\n" +
				"  reply                 100      50.0 ms      90.0 ms      99.0 ms       100 ms\n\nmessages  ",
			"messages to 100 clients, each once and in order; 100 pushes answered\n",
		}, nil},
		{"one that is not known here", played(t, &record.Activity{Name: "juggle", Ms: 2000, Count: 50, Latency: histogram(t, upTo(100)...)}, broadcasts(0)), []string{
			"\njuggle                count         rate          p50          p99          max\n" +
				"                         50      25.0 /s      50.0 ms      99.0 ms       100 ms\n\nmessages  ",
		}, nil},
		{"not all back", played(t, cutOff(t, 80), broadcasts(0)), []string{
			"\n                    50.0 ms        never        never\n", "\nFAIL  80 of 100 clients reconnected\n",
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := text(t, test.r)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("text = %s\nwant in it %s", got, want)
				}
			}
			for _, unwanted := range test.without {
				if strings.Contains(got, unwanted) {
					t.Errorf("text = %s\nwant no %q in it", got, unwanted)
				}
			}
		})
	}
}

func TestScenarioPage(t *testing.T) {
	of := func(a *record.Activity, e record.End) string { return html(t, played(t, a, e)) }
	for _, test := range []struct {
		name, page string
		want       []string
		without    []string
	}{
		{"echo", of(pinged(t), record.End{}),
			[]string{"<h1>Load test echo, 100 clients</h1>", `<p class="value">2.00 k/s</p><p class="quiet">8,000 in all</p>`, "<td>10.0 µs</td><td>12.0 µs</td>", "Latency within which the given share of replies arrived."},
			[]string{`id="deliveries"`, `id="fanout"`, `id="broadcasts"`, `id="back"`}},
		{"idle", of(beaten(), record.End{}),
			[]string{"<td>100</td><td>25.0 /s</td><td>8.00 µs</td>", `id="heartbeats"`},
			[]string{`id="deliveries"`, `id="fanout"`, `id="broadcasts"`, `id="back"`, `id="percentiles"`, `id="latency"`}},
		{"storm", of(cutOff(t, 100), broadcasts(7)),
			[]string{"<td>100</td><td>100</td><td>33</td><td>700 ms</td>", "993 of 993, 7 missed while away", `<p class="value">99.0 ms</p><p class="quiet">all 100 ms, retries 33</p>`, `id="broadcasts"`},
			nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantWellFormed(t, test.page)
			for _, want := range test.want {
				if !strings.Contains(test.page, want) {
					t.Errorf("HTML does not contain %q", want)
				}
			}
			for _, unwanted := range test.without {
				if strings.Contains(test.page, unwanted) {
					t.Errorf("HTML contains %q", unwanted)
				}
			}
		})
	}
	_, figure, _ := strings.Cut(of(cutOff(t, 1000), broadcasts(0)), `<figure class="panel" id="back">`)
	figure, _, _ = strings.Cut(figure, "</figure>")
	if want := `<th scope="row">p90</th><td>900 ms</td>`; !strings.Contains(figure, want) {
		t.Errorf("chart of reconnecting = %s\nwant in it %s", figure, want)
	}
}

func TestScenarioVerdict(t *testing.T) {
	nothing := func(name string) *record.Activity { return &record.Activity{Name: name, Ms: 1000} }
	for _, test := range []struct {
		name string
		r    *report.Result
		ok   bool
		want string
	}{
		{"no pings answered", played(t, nothing("echo"), record.End{}), false, "FAIL  no ping was answered\n"},
		{"no heartbeats answered", played(t, nothing("idle"), record.End{}), false, "FAIL  no heartbeat was answered: was the run long enough for one?\n"},
		{"interrupted echo", newResult(t, []record.Record{
			{Run: &record.Run{Schema: 1, Config: map[string]any{"scenario": "echo"}}},
			{End: &record.End{Interrupted: true, Clients: 3, Joined: 3}},
		}), true, "PART  Ended early; all 3 clients joined\n"},
		{"interrupted amid the connects", newResult(t, []record.Record{{End: &record.End{Interrupted: true, Clients: 3, Joined: 2}}}),
			true, "PART  Ended early; 2 of 3 clients had joined\n"},
		{"stopped by a limit amid the connects", newResult(t, []record.Record{
			{Shortfall: &record.Shortfall{Clients: 2, Asked: 3, Limit: "memory", Scope: "host", Evidence: "it is full", Fix: "add some"}},
			{End: &record.End{Interrupted: true, Clients: 3, Joined: 2}},
		}), false, "FAIL  2 of 3 clients joined\n      stopped at 2 clients by memory (host): it is full; to go on, add some\n"},
		{"half of the pings answered", played(t, pinged(t), record.End{Errors: map[string]int64{"ping not answered": 8000}}), false, "FAIL  8,000 errors: 8,000 × ping not answered\n"},
		{"interrupted amid pings", played(t, pinged(t), record.End{Interrupted: true, Errors: map[string]int64{"ping not answered": 8}}), true, "PART  "},
		{"interrupted by errors", played(t, pinged(t), record.End{Interrupted: true, Errors: map[string]int64{"EOF": 1}}), false, "FAIL  1 error: 1 × EOF\n"},
		{"idle clients cut off", played(t, beaten(), record.End{Errors: map[string]int64{"EOF": 98, "connection reset": 1, "none": 0}}), false, "FAIL  99 errors: 98 × EOF, 1 × connection reset\n"},
		{"left for good", played(t, nothing("churn"), broadcasts(0), &record.Activity{Name: "leave", Count: 49}), false, "FAIL  0 of 49 clients that left joined again\n"},
		{"nobody left", played(t, nothing("churn"), broadcasts(0), nothing("leave")), false, "FAIL  no client left the topic\n"},
		{"churn without a trace", newResult(t, []record.Record{
			{Run: &record.Run{Schema: 1, Config: map[string]any{"scenario": "churn"}}},
			{End: &record.End{Clients: 3, Joined: 3}},
		}), false, "FAIL  no client left the topic\n"},
		{"churn of an old record", played(t, &record.Activity{Name: "churn", Count: 5}, broadcasts(0)), true, "OK "},
		{"nobody to kill", played(t, nothing("kill"), broadcasts(0)), false, "FAIL  no client was disconnected\n"},
		{"nobody pushes", played(t, nothing("burst"), broadcasts(0)), false, "FAIL  no push was answered\n"},
		{"everybody reads", played(t, nothing("slow"), broadcasts(0)), false, "FAIL  no client stopped reading\n"},
		{"slow ones are waited for", played(t, &record.Activity{Name: "slow", Stalled: 5}, broadcasts(0)), true, "; 0 of 5 slow ones disconnected\n"},
		{"nobody back", played(t, cutOff(t, 0), broadcasts(0)), false, "FAIL  0 of 100 clients reconnected\n"},
		{"lost after the storm", played(t, cutOff(t, 100), record.End{Expected: 10, Delivered: 9, Lost: 1}), false, "FAIL  9 of 10 messages delivered\n      1 lost\n"},
		{"chat that sent nothing", newResult(t, []record.Record{{End: &record.End{Clients: 3, Joined: 3}}}), true, "OK    All 3 clients joined; nothing was broadcast\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if ok, reasons := report.Verdict(test.r.Summary); ok != test.ok {
				t.Errorf("Verdict = %v, %q, want %v", ok, reasons, test.ok)
			}
			if got := text(t, test.r); !strings.Contains(got, test.want) {
				t.Errorf("text = %s\nwant in it %s", got, test.want)
			}
		})
	}
}

func TestScenarioJSONIsReadBack(t *testing.T) {
	for _, r := range []*report.Result{
		played(t, pinged(t), broadcasts(7)), played(t, beaten(), broadcasts(7)), played(t, cutOff(t, 80), broadcasts(7)),
		played(t, killedOf(t, 80, 90), broadcasts(7)), churned(t, 100), played(t, &record.Activity{Name: "slow", Count: 3, Stalled: 5}, broadcasts(7)),
	} {
		read := readBack(t, r)
		if got, want := document(t, read), document(t, r); got != want || text(t, read) != text(t, r) {
			t.Errorf("%s: read back and written again: %s\nwant %s", r.Summary.Scenario, got, want)
		}
	}
}

// Records have late receipts since they have a limit to be late by.
func TestLate(t *testing.T) {
	e := record.End{Clients: 10, Joined: 10, Expected: 100, Delivered: 100, Late: 3}
	late := newResult(t, []record.Record{{Run: &record.Run{Schema: 1, Config: map[string]any{"late_ns": 1e10}}}, {End: &e}})
	for name, test := range map[string]struct{ out, want string }{
		"text": {text(t, late), "\n  late                                 3\n"},
		"HTML": {html(t, late), "100 of 100, 3 late"},
		"JSON": {document(t, late), `"late": 3,`},
		"old":  {document(t, newResult(t, []record.Record{{End: &e}})), `"late": null,`},
		"name": {html(t, late), `<th scope="row">late</th><td>10s</td>`},
	} {
		if !strings.Contains(test.out, test.want) {
			t.Errorf("%s = %s\nwant in it %q", name, test.out, test.want)
		}
	}
}

func TestCompareScenarios(t *testing.T) {
	for _, test := range []struct {
		name    string
		run     *report.Result
		medians map[string]string // by family and name
		without []string          // the same, or families
	}{
		{"echo", played(t, pinged(t), record.End{}),
			map[string]string{"rates echo": "2000", "cpu per reply": "10", "latency p50": "50.02"}, []string{"back", "broadcast", "faults lost"}},
		{"idle", played(t, beaten(), record.End{}),
			map[string]string{"cpu per heartbeat": "8"}, []string{"back", "broadcast", "latency", "raw"}},
		{"storm", played(t, cutOff(t, 100), broadcasts(0)),
			map[string]string{"back 50% back": "50.02", "back 99% back": "99.01", "back all back": "100"}, []string{"again", "leave"}},
		{"churn", churned(t, 100),
			map[string]string{"again p50": "50.02", "leave max": "10.01"}, []string{"back", "rates echo"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := compared(t, 0, report.Side{Name: "a", Runs: []*report.Result{test.run}}, report.Side{Name: "b", Runs: []*report.Result{test.run}})
			for key, want := range test.medians {
				family, name, _ := strings.Cut(key, " ")
				if got := show(cell(t, c, family, name).Median); got != want {
					t.Errorf("%s = %s, want %s", key, got, want)
				}
			}
			for _, l := range c.Lines {
				for _, unwanted := range test.without {
					if l.Family == unwanted || l.Family+" "+l.Name == unwanted {
						t.Errorf("there is a line %s %s", l.Family, l.Name)
					}
				}
			}
			page := comparisonPage(t, c)
			wantWellFormed(t, page)
			if strings.Contains(page, "not measured") {
				t.Error("HTML says not measured")
			}
		})
	}
}

func TestHDRLogOfScenarios(t *testing.T) {
	for _, test := range []struct {
		r    *report.Result
		want []string
	}{
		{played(t, pinged(t), record.End{}), []string{"\n1.000,4.000,100.", "\nTag=sent,1.000,4.000,50.", "\nTag=join,0.000,0.010,20."}},
		{played(t, cutOff(t, 100), broadcasts(0)), []string{"\nTag=join,0.000,0.010,20.", "\nTag=back,1.000,0.100,100."}},
	} {
		var out strings.Builder
		if err := test.r.WriteHDRLog(&out); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("WriteHDRLog = %s\nwant in it %q", out.String(), want)
			}
		}
		if got := strings.Count(out.String(), ",HISTF"); got != len(test.want) {
			t.Errorf("WriteHDRLog has %d histograms, want %d", got, len(test.want))
		}
	}
}
