package swarm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
)

// lastLook is how long nothing may arrive before a run that was cut short gives
// up what was under way.
const lastLook = time.Second

// finish closes all connections and records what came of it all. Expected are the
// messages that were sent: one that nobody could send is an error, and no loss.
func (r *run) finish(complete bool) error {
	r.phase = "close"
	// The kernel closes some 50,000 connections a second, a guest machine 4,000.
	limit := 2*patience + time.Duration(r.plan.Clients/4000)*time.Second
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("no totals after %s", limit))
	defer cancel()
	if len(r.ongoing) > 0 {
		e, _ := r.edge(ctx, inquiry{}) // of who does not answer, what it told last
		for _, a := range r.ongoing {
			a.overAt(e)
		}
	}
	err := r.halt(ctx, complete)
	for _, a := range slices.Clone(r.ongoing) {
		a.emit()
	}
	st := stop{Schedule: r.schedule}
	for i := range r.rooms {
		st.Sent = append(st.Sent, r.rooms[i].sent)
		st.Unsent = append(st.Unsent, r.rooms[i].unsent)
	}
	r.order(command{Stop: &st})
	err = errors.Join(err, r.until(ctx, func() bool { return all(r.workers, (*worker).ended) }))
	r.compareAgain(ctx)
	for i := range r.rooms {
		for _, at := range slices.SortedFunc(maps.Keys(r.rooms[i].messages), place.compare) {
			r.record(i, at)
		}
	}
	end, endErr := r.end(complete)
	if endErr != nil {
		return errors.Join(err, endErr)
	}
	for _, kind := range slices.Sorted(maps.Keys(end.Errors)) {
		r.note("warn", fmt.Sprintf("%s × %s", grouped(int(end.Errors[kind])), kind))
	}
	if end.Late > 0 {
		r.note("warn", fmt.Sprintf("%s receipts were later than %s", grouped(int(end.Late)), r.cfg.Late))
	}
	r.emit(record.Record{End: end})
	return err
}

// halt ends all writing, and settles what was sent.
func (r *run) halt(ctx context.Context, complete bool) error {
	err := r.quieten(ctx)
	if complete && r.cfg.Scenario.sends() {
		return err // the scenario has waited for what was under way
	}
	r.lastArrival = monotonic()
	silence := int64(max(lastLook, 2*r.plan.Report)) // who reports rarely may have more
	return errors.Join(err, r.until(ctx, func() bool {
		c := r.counts()
		return c.Delivered >= r.expected() && c.Replies >= c.Pings || monotonic() > r.lastArrival+silence
	}))
}

// quieten ends all that the clients do by themselves.
func (r *run) quieten(ctx context.Context) error {
	for _, w := range r.workers {
		w.halted = nil
	}
	r.order(command{Halt: true})
	return r.until(ctx, func() bool { return all(r.workers, (*worker).quiet) })
}

// order tells all workers. That one is dead is found by reading from it.
func (r *run) order(c command) {
	for _, w := range r.workers {
		_ = w.tell(c)
	}
}

// maxNamed is how many clients with a loss are named in all.
const maxNamed = 20

// end adds up the totals.
func (r *run) end(complete bool) (*record.End, error) {
	latency, raw, join := newHistogram(3), newHistogram(3), newHistogram(3)
	e := &record.End{
		AtMs:         r.since(monotonic()),
		Interrupted:  !complete,
		Clients:      int64(r.plan.Clients),
		ConnectMs:    ms(r.lastJoin - r.firstDial),
		ConnectCPUNs: r.connectCPU,
		BroadcastCPU: r.castCPU,
		ServerProcs:  len(r.servers),
		ClientProcs:  len(r.workers),
	}
	var lastReceipt int64
	silent := false // a process whose account is not complete
	for _, w := range r.workers {
		t := w.totals
		if t == nil {
			silent = true
			continue
		}
		e.Lost += t.Lost
		e.Away += t.Away
		e.LostExamples = append(e.LostExamples, t.Examples...)
		lastReceipt = max(lastReceipt, t.LastReceipt)
		for _, h := range []struct {
			sum  *hdrhistogram.Histogram
			part []byte
		}{{latency, t.Latency}, {raw, t.Raw}, {join, t.Join}} {
			if err := merge(h.sum, h.part); err != nil {
				return nil, fmt.Errorf("client process %d: %w", w.number, err)
			}
		}
	}
	c := r.counts()
	if n := r.untried(c); complete && n > 0 {
		c.fault("no time left to write", n)
	}
	e.Joined, e.Delivered, e.Duplicated, e.Reordered, e.Errors = c.Joined, c.Delivered, c.Duplicated, c.Reordered, c.Errors
	e.Expected = r.expected() - e.Away
	if silent {
		e.Lost = max(e.Lost, e.Expected-e.Delivered)
	}
	e.LostExamples = e.LostExamples[:min(len(e.LostExamples), maxNamed)]
	e.Late = c.Late
	e.BroadcastMs = ms(lastReceipt - r.schedule.Pace.Start)
	e.Latency, e.RawLatency, e.JoinLatency = encode(latency), encode(raw), encode(join)
	return e, nil
}
