package order_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// What a host has done since is the difference, and never below nothing: a processor
// or an interface may have come or gone, and counters begin anew.
func TestHostSince(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name             string
		was, is, between order.Host
	}{
		{"nothing", order.Host{}, order.Host{}, order.Host{}},
		{
			"all of it",
			order.Host{Cores: 2, BusyNs: 10, StolenNs: 1, WaitNs: 5, ShortNs: 2, SoftNs: []int64{3, 4}, LinkNs: map[string]int64{"eth0": 7}},
			order.Host{Cores: 2, BusyNs: 30, StolenNs: 4, WaitNs: 9, ShortNs: 3, SoftNs: []int64{5, 4}, LinkNs: map[string]int64{"eth0": 17}},
			order.Host{Cores: 2, BusyNs: 20, StolenNs: 3, WaitNs: 4, ShortNs: 1, SoftNs: []int64{2, 0}, LinkNs: map[string]int64{"eth0": 10}},
		},
		{
			"counters that began anew",
			order.Host{Cores: 1, BusyNs: 10, StolenNs: 10, WaitNs: 10, ShortNs: 10, SoftNs: []int64{10}, LinkNs: map[string]int64{"lo": 10}},
			order.Host{Cores: 1, BusyNs: 1, StolenNs: 1, WaitNs: 1, ShortNs: 1, SoftNs: []int64{1}, LinkNs: map[string]int64{"lo": 1}},
			order.Host{Cores: 1, SoftNs: []int64{0}, LinkNs: map[string]int64{"lo": 0}},
		},
		{
			"a processor and an interface that came: of neither is known what it did before",
			order.Host{Cores: 1, SoftNs: []int64{1}, LinkNs: map[string]int64{"eth0": 1}},
			order.Host{Cores: 2, SoftNs: []int64{4, 5}, LinkNs: map[string]int64{"eth0": 3, "eth1": 9}},
			order.Host{Cores: 2, SoftNs: []int64{3, 0}, LinkNs: map[string]int64{"eth0": 2}},
		},
		{
			"a processor and an interface that went",
			order.Host{Cores: 2, SoftNs: []int64{1, 2}, LinkNs: map[string]int64{"eth0": 1, "eth1": 2}},
			order.Host{Cores: 1, SoftNs: []int64{3}, LinkNs: map[string]int64{"eth1": 3}},
			order.Host{Cores: 1, SoftNs: []int64{2}, LinkNs: map[string]int64{"eth1": 1}},
		},
	} {
		before, err := json.Marshal([]order.Host{test.was, test.is})
		if err != nil {
			t.Fatal(err)
		}
		got := test.is.Since(test.was)
		if test.between.SoftNs == nil {
			test.between.SoftNs = []int64{}
		}
		if test.between.LinkNs == nil {
			test.between.LinkNs = map[string]int64{}
		}
		if !reflect.DeepEqual(got, test.between) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.between)
		}
		if after, _ := json.Marshal([]order.Host{test.was, test.is}); string(after) != string(before) {
			t.Errorf("%s: the readings were changed", test.name)
		}
	}
}

// Many at once are as many one by one, whether a sample lists them or counts them.
func TestSampleAddMany(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		var once, each order.Sample
		for range random.IntN(8) {
			ns, times := random.Int64N(int64(time.Second)), random.Int64N(60)
			once.AddMany(ns, times)
			for range times {
				each.Add(ns)
			}
			if once.Count() != each.Count() {
				t.Fatalf("%d at once, %d one by one", once.Count(), each.Count())
			}
		}
		for _, percent := range []float64{1, 50, 99, 100} {
			if a, b := once.Percentile(percent), each.Percentile(percent); a-b > b/50+1 || b-a > b/50+1 {
				t.Fatalf("of %d the p%v is %d at once, %d one by one", once.Count(), percent, a, b)
			}
		}
	}
}

// What takes no time, or less, or too long to count, is counted all the same.
func TestSampleBounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		took time.Duration
		us   int64
	}{{-time.Hour, 0}, {0, 0}, {999, 0}, {1000, 1}, {time.Second, 1e6}, {10 * time.Minute, 600e6}, {time.Hour, 600e6}} {
		var few, many order.Sample
		few.Add(int64(test.took))
		many.AddMany(int64(test.took), 1000)
		if got := few.Percentile(50); got != test.us {
			t.Errorf("%v is %d µs, want %d", test.took, got, test.us)
		}
		if got := many.Percentile(50); got < test.us-test.us/100 || got > test.us+test.us/100 {
			t.Errorf("a thousand times %v is %d µs, want %d", test.took, got, test.us)
		}
		if few.Count() != 1 || many.Count() != 1000 {
			t.Errorf("%v: %d and %d, want 1 and 1,000", test.took, few.Count(), many.Count())
		}
	}
}

// Samples are put together whichever of them is long.
func TestSampleMerge(t *testing.T) {
	t.Parallel()
	sized := func(n int64) (s order.Sample) {
		for i := range n {
			s.Add((i + 1) * 1000)
		}
		return s
	}
	for _, n := range []int64{0, 1, 100, 128, 129, 300} {
		for _, m := range []int64{0, 1, 28, 29, 128, 300} {
			a, b := sized(n), sized(m)
			a.Merge(b)
			if a.Count() != n+m || b.Count() != m {
				t.Errorf("%d and %d are %d, of which the second has %d still", n, m, a.Count(), b.Count())
			}
			if most := max(n, m); a.Percentile(100) < most-most/50 || a.Percentile(100) > most+most/50 {
				t.Errorf("%d and %d: the longest is %d µs", n, m, a.Percentile(100))
			}
		}
	}
}

func TestUsageAdd(t *testing.T) {
	t.Parallel()
	u := order.Usage{RSS: 1, CPUNs: 10}
	u.Add(order.Usage{RSS: 2, CPUNs: 30})
	u.Add(order.Usage{})
	if want := (order.Usage{RSS: 3, CPUNs: 40}); u != want {
		t.Errorf("%+v, want %+v", u, want)
	}
}

// The first that was not understood is told of all processes.
func TestCountsKeepAnExample(t *testing.T) {
	t.Parallel()
	var sum order.Counts
	for _, odd := range []string{"", "first", "second", ""} {
		sum.Add(order.Counts{Odd: odd, Unreadable: 1})
	}
	if sum.Odd != "first" || sum.Unreadable != 4 {
		t.Errorf("%d not understood, such as %q, want 4 and the first", sum.Unreadable, sum.Odd)
	}
}

func TestSpanLength(t *testing.T) {
	t.Parallel()
	for span, want := range map[order.Span]int64{{First: 1, Last: 1}: 1, {First: 3, Last: 7}: 5, {First: 1, Last: 0}: 0} {
		if got := span.Length(); got != want {
			t.Errorf("%+v is %d numbers, want %d", span, got, want)
		}
	}
}

// Loopback has 127.0.0.1 first, and addresses that differ, none of them the network's.
func TestLoopback(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "127.0.0.1", 1: "127.0.0.2", 254: "127.0.0.255", 255: "127.0.1.0", 65534: "127.0.255.255", 65535: "127.1.0.0", 1 << 20: "127.16.0.1"} {
		if got := order.Loopback(n); got != netip.MustParseAddr(want) || !got.IsLoopback() {
			t.Errorf("Loopback(%d) = %s, want %s", n, got, want)
		}
	}
}

// Sources are single addresses only if all of them are.
func TestSourcesSingle(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]bool{"10.0.0.7": true, "10.0.0.7,::1": true, "10.0.0.7/32": true, "10.0.0.0/30,10.0.0.7": false, "10.0.0.7,2001:db8::/127": false} {
		s, err := order.ParseSources(list)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Single(); got != want {
			t.Errorf("%s: single addresses %t, want %t", list, got, want)
		}
	}
	if !(order.Sources(nil)).Single() || order.Sources(nil).Count() != 0 {
		t.Error("no sources are prefixes")
	}
}

// Each address of sources is of one of them, and all are used before one is again.
func TestSourcesAreUsedByTurns(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"10.0.0.7", "10.0.0.0/29", "10.0.0.0/31,10.1.0.0/31", "2001:db8::/120", "10.0.0.1,10.0.0.2,10.0.0.3"} {
		s, err := order.ParseSources(list)
		if err != nil {
			t.Fatal(err)
		}
		used := make(map[netip.Addr]int)
		for n := range 2 * s.Count() {
			addr := s.Of(n)
			within := false
			for _, p := range s {
				within = within || p.Contains(addr)
			}
			if used[addr]++; !within {
				t.Fatalf("%s: client %d has %s", list, n, addr)
			}
		}
		if len(used) != s.Count() {
			t.Errorf("%s: %d addresses are used of %d", list, len(used), s.Count())
		}
		for addr, times := range used {
			if times != 2 {
				t.Errorf("%s: %s is used %d times in two turns", list, addr, times)
			}
		}
	}
}

// A pace never goes backwards, and keeps its rate over any number of things.
func TestPacerKeepsItsRate(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	for range 100 {
		rate := 0.1 + 10_000*random.Float64()
		p := order.NewPacer(500, rate)
		before := int64(0)
		for n := range 200 {
			if due := p.Due(n); due < before {
				t.Fatalf("at %v a second, thing %d is due before the one before", rate, n)
			} else {
				before = due
			}
		}
		if got, want := float64(p.Due(1000)-500)/1e9, 1000/rate; got < 0.999*want-1e-6 || got > 1.001*want {
			t.Errorf("at %v a second, 1,000 things take %v s, want %v", rate, got, want)
		}
	}
	for _, none := range []float64{0, -1} {
		if p := order.NewPacer(7, none); p.Interval != 0 || p.Due(1000) != 7 {
			t.Errorf("at %v a second, thing 1,000 is due at %d, want at once", none, p.Due(1000))
		}
	}
}

// Writers that take turns never meet, and each keeps its interval.
func TestScheduleGivesEachItsMoment(t *testing.T) {
	t.Parallel()
	for _, shape := range []struct{ rooms, writers int }{{1, 1}, {1, 5}, {4, 1}, {3, 7}} {
		s := order.Schedule{Pace: order.Pacer{Start: 1000, Interval: 1_000_000}, Rooms: shape.rooms, Writers: shape.writers}
		moments := make(map[int64]bool)
		for room := range shape.rooms {
			for writer := range shape.writers {
				p := s.Of(order.Voice{Room: room, Writer: writer})
				if p.Start < 1000 || p.Start >= 1000+1_000_000 || p.Interval != 1_000_000 {
					t.Errorf("%+v: writer %d of room %d begins at %d, every %d", shape, writer, room, p.Start, p.Interval)
				}
				moments[p.Start] = true
			}
		}
		if len(moments) != shape.rooms*shape.writers {
			t.Errorf("%+v: %d moments for %d writers", shape, len(moments), shape.rooms*shape.writers)
		}
	}
}
