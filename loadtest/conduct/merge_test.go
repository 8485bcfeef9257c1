package conduct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// However the processes' letters come in, each broadcast is recorded once, with the
// receipts of all of them.
func TestBroadcastsOfManyProcesses(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(21, 22))
	for range 50 {
		processes, writers, messages := 1+random.IntN(5), 1+random.IntN(3), 1+random.IntN(4)
		recorded := make(map[place][]record.Broadcast)
		r := newRun(plan.Config{}.Complete(), plan.Plan{Rooms: []int{100}, Writers: writers, Messages: messages}, nil, func(rec record.Record) {
			if b := rec.Broadcast; b != nil {
				at := place{b.Writer, int(b.Seq)}
				recorded[at] = append(recorded[at], *b)
			}
		})
		r.casting.schedule = order.Schedule{Pace: order.Pacer{Start: r.start, Interval: 1e9}, Rooms: 1, Writers: writers}
		var letters []order.Event
		want := make(map[place]order.Sample)
		first, last := make(map[place]int64), make(map[place]int64)
		joined := int64(0)
		for range processes {
			n := int64(1 + random.IntN(200)) // clients: few are listed, many are a histogram
			joined += n
			r.ramped(&worker{}, &order.Ramped{Joined: map[int]int64{0: n}, Groups: map[int]int{0: 1}})
			for writer := range writers {
				for seq := 1; seq <= messages; seq++ {
					at := place{writer, seq}
					var s order.Sample
					f, l := int64(1<<62), int64(0)
					for range n {
						ns := random.Int64N(1e9)
						s.Add(ns)
						f, l = min(f, ns), max(l, ns)
					}
					sum := want[at]
					sum.Merge(s)
					want[at] = sum
					if first[at] == 0 || f < first[at] {
						first[at] = f
					}
					last[at] = max(last[at], l)
					letters = append(letters, order.Event{Receipts: &order.Receipts{Voice: order.Voice{Writer: writer}, Seq: seq, First: f, Last: l, Latency: s}})
				}
			}
		}
		for writer := range writers {
			for seq := 1; seq <= messages; seq++ {
				letters = append(letters, order.Event{Sent: &order.Sent{Voice: order.Voice{Writer: writer}, Seq: seq, Late: int64(seq) * 1000}})
			}
		}
		random.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
		w := &worker{}
		for _, e := range letters {
			if err := r.open(letter{from: w, event: e}); err != nil {
				t.Fatal(err)
			}
		}
		r.seconds.Stop()
		if len(recorded) != writers*messages {
			t.Fatalf("%d broadcasts are recorded, want %d", len(recorded), writers*messages)
		}
		for at, all := range recorded {
			b, sum := all[0], want[at]
			if len(all) != 1 || b.Expected != joined || b.Delivered != joined || b.SendLateUs != int64(at.seq) {
				t.Fatalf("broadcast %v: %+v, want one of %d receipts, sent %d µs late", at, all, joined, at.seq)
			}
			if b.FirstUs != first[at]/1000 || b.LastUs != last[at]/1000 || b.P50Us != sum.Percentile(50) || b.P99Us != sum.Percentile(99) {
				t.Fatalf("broadcast %v: %+v, want %d to %d µs, median %d", at, b, first[at]/1000, last[at]/1000, sum.Percentile(50))
			}
		}
	}
}

// Receipts that come when nobody waits for them any more change no record.
func TestReceiptsAfterTheirRecord(t *testing.T) {
	t.Parallel()
	records := 0
	r := newRun(plan.Config{}.Complete(), plan.Plan{Rooms: []int{1}, Writers: 1, Messages: 1}, nil, func(rec record.Record) {
		if rec.Broadcast != nil {
			records++
		}
	})
	defer r.seconds.Stop()
	r.casting.schedule = order.Schedule{Pace: order.Pacer{Start: r.start, Interval: 1e9}, Rooms: 1, Writers: 1}
	r.ramped(&worker{}, &order.Ramped{Joined: map[int]int64{0: 1}, Groups: map[int]int{0: 1}})
	var s order.Sample
	s.Add(1000)
	for range 3 {
		for _, e := range []order.Event{{Sent: &order.Sent{Seq: 1}}, {Receipts: &order.Receipts{Seq: 1, Latency: s}}} {
			if e.Sent != nil && records > 0 {
				continue
			}
			if err := r.open(letter{from: &worker{}, event: e}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if records != 1 {
		t.Errorf("%d records of one broadcast", records)
	}
}

// The strain of all processes is one account: latencies are put together, CPU time
// is summed, and the busiest is found. What there was before the scenario played is
// not in it.
func TestStrainOfManyProcesses(t *testing.T) {
	t.Parallel()
	var got *record.Generator
	r := newRun(plan.Config{}.Complete(), plan.Plan{Rooms: []int{1}}, nil, func(rec record.Record) {
		if rec.Generator != nil {
			got = rec.Generator
		}
	})
	defer r.seconds.Stop()
	const ms = int64(1e6)
	tell := func(w *worker, late, cpu int64) {
		var s order.Sample
		s.Add(late)
		err := r.advance(w, &order.Progress{
			Usage:  order.Usage{CPUNs: cpu},
			Strain: order.Strain{Late: s, Lag: s, WaitNs: cpu / 2, Host: order.Host{Cores: 2, BusyNs: 10 * cpu, SoftNs: []int64{cpu, 2 * cpu}, LinkNs: map[string]int64{"eth0": cpu}}},
			At:     order.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	dead := func(number int) *worker { // so nobody is asked
		return &worker{number: number, process: here{io.NopCloser(nil)}, gone: true, hung: true}
	}
	workers := []*worker{dead(0), dead(1)}
	r.workers = workers
	tell(workers[0], 900*ms, 100*ms)
	tell(workers[1], 900*ms, 100*ms)
	failed := errors.New("cut short")
	err := r.watched(t.Context(), func(context.Context) error {
		tell(workers[0], 1*ms, 110*ms)
		tell(workers[1], 3*ms, 150*ms)
		if r.strain.lateMost != 3000 || r.strain.lagMost != 3000 {
			t.Errorf("the worst since the last tick is %d and %d µs, want 3000", r.strain.lateMost, r.strain.lagMost)
		}
		r.tick()
		if r.ticked.LateUs != 3000 || r.strain.lateMost != 0 {
			t.Errorf("the tick has %d µs, and %d remain, want 3000 and none", r.ticked.LateUs, r.strain.lateMost)
		}
		return failed
	})
	if !errors.Is(err, failed) || got == nil {
		t.Fatalf("watched = %v with %+v, want the error of the scenario, and an account all the same", err, got)
	}
	late := order.NewHistogram(3)
	if err := order.Merge(late, got.Late); err != nil || late.TotalCount() != 2 || late.Max() < 2990 || late.Max() > 3010 {
		t.Errorf("late sends %d up to %d µs (%v), want two up to 3000", late.TotalCount(), late.Max(), err)
	}
	if got.ClientCPUNs != 60*ms || got.ClientMostNs != 50*ms || got.ClientWaitNs != 30*ms {
		t.Errorf("clients took %d, the busiest %d, and waited %d, want 60, 50 and 30 ms", got.ClientCPUNs, got.ClientMostNs, got.ClientWaitNs)
	}
	host := record.Host{Cores: 2, BusyNs: 100 * ms, SoftNs: 30 * ms, SoftMostNs: 20 * ms, Link: "eth0", LinkNs: 10 * ms}
	if len(got.Hosts) != 1 || got.Hosts[0] != host {
		t.Errorf("hosts %+v, want %+v: that of the first process", got.Hosts, host)
	}
	tell(workers[0], 500*ms, 200*ms)
	if r.strain.lateMost != 0 {
		t.Error("what came after the scenario counts")
	}
}

// An edge is the sum of what all told at that moment, and of who is gone what it
// told last.
func TestEdgeIsASum(t *testing.T) {
	t.Parallel()
	r := newRun(plan.Config{}.Complete(), plan.Plan{Rooms: []int{1}}, nil, func(record.Record) {})
	defer r.seconds.Stop()
	r.workers = []*worker{
		{progress: order.Counts{Sent: 1, Errors: map[string]int64{"x": 1}}, gone: true},
		{progress: order.Counts{Sent: 10}, answer: &order.Progress{Counts: order.Counts{Sent: 20, Errors: map[string]int64{"x": 2}}, At: 1100}},
		{progress: order.Counts{Sent: 100}, answer: &order.Progress{Counts: order.Counts{Sent: 200}, At: 1300}},
	}
	e := r.answers(1000)
	if e.Sent != 221 || e.Errors["x"] != 3 || e.moment != 1200 {
		t.Errorf("edge %+v, want 221 sent with 3 errors at 1200", e)
	}
	for _, w := range r.workers {
		w.answer = nil
	}
	if e := r.answers(1000); e.Sent != 111 || e.moment != 1000 {
		t.Errorf("an edge that nobody answers is %+v, want what was told last, at the moment of asking", e)
	}
}

// What a process of clients told is taken for what it is, and what is no letter of
// one ends the run.
func TestLettersThatAreNone(t *testing.T) {
	t.Parallel()
	r := newRun(plan.Config{}.Complete(), plan.Plan{Rooms: []int{1}, Writers: 1, Messages: 1}, nil, func(record.Record) {})
	defer r.seconds.Stop()
	w := &worker{number: 4}
	if err := r.open(letter{from: w, err: errors.New("no JSON")}); err == nil || !strings.Contains(err.Error(), "client process 4: no JSON") || !w.gone {
		t.Errorf("a letter that cannot be read = %v, gone %v, want an error that names the process", err, w.gone)
	}
	w = &worker{totals: new(order.Totals)}
	if err := r.open(letter{from: w, err: errors.New("EOF")}); err != nil || !w.gone {
		t.Errorf("the end after the totals = %v, want none", err)
	}
	if err := r.open(letter{from: w, event: order.Event{Progress: &order.Progress{Latency: []byte("no histogram")}}}); err == nil {
		t.Error("a histogram that is none is no error")
	}
	var names []string
	for name, event := range map[string]order.Event{
		"collected": {Collected: &order.Usage{RSS: 5}}, "halted": {Halted: &order.Halted{}}, "totals": {Totals: &order.Totals{Counts: order.Counts{Sent: 3}}}, "nothing": {},
	} {
		w := &worker{}
		if err := r.open(letter{from: w, event: event}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if w.collected || w.halted != nil || w.totals != nil {
			names = append(names, fmt.Sprintf("%s %v %v", name, w.quiet(), w.ended()))
		}
	}
	slices.Sort(names)
	if want := []string{"collected false false", "halted true false", "totals false true"}; !slices.Equal(names, want) {
		t.Errorf("letters taken: %q, want %q", names, want)
	}
}
