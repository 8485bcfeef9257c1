package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// watched is a generator that idles for ten seconds beside a server on two cores.
func watched(t *testing.T) *record.Generator {
	t.Helper()
	const s = int64(1e9)
	return &record.Generator{
		Ms: 10_000, Late: histogram(t, slices.Repeat([]int64{200}, 1000)...), Lag: histogram(t, slices.Repeat([]int64{500}, 1000)...),
		ServerCPUNs: 2 * s, ClientCPUNs: 2 * s, ClientMostNs: 2 * s, CoordinatorCPUNs: s / 10,
		Hosts: []record.Host{{Cores: 2, BusyNs: 6 * s, SoftNs: s, SoftMostNs: s / 2}},
	}
}

// tail is a thousand values of which one in twenty is high.
func tail(t *testing.T, us int64) []byte {
	t.Helper()
	return histogram(t, slices.Concat(slices.Repeat([]int64{100}, 950), slices.Repeat([]int64{us}, 50))...)
}

func TestGeneratorIsJudged(t *testing.T) {
	t.Parallel()
	const s = int64(1e9)
	for _, test := range []struct {
		name       string
		latencyUs  int64 // nearly all of the run's
		but        func(*record.Generator)
		suspect    string // a part of why; "" if it is ok
		bottleneck string
	}{
		{"it idles", 1000, func(*record.Generator) {}, "", "none: waiting"},
		{"late sends", 1000, func(g *record.Generator) { g.Late = tail(t, 30_000) }, "one send in a hundred was 30.0 ms late or more", "none: waiting"},
		{"sends of a twentieth of the latency late", 600_000, func(g *record.Generator) { g.Late = tail(t, 30_000) }, "", "none: waiting"},
		{"a loop that lags", 30_000, func(g *record.Generator) { g.Lag = tail(t, 25_000) }, "event loops kept connections waiting, 1% of the time 25.0 ms or more", "none: waiting"},
		{"a slow server", 3_000_000, func(g *record.Generator) { g.ServerCPUNs = 10 * s; g.Hosts[0].BusyNs = 14 * s }, "", "none: waiting"},
		{"a server that takes all", 3_000_000, func(g *record.Generator) { g.ServerCPUNs = 16 * s; g.Hosts[0].BusyNs = 20 * s }, "processors of this host were 100% busy", "server CPU"},
		{"clients that take all", 1000, func(g *record.Generator) { g.ClientCPUNs = 15 * s; g.ClientMostNs = 8 * s; g.Hosts[0].BusyNs = 19 * s }, "95% busy", "client CPU"},
		{"one process at its limit", 1000, func(g *record.Generator) { g.ClientMostNs, g.ClientCPUNs = 95*s/10, 95*s/10 }, "used 95% of a processor, and has one event loop", "client CPU"},
		{"other programs", 1000, func(g *record.Generator) { g.Hosts[0].BusyNs = 20 * s }, "100% busy", "other programs"},
		{"other guests", 1000, func(g *record.Generator) { g.Hosts[0].StolenNs = 2 * s }, "other guests of the machine took from this host 10%", "none: waiting"},
		{"other guests take most", 1000, func(g *record.Generator) { g.Hosts[0].BusyNs, g.Hosts[0].StolenNs = 20*s, 14*s }, "", "other guests"},
		{"packets on one processor", 1000, func(g *record.Generator) { g.Hosts[0].SoftMostNs = 9 * s }, "90% in softirq", "kernel (softirq)"},
		{"packets on all", 1000, func(g *record.Generator) { g.Hosts[0].BusyNs, g.Hosts[0].SoftNs = 20*s, 14*s }, "100% busy", "kernel (softirq)"},
		{"memory", 1000, func(g *record.Generator) { g.Hosts[0].ShortNs = 2 * s }, "waited for memory 20%", "memory"},
		{"link", 1000, func(g *record.Generator) { g.Hosts[0].Link, g.Hosts[0].LinkNs = "eth0", 96*s/10 }, "link of this host was 96% used", "link"},
		{"a virtual link that drops", 1000, func(g *record.Generator) { g.LinkDropped = 3 }, "packets between servers and clients were dropped: 3", "none: waiting"},
		{"a virtual link that is late", 1000, func(g *record.Generator) { g.LinkRepeated = 4 }, "servers had to retransmit segments that clients acknowledged too late: 4", "none: waiting"},
		{"a virtual link that loses", 1000, func(g *record.Generator) { g.LinkResent = 2 }, "clients had to retransmit segments: 2", "none: waiting"},
		{"an agent", 1000, func(g *record.Generator) {
			g.Hosts = append(g.Hosts, record.Host{Name: "10.0.0.7:7000", Cores: 1, BusyNs: 10 * s})
		}, "processors of 10.0.0.7:7000 were 100% busy", "client CPU"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := watched(t)
			test.but(g)
			records := append(without(fixture(t), func(r record.Record) bool { return r.End != nil }), record.Record{Generator: g})
			for _, r := range fixture(t) {
				if r.End != nil {
					end := *r.End
					end.Latency = histogram(t, slices.Repeat([]int64{test.latencyUs}, 1000)...)
					records = append(records, record.Record{End: &end})
				}
			}
			r := newResult(t, records)
			got := r.Summary.Generator
			if got == nil {
				t.Fatal("no judgement")
			}
			if because := strings.Join(got.Because, "; "); got.OK != (test.suspect == "") && test.name != "other guests take most" || !strings.Contains(because, test.suspect) {
				t.Errorf("%s, want suspect because of %q", got, test.suspect)
			}
			if got.Bottleneck != test.bottleneck {
				t.Errorf("bottleneck %s (%s), want %s", got.Bottleneck, got.Evidence, test.bottleneck)
			}
			if ok, reasons := report.Verdict(r.Summary); !ok {
				t.Errorf("verdict %q: a generator that is suspect is no fault of the server", reasons)
			}
		})
	}
}

// The judgement is in all that is made of a run, and survives its JSON.
func TestGeneratorIsReported(t *testing.T) {
	t.Parallel()
	g := watched(t)
	g.Late = tail(t, 3_000_000)
	r := newResult(t, append(fixture(t), record.Record{Generator: g}))
	var text, page, doc bytes.Buffer
	if r.WriteText(&text) != nil || r.WriteHTML(&page) != nil || r.WriteJSON(&doc) != nil {
		t.Fatal("cannot write the report")
	}
	again, err := report.ReadJSON(&doc)
	if err != nil || again.Summary.Generator == nil || again.Summary.Generator.String() != r.Summary.Generator.String() {
		t.Errorf("JSON: %v, %+v, want %s", err, again.Summary.Generator, r.Summary.Generator)
	}
	for name, in := range map[string]string{"text": text.String(), "page": page.String()} {
		in = strings.Join(strings.Fields(in), " ")
		for _, want := range []string{"generator: suspect, because one send in a hundred was 3.00 s late or more", "bottleneck: none: waiting (the processors were at most 30% busy)"} {
			if !strings.Contains(in, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
	}
	for line := range strings.Lines(text.String()) {
		if len([]rune(line)) > 81 && !strings.HasPrefix(line, "warn") {
			t.Errorf("line of %d columns: %s", len([]rune(line)), line)
		}
	}
}

// A server elsewhere may be bound by what nobody here sees.
func TestBottleneckElsewhere(t *testing.T) {
	t.Parallel()
	g := watched(t)
	g.ServerCPUNs, g.ServerElsewhere = 0, true
	r := newResult(t, append(fixture(t), record.Record{Generator: g}))
	if got := r.Summary.Generator; got.Bottleneck != "none: waiting" || !strings.Contains(got.Evidence, "cannot be seen from here") {
		t.Errorf("bottleneck %s (%s), want one that does not claim to know the server's host", got.Bottleneck, got.Evidence)
	}
	bad := watched(t)
	bad.Lag = []byte("no histogram")
	if _, err := report.New([]record.Record{{Generator: bad}}); err == nil {
		t.Error("a histogram that cannot be read is no error")
	}
}
