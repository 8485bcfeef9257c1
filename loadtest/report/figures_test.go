package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// A figure divides what it must by what it must, and is missing where there is nothing
// to divide by.
func TestSummaryOfAnEnd(t *testing.T) {
	t.Parallel()
	end := record.End{
		Clients: 200, Joined: 100, Expected: 11, Delivered: 10, Taken: 9, Lost: 8, Unreadable: 7, Away: 6, Duplicated: 5, Reordered: 4, Late: 3,
		ConnectMs: 2000, ConnectCPUNs: 3_000_000, BroadcastMs: 5000, BroadcastCPU: 70_000, ServerProcs: 2, ClientProcs: 3, LostExamples: []string{"x"}, ClosedLoop: true,
	}
	r := &Result{end: &end, Run: &record.Run{Config: map[string]any{"late_ns": 1e10}}}
	s := r.summarize()
	for _, test := range []struct {
		name      string
		got, want any
	}{
		{"clients", *s.Clients, int64(200)}, {"joined", *s.Joined, int64(100)}, {"expected", *s.Expected, int64(11)}, {"delivered", *s.Delivered, int64(10)},
		{"taken", s.Taken, int64(9)}, {"lost", *s.Lost, int64(8)}, {"unreadable", s.Unreadable, int64(7)}, {"away", *s.Away, int64(6)},
		{"duplicated", *s.Duplicated, int64(5)}, {"reordered", *s.Reordered, int64(4)}, {"late", *s.Late, int64(3)}, {"closed loop", s.ClosedLoop, true},
		{"joins a second", *s.ConnectJoinPerSecond, 50.}, {"CPU of a join", *s.ServerCPUUsPerJoin, 30.}, {"CPU of a delivery", *s.ServerCPUUsPerDelivery, 7.},
		{"deliveries a second", *s.DeliveriesPerSecond, 2.}, {"server processes", *s.ServerProcesses, int64(2)}, {"client processes", *s.ClientProcesses, int64(3)},
		{"examples", fmt.Sprint(s.LostExamples), "[x]"}, {"errors", fmt.Sprint(s.Errors), "map[]"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", test.name, test.got, test.want)
		}
	}
	if s.Errors == nil || s.TLS != nil || s.Generator != nil {
		t.Errorf("errors %v, TLS %v, generator %v, want none counted, and neither", s.Errors, s.TLS, s.Generator)
	}
	none := (&Result{end: &record.End{Joined: 5, Delivered: 5}}).summarize()
	for name, measured := range map[string]bool{
		"joins a second": none.ConnectJoinPerSecond != nil, "CPU of a join": none.ServerCPUUsPerJoin != nil, "CPU of a delivery": none.ServerCPUUsPerDelivery != nil,
		"late": none.Late != nil, "server processes": none.ServerProcesses != nil, "client processes": none.ClientProcesses != nil,
	} {
		if measured {
			t.Errorf("%s is measured without a time, CPU, limit or process", name)
		}
	}
}

// Of a run that never ended the last tick is known.
func TestSummaryOfTicksAlone(t *testing.T) {
	t.Parallel()
	s := (&Result{ticks: []record.Tick{{Joined: 1, Delivered: 2}, {Joined: 30, Delivered: 40, Errors: map[string]int64{"EOF": 5}}}}).summarize()
	if s.Ended || *s.Joined != 30 || *s.Delivered != 40 || s.Errors["EOF"] != 5 || s.Clients != nil || s.Late != nil {
		t.Errorf("summary %+v, want what the last tick says and no more", s)
	}
}

// Memory per client is the growth from "empty" to "joined" by those who had joined
// then, of the last bill of each.
func TestMemoryPerClient(t *testing.T) {
	t.Parallel()
	empty := record.Memory{When: "empty", ServerRSS: 1000, ClientRSS: 2000, KernelBytes: 3000}
	joined := record.Memory{When: "joined", Clients: 10, ServerRSS: 1500, ClientRSS: 2600, KernelBytes: 3700}
	change := func(m record.Memory, f func(*record.Memory)) record.Memory { f(&m); return m }
	for _, test := range []struct {
		name  string
		bills []record.Memory
		want  string // of server, client and kernel
		says  []string
	}{
		{"growth", []record.Memory{empty, joined}, "50.0 B, 60.0 B, 70.0 B", nil},
		{"the last bill of a name counts", []record.Memory{change(empty, func(m *record.Memory) { m.ServerRSS = 1 }), empty, joined}, "50.0 B, 60.0 B, 70.0 B", nil},
		{"nobody joined", []record.Memory{empty, change(joined, func(m *record.Memory) { m.Clients = 0 })}, "not measured, not measured, not measured", nil},
		{"only empty", []record.Memory{empty}, "not measured, not measured, not measured", nil},
		{"only joined", []record.Memory{joined}, "not measured, not measured, not measured", nil},
		{"a server that could not be read", []record.Memory{change(empty, func(m *record.Memory) { m.ServerRSS = 0 }), joined}, "not measured, 60.0 B, 70.0 B", nil},
		{"the same as before", []record.Memory{empty, change(joined, func(m *record.Memory) { m.ServerRSS = 1000 })}, "0 B, 60.0 B, 70.0 B", nil},
		{"less than before", []record.Memory{empty, change(joined, func(m *record.Memory) { m.ServerRSS, m.KernelBytes = 999, 2000 })}, "not measured, 60.0 B, not measured", []string{
			"Memory per client, server: not measurable, because it held 999 B when all had joined, and 1.00 KB before: the kernel reclaimed pages",
			"Memory per client, kernel: not measurable, because it held 2.00 KB when all had joined, and 3.00 KB before: something else on the host freed more.",
		}},
	} {
		s := (&Result{Memory: test.bills}).summarize()
		got := strings.Join([]string{show(s.ServerBytesPerClient, size), show(s.ClientBytesPerClient, size), show(s.KernelBytesPerClient, size)}, ", ")
		if got != test.want || (s.MemorySays == "") != (test.says == nil) {
			t.Errorf("%s: %s, saying %q, want %s", test.name, got, s.MemorySays, test.want)
		}
		for _, want := range test.says {
			if !strings.Contains(s.MemorySays, want) {
				t.Errorf("%s: it says %q, want in it %q", test.name, s.MemorySays, want)
			}
		}
	}
}

// The speed of a fan-out is of the time in which a broadcast is under way. Where two
// overlap there is none.
func TestFanOut(t *testing.T) {
	t.Parallel()
	sent := func(atMs, lastUs, delivered int64) record.Broadcast {
		return record.Broadcast{AtMs: atMs, LastUs: lastUs, Delivered: delivered}
	}
	for _, test := range []struct {
		name string
		all  []record.Broadcast
		want string
	}{
		{"nothing", nil, notMeasured},
		{"one", []record.Broadcast{sent(0, 100_000, 1000)}, "10.0 k/s"},
		{"two, pauses do not count", []record.Broadcast{sent(0, 100_000, 1000), sent(5000, 300_000, 1000)}, "5.00 k/s"},
		{"one right after the other", []record.Broadcast{sent(0, 100_000, 1000), sent(100, 100_000, 1000)}, "10.0 k/s"},
		{"a microsecond too early", []record.Broadcast{sent(0, 100_001, 1000), sent(100, 100_000, 1000)}, notMeasured},
		{"nobody got it", []record.Broadcast{sent(0, 0, 0)}, notMeasured},
	} {
		if got := show(fanOut(test.all), rate); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// Without a rate the interval is that of the first writer of the first room.
func TestInterval(t *testing.T) {
	t.Parallel()
	at := func(room, writer int, ms int64) record.Broadcast {
		return record.Broadcast{Room: room, Writer: writer, AtMs: ms}
	}
	for _, test := range []struct {
		name   string
		config map[string]any
		all    []record.Broadcast
		want   int64
	}{
		{"asked for", map[string]any{"rate": 3.}, []record.Broadcast{at(0, 0, 0)}, 333},
		{"a rate of nothing is none", map[string]any{"rate": 0.}, []record.Broadcast{at(0, 0, 0), at(0, 0, 40)}, 40},
		{"a rate that is no number", map[string]any{"rate": "fast"}, []record.Broadcast{at(0, 0, 0), at(0, 0, 40)}, 40},
		{"not recorded", nil, []record.Broadcast{at(0, 0, 10), at(0, 0, 30), at(0, 0, 70)}, 30},
		{"of the first writer alone", nil, []record.Broadcast{at(0, 0, 0), at(0, 1, 10), at(1, 0, 20), at(0, 0, 100), at(0, 1, 110)}, 100},
		{"one message", nil, []record.Broadcast{at(0, 0, 10)}, 0},
	} {
		r := &Result{Broadcasts: test.all, Run: &record.Run{Config: test.config}}
		if got := r.intervalMs(); got != test.want {
			t.Errorf("%s: %d ms, want %d", test.name, got, test.want)
		}
	}
}

// queued are the waits of so many messages a second, each longer than the one before by
// so many milliseconds.
func queued(n int, from, by float64) (list []wait) {
	for i := range n {
		list = append(list, wait{float64(1000 * i), from + by*float64(i)})
	}
	return list
}

// A queue is found from a bound on in each of its marks.
func TestBoundsOfAQueue(t *testing.T) {
	t.Parallel()
	unordered := queued(60, 10, 100)
	unordered[3].at, unordered[4].at = unordered[4].at, unordered[3].at
	swapped := queued(60, 10, 100)
	for i := range 10 { // two parts in the wrong order are one pair of fifteen
		swapped[10+i].ms, swapped[20+i].ms = swapped[20+i].ms, swapped[10+i].ms
	}
	twice := slices.Clone(swapped)
	for i := range 10 {
		twice[40+i].ms, twice[50+i].ms = twice[50+i].ms, twice[40+i].ms
	}
	for _, test := range []struct {
		name  string
		waits []wait
		found bool
	}{
		{"it grows", queued(60, 10, 100), true},
		{"too few messages", queued(17, 10, 100), false},
		{"just enough", queued(18, 10, 100), true},
		{"19 ms a second", queued(60, 10, 19), false},
		{"21 ms a second", queued(60, 10, 21), true},
		{"240 ms in all", queued(18, 10, 16), false},
		{"by less than its beginning", queued(60, 3000, 50), false},
		{"by more", queued(60, 2000, 50), true},
		{"one pair of parts out of order", swapped, true},
		{"two", twice, false},
		{"not in order of time", unordered, false},
		{"it shrinks", queued(60, 6000, -100), false},
		{"nothing", nil, false},
	} {
		if got := queueOf(test.waits); (got != nil) != test.found {
			t.Errorf("%s: queue %v, want one: %t", test.name, got, test.found)
		}
	}
	q := queueOf(queued(60, 10, 100))
	if q.FromMs != 460 || q.ToMs != 5460 || q.MsPerSecond != 100 {
		t.Errorf("queue from %v to %v ms, by %v a second, want 460 to 5460 by 100: the medians of the first and the last ten", q.FromMs, q.ToMs, q.MsPerSecond)
	}
}

// What waited is a broadcast that somebody got, or a tick of an open loop of pings.
func TestWaits(t *testing.T) {
	t.Parallel()
	ticks := []record.Tick{{AtMs: 1, Phase: "connect", P50Us: 9000}, {AtMs: 2, Phase: "echo", P50Us: 5000}, {AtMs: 3, Phase: "echo"}}
	for _, test := range []struct {
		name string
		r    *Result
		want string
	}{
		{"broadcasts", &Result{Broadcasts: []record.Broadcast{{AtMs: 7, Delivered: 1, P50Us: 2500}, {AtMs: 8}}, ticks: ticks}, "[{7 2.5}]"},
		{"pings", &Result{ticks: ticks}, "[{2 5}]"},
		{"pings of a closed loop", &Result{Summary: Summary{Echo: &Echo{ClosedLoop: true}}, ticks: ticks}, "[]"},
	} {
		if got := fmt.Sprint(test.r.waits()); got != test.want {
			t.Errorf("%s: waits %s, want %s", test.name, got, test.want)
		}
	}
}

// A generator is suspect beyond each limit, and ok at it.
func TestLimitsOfTheGenerator(t *testing.T) {
	t.Parallel()
	const second = int64(1e9)
	for _, test := range []struct {
		name     string
		at, over func(*record.Generator, *Generator) // the limit
		because  string
	}{
		{"late sends of a fast run", func(_ *record.Generator, g *Generator) { g.LateMs = &Percentiles{P99: 10} },
			func(_ *record.Generator, g *Generator) { g.LateMs = &Percentiles{P99: 10.1} }, "one send in a hundred was 10.1 ms late or more"},
		{"lag of a fast run", func(_ *record.Generator, g *Generator) { g.LagMs = &Percentiles{P99: 20} },
			func(_ *record.Generator, g *Generator) { g.LagMs = &Percentiles{P99: 20.1} }, "its event loops kept connections waiting, 1% of the time 20.1 ms or more"},
		{"a process", func(r *record.Generator, _ *Generator) { r.ClientMostNs = 9 * second },
			func(r *record.Generator, _ *Generator) { r.ClientMostNs = 91 * second / 10 }, "one of its processes used 91% of a processor, and has one event loop"},
		{"processors", func(r *record.Generator, _ *Generator) { r.Hosts[0].BusyNs = 36 * second },
			func(r *record.Generator, _ *Generator) { r.Hosts[0].BusyNs = 37 * second }, "the processors of this host were 92% busy"},
		{"softirq", func(r *record.Generator, _ *Generator) { r.Hosts[0].SoftMostNs = 8 * second },
			func(r *record.Generator, _ *Generator) { r.Hosts[0].SoftMostNs = 81 * second / 10 }, "a processor of this host was 81% in softirq"},
		{"other guests", func(r *record.Generator, _ *Generator) { r.Hosts[0].StolenNs = 2 * second },
			func(r *record.Generator, _ *Generator) { r.Hosts[0].StolenNs = 24 * second / 10 }, "other guests of the machine took from this host 6% of its processors"},
		{"memory", func(r *record.Generator, _ *Generator) { r.Hosts[0].ShortNs = second / 2 },
			func(r *record.Generator, _ *Generator) { r.Hosts[0].ShortNs = 6 * second / 10 }, "programs on this host waited for memory 6% of the time"},
		{"a link", func(r *record.Generator, _ *Generator) { r.Hosts[0].LinkNs = 9 * second },
			func(r *record.Generator, _ *Generator) { r.Hosts[0].LinkNs = 95 * second / 10 }, "a link of this host was 95% used"},
		{"packets dropped", nil, func(r *record.Generator, _ *Generator) { r.LinkDropped = 1 }, "packets between servers and clients were dropped: 1"},
		{"segments repeated", nil, func(r *record.Generator, _ *Generator) { r.LinkRepeated = 1 }, "servers had to retransmit segments that clients acknowledged too late: 1"},
		{"segments resent", nil, func(r *record.Generator, _ *Generator) { r.LinkResent = 1000 }, "clients had to retransmit segments: 1,000"},
	} {
		judged := func(change func(*record.Generator, *Generator)) *Generator {
			rec, g := &record.Generator{Ms: 10_000, Hosts: []record.Host{{Cores: 4}}}, new(Generator)
			if change != nil {
				change(rec, g)
			}
			g.judge(rec, &Percentiles{P99: 5})
			return g
		}
		if g := judged(test.at); !g.OK || len(g.Because) > 0 {
			t.Errorf("%s at the limit: %s, want ok", test.name, g)
		}
		if g, want := judged(test.over), "generator: suspect, because "+test.because; g.OK || g.String() != want {
			t.Errorf("%s beyond the limit: %s, want %s", test.name, g, want)
		}
	}
}

// What is a small part of the latency does not make a generator suspect.
func TestLimitsOfTheGeneratorInASlowRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		late, lag, latency float64
		ok                 bool
	}{
		{100, 0, 1000, true}, {101, 0, 1000, false}, {0, 500, 1000, true}, {0, 501, 1000, false}, {10, 20, 0, true},
	} {
		g := &Generator{LateMs: &Percentiles{P99: test.late}, LagMs: &Percentiles{P99: test.lag}}
		g.judge(&record.Generator{Ms: 1}, &Percentiles{P99: test.latency})
		if g.OK != test.ok {
			t.Errorf("late %v, lag %v of latency %v: %s, want ok: %t", test.late, test.lag, test.latency, g, test.ok)
		}
	}
	g := &Generator{LateMs: &Percentiles{P99: 11}}
	if g.judge(&record.Generator{Ms: 1}, nil); g.OK {
		t.Error("late sends are ok in a run without latencies")
	}
}

// The bottleneck is who had most of the processors, with the shares of those that had
// any.
func TestWhoTook(t *testing.T) {
	t.Parallel()
	const second = int64(1e9)
	for _, test := range []struct {
		name           string
		rec            record.Generator
		want, evidence string
	}{
		{"the server, beside its clients", record.Generator{ServerCPUNs: 20 * second, ClientCPUNs: 12 * second, CoordinatorCPUNs: second,
			Hosts: []record.Host{{Cores: 4, BusyNs: 38 * second, SoftNs: 2 * second}}},
			"server CPU", "the processors of this host were 95% busy: softirq 5%, server 50%, clients 32%, other programs 8%; server and clients share them, so each slows the other"},
		{"clients alone", record.Generator{ClientCPUNs: 36 * second, ServerElsewhere: true, Hosts: []record.Host{{Name: "a", Cores: 4, BusyNs: 37 * second}}},
			"client CPU", "the processors of a were 92% busy: clients 90%, other programs 2%"},
		{"one of several hosts with clients", record.Generator{ClientCPUNs: 99 * second, Hosts: []record.Host{{Name: "a", Cores: 4}, {Name: "b", Cores: 4, BusyNs: 40 * second, StolenNs: 4 * second}}},
			"client CPU", "the processors of b were 100% busy: other guests 10%, clients and others 90%"},
		{"softirq", record.Generator{Hosts: []record.Host{{Cores: 4, BusyNs: 40 * second, SoftNs: 30 * second}}},
			"kernel (softirq)", "the processors of this host were 100% busy: softirq 75%, other programs 25%"},
		{"other guests, of more than it was busy", record.Generator{Hosts: []record.Host{{Cores: 4, BusyNs: 37 * second, StolenNs: 40 * second}}},
			"other guests", "the processors of this host were 92% busy: other guests 100%"},
		{"a share of less than half a percent is left out", record.Generator{ClientCPUNs: second / 10, Hosts: []record.Host{{Cores: 4, BusyNs: 40 * second}}},
			"other programs", "the processors of this host were 100% busy: other programs 100%"},
		{"nobody", record.Generator{Hosts: []record.Host{{Cores: 4, BusyNs: 30 * second}}}, "none: waiting", "the processors were at most 75% busy"},
		{"nobody of two hosts", record.Generator{Hosts: []record.Host{{Cores: 4, BusyNs: 30 * second}, {Cores: 4, BusyNs: 10 * second}}}, "none: waiting", "the processors were at most 75% busy"},
		{"a client process", record.Generator{ClientMostNs: 95 * second / 10, Hosts: []record.Host{{Cores: 4, BusyNs: 30 * second}}},
			"client CPU", "a client process used 95% of a processor, and has one event loop"},
		{"memory before processors", record.Generator{Hosts: []record.Host{{Cores: 4, BusyNs: 40 * second, ShortNs: second}}}, "memory", "programs on this host waited for it 10% of the time"},
		{"a link", record.Generator{Hosts: []record.Host{{Cores: 4, Link: "eth0", LinkNs: 95 * second / 10}}}, "link", "eth0 of this host was 95% used"},
		{"softirq of one processor", record.Generator{Hosts: []record.Host{{Cores: 4, SoftMostNs: 9 * second}}}, "kernel (softirq)", "a processor of this host was in it 90% of the time"},
	} {
		test.rec.Ms = 10_000
		if got, evidence := bottleneck(&test.rec); got != test.want || evidence != test.evidence {
			t.Errorf("%s: %s (%s), want %s (%s)", test.name, got, evidence, test.want, test.evidence)
		}
	}
}

// The figures of the judgement are of the busiest host, and "–" or "not measured" where
// there are none.
func TestMeasuresOfTheGenerator(t *testing.T) {
	t.Parallel()
	r := &Result{watched: &record.Generator{
		Ms: 2000, ServerCPUNs: 3e9, ClientCPUNs: 4e9, CoordinatorCPUNs: 1e9, ClientMostNs: 1e9,
		Hosts: []record.Host{{Cores: 2, BusyNs: 1e9}, {Cores: 2, BusyNs: 3e9}, {Cores: 2, BusyNs: 2e9}},
	}}
	g, err := r.generator(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "late sends p99 –, lag of event loops p99 –, processors busy 75%, CPU in cores: clients 2.50, server 1.50"; g.Measures() != want {
		t.Errorf("measures %q, want %q", g.Measures(), want)
	}
	if g.BusiestCores == nil || *g.BusiestCores != 0.5 {
		t.Errorf("the busiest process used %v cores, want 0.5", show(g.BusiestCores, threeDigits))
	}
	empty := Generator{LateMs: &Percentiles{P99: 1.5}, LagMs: &Percentiles{P99: 2.5}}
	if want := "late sends p99 1.50 ms, lag of event loops p99 2.50 ms, processors busy not measured, CPU in cores: clients not measured, server not measured"; empty.Measures() != want {
		t.Errorf("measures %q, want %q", empty.Measures(), want)
	}
	for name, rec := range map[string]*record.Generator{"not watched": nil, "watched for no time": {}} {
		if g, err := (&Result{watched: rec}).generator(nil); g != nil || err != nil {
			t.Errorf("a generator that was %s is judged: %v, %v", name, g, err)
		}
	}
}

// A table for a terminal keeps its columns below each other, and its lines within 80.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		write func(*table)
		want  string
	}{
		{"cells to the right", func(t *table) { t.row("label", "1", "22", "333") }, "label" + strings.Repeat(" ", 21) + "1           22          333\n"},
		{"a long label takes of the first cell", func(t *table) { t.row("a label of twenty-two.", "1") }, "a label of twenty-two.    1\n"},
		{"a cell that would touch its label", func(t *table) { t.row("a label of twenty-two.", "12345") }, "a label of twenty-two. 12345\n"},
		{"no cells", func(t *table) { t.row("label") }, "label\n"},
		{"µ is one column", func(t *table) { t.row("", "1 µs", "2 ms") }, strings.Repeat(" ", 23) + "1 µs         2 ms\n"},
		{"a sentence that fits", func(t *table) { t.wrapped("- ", strings.Repeat("x", 78)) }, "- " + strings.Repeat("x", 78) + "\n"},
		{"one that does not", func(t *table) { t.wrapped("- ", strings.Repeat("x", 77)+" y") }, "- " + strings.Repeat("x", 77) + "\n  y\n"},
		{"a word too long for a line", func(t *table) { t.wrapped("", "a "+strings.Repeat("x", 90)+" b") }, "a\n" + strings.Repeat("x", 90) + "\nb\n"},
		{"no words", func(t *table) { t.wrapped("- ", " ") }, "- \n"},
		{"a block with a long label", func(t *table) {
			t.blocks(block{Title: "steps", Columns: []string{"ok"}, Rows: []blockRow{{"  a step of a name of some length: reply", []string{"7"}}}, Note: "read it."})
		}, "steps" + strings.Repeat(" ", 20) + "ok\n  a step of a name of some length: reply\n" + strings.Repeat(" ", 26) + "7\n  read it.\n"},
	} {
		var got table
		test.write(&got)
		if got.String() != test.want {
			t.Errorf("%s:\n%q, want\n%q", test.name, got.String(), test.want)
		}
	}
}

// Settings are shown as people write them.
func TestOption(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		value any
		want  record.Setting
	}{
		{"late_ns", 1e10, record.Setting{Name: "late", Value: "10s"}},
		{"late_ns", "soon", record.Setting{Name: "late_ns", Value: "soon"}},
		{"rate", 2.5, record.Setting{Name: "rate", Value: "2.5"}},
		{"size", 1e6, record.Setting{Name: "size", Value: "1000000"}},
		{"event", "new_msg", record.Setting{Name: "event", Value: "new_msg"}},
		{"slo", []any{"p99<1s"}, record.Setting{Name: "slo", Value: `["p99<1s"]`}},
		{"force", true, record.Setting{Name: "force", Value: "true"}},
		{"odd", func() {}, record.Setting{Name: "odd"}}, // no JSON: shown by its type or address
	} {
		got := option(test.name, test.value)
		if test.want.Value == "" {
			test.want.Value = got.Value
		}
		if got != test.want || got.Value == "" {
			t.Errorf("option(%s, %v) = %+v, want %+v", test.name, test.value, got, test.want)
		}
	}
	for name, want := range map[string]string{"": "[]", "plain": "[plain]", "a.b_c": "[a. b_ c]", "_a.": "[_ a.]"} {
		if got := fmt.Sprint(breakable(name)); got != want {
			t.Errorf("breakable(%q) = %s, want %s", name, got, want)
		}
	}
}
