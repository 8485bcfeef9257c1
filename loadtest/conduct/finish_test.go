package conduct

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// gathering is a run of some processes that say nothing by themselves, and what
// it noted.
func gathering(t *testing.T, processes int) (r *run, notes *[]string) {
	t.Helper()
	notes = new([]string)
	r = newRun(plan.Config{}, plan.Plan{Rooms: []int{10 * processes}, Writers: 1, Messages: 10}, nil, func(rec record.Record) {
		if rec.Note != nil {
			*notes = append(*notes, rec.Note.Message)
		}
	})
	t.Cleanup(r.seconds.Stop)
	for n := range processes {
		r.workers = append(r.workers, &worker{number: n, process: here{io.NopCloser(nil)}, joined: map[int]int64{0: 10}})
		r.rooms[0].joined += 10
	}
	return r, notes
}

// Whatever dies at the end of a run, the others are waited for; who hangs is not
// waited for twice.
func TestEndWaitsForWhoLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, endWaitsForWhoLives)
}

func endWaitsForWhoLives(t *testing.T) {
	r, notes := gathering(t, 4)
	c := closing{run: r}
	go func() { // await reads all of it
		r.died <- errors.New("server process 0")
		r.inbox <- letter{from: r.workers[0], err: io.EOF}
		r.died <- errors.New("server process 1")
		r.inbox <- letter{from: r.workers[1], err: io.EOF}
		r.inbox <- letter{from: r.workers[2], event: order.Event{Halted: &order.Halted{}}}
	}()
	const limit = 300 * time.Millisecond
	err := c.await(limit, (*worker).quiet)
	text := strings.Join(*notes, "\n")
	for _, want := range []string{"server process 0", "server process 1", "they ended by themselves", "client process 3 hangs"} {
		if !strings.Contains(text, want) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("await() = %v, notes:\n%s\nwant %q in both", err, text, want)
		}
	}
	if r.workers[2].halted == nil || r.workers[2].hung || !r.workers[3].hung {
		t.Errorf("processes 2 and 3 hang: %t and %t, want only 3", r.workers[2].hung, r.workers[3].hung)
	}
	r.workers[2].totals = &order.Totals{}
	if err := c.await(time.Hour, (*worker).ended); err != nil {
		t.Errorf("await() = %v, want nil: the others are dead or hang", err)
	}
}

// What a process received that gave no account is neither expected nor lost.
func TestEndWithoutAnAccount(t *testing.T) {
	t.Parallel()
	r, notes := gathering(t, 3)
	r.rooms[0].sent[0] = 7
	h := order.NewHistogram(3)
	order.Observe(h, 1)
	r.workers[0].totals = &order.Totals{Counts: order.Counts{Delivered: 69, Late: 1}, Lost: 1, Latency: order.Encode(h)}
	r.workers[1].totals = &order.Totals{Counts: order.Counts{Delivered: 70}}
	r.workers[2].gone, r.workers[2].progress = true, order.Counts{Joined: 10, Delivered: 35, Late: 9}
	end, err := closing{run: r}.end()
	if err != nil {
		t.Fatalf("end() = %v", err)
	}
	if end.Expected != 140 || end.Delivered != 139 || end.Lost != 1 || end.Late != 1 || end.Latency == nil {
		t.Errorf("expected %d, delivered %d, lost %d, late %d, want 140, 139, 1, 1 and their latency", end.Expected, end.Delivered, end.Lost, end.Late)
	}
	if want := "client process 2 did not report on its 10 clients"; !strings.Contains(strings.Join(*notes, "\n"), want) {
		t.Errorf("notes %q, want %q in one", *notes, want)
	}
}

// Of a writer that died, the others know what it sent last.
func TestEndBelievesReceivers(t *testing.T) {
	t.Parallel()
	r, _ := gathering(t, 2)
	r.rooms[0].sent[0] = 7
	var latency order.Sample
	latency.Add(1)
	r.received(&order.Receipts{Seq: 9, Latency: latency})
	closing{run: r}.believeReceivers()
	if got := r.rooms[0].sent[0]; got != 9 {
		t.Errorf("%d messages sent, want 9: somebody has received it", got)
	}
}

// A coordinator that stood still for longer than nothing may arrive has silence behind
// it, but not of those who wrote to it meanwhile.
func TestSilenceIsOfWhoWrites(t *testing.T) {
	t.Parallel()
	r, _ := gathering(t, 1)
	r.cfg.Drain = time.Minute
	r.lastArrival = order.Now() - int64(time.Hour)
	for _, delivered := range []int64{1, 100} { // of 100
		r.inbox <- letter{from: r.workers[0], event: order.Event{Progress: &order.Progress{
			Counts: order.Counts{Delivered: delivered}, Latency: order.Encode(order.NewHistogram(2)),
		}}}
	}
	if err := r.until(t.Context(), r.allArrived); err != nil {
		t.Fatal(err)
	}
	if got := r.counts().Delivered; got != 100 {
		t.Errorf("%d receipts were taken, want 100: the others had come", got)
	}
}

// What went wrong between servers and clients is that of all processes, as each has told
// it last.
func TestLinkIsOfAllProcesses(t *testing.T) {
	t.Parallel()
	r, _ := gathering(t, 2)
	r.strain = strain{late: order.NewHistogram(3), lag: order.NewHistogram(3), before: r.read()}
	for _, told := range []struct {
		process int
		link    order.Link
	}{{0, order.Link{Dropped: 1}}, {1, order.Link{Dropped: 3, Resent: 5}}, {0, order.Link{Dropped: 2, Repeated: 7}}} {
		p := order.Progress{Latency: order.Encode(order.NewHistogram(2))}
		p.Strain.Link = told.link
		if err := r.advance(r.workers[told.process], &p); err != nil {
			t.Fatal(err)
		}
	}
	if g := r.strained(); g.LinkDropped != 5 || g.LinkResent != 5 || g.LinkRepeated != 7 {
		t.Errorf("dropped %d, resent %d, repeated %d, want 5, 5 and 7", g.LinkDropped, g.LinkResent, g.LinkRepeated)
	}
}
