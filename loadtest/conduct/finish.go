package conduct

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

// lastLook is how long nothing may arrive before a run that was cut short gives
// up what was under way.
const lastLook = time.Second

// lastPatience is how long a process has to answer at the end of a run, before
// the run ends without it.
const lastPatience = proc.Patience / 2

// finish closes all connections and records what came of it all. Expected are the
// messages that were sent: one that nobody could send is an error, and no loss.
// Who dies or hangs meanwhile takes nothing from the account of the others.
func (r *run) finish(complete bool) error {
	r.enter("close")
	var err error
	if len(r.ongoing) > 0 {
		asked := r.ask(order.Inquiry{Last: true})
		err = r.await(lastPatience, (*worker).reported)
		e := r.answers(asked)
		for _, a := range r.ongoing {
			a.overAt(e)
		}
	}
	err = errors.Join(err, r.halt(complete))
	for _, a := range slices.Clone(r.ongoing) {
		a.emit()
	}
	st := order.Stop{Schedule: r.schedule}
	for i := range r.rooms {
		st.Sent = append(st.Sent, r.rooms[i].sent)
		st.Unsent = append(st.Unsent, r.rooms[i].unsent)
	}
	r.order(order.Command{Stop: &st})
	// The kernel closes some 50,000 connections a second, a guest machine 4,000.
	err = errors.Join(err, r.await(proc.Patience+time.Duration(r.plan.Clients/4000)*time.Second, (*worker).ended))
	r.compareAgain(context.Background())
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
		r.note("warn", fmt.Sprintf("%s × %s", kernel.Count(end.Errors[kind]), kind))
	}
	if end.Late > 0 {
		r.note("warn", fmt.Sprintf("%s receipts were later than %s", kernel.Count(end.Late), r.cfg.Late))
	}
	r.tick()
	r.emit(record.Record{End: end})
	return err
}

// halt ends all writing, and settles what was sent.
func (r *run) halt(complete bool) error {
	r.silence()
	err := r.await(lastPatience, (*worker).quiet)
	if complete && r.cfg.Scenario.Sends() {
		return err // the scenario has waited for what was under way
	}
	r.lastArrival = order.Now()
	silence := int64(max(lastLook, 2*r.plan.Report)) // who reports rarely may have more
	ctx, cancel := context.WithTimeout(context.Background(), proc.Patience)
	defer cancel()
	err = errors.Join(err, r.outlive(ctx, func() bool {
		c := r.counts()
		return c.Delivered >= r.expected() && c.Replies >= c.Pings || order.Now() > r.lastArrival+silence
	}))
	r.believeReceivers()
	return err
}

// believeReceivers takes what somebody received for sent: a writer that died with
// its process may not have said so.
func (r *run) believeReceivers() {
	for i := range r.rooms {
		room := &r.rooms[i]
		for at := range room.messages {
			room.sent[at.writer] = max(room.sent[at.writer], at.seq)
		}
	}
}

// await waits for all processes that have not died. Who has not done it by then
// hangs, and nobody waits for it any more.
func (r *run) await(limit time.Duration, done func(*worker) bool) error {
	missing := func(w *worker) bool { return !done(w) && !w.gone && !w.hung }
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := r.outlive(ctx, func() bool { return count(r.workers, missing) == 0 })
	for _, w := range r.workers {
		if missing(w) {
			w.hung = true
			hangs := fmt.Errorf("client process %d hangs: it has not answered for %s", w.number, limit)
			r.note("error", hangs.Error())
			err = errors.Join(err, hangs)
		}
	}
	return err
}

// outlive is until for the end of a run: it notes what dies, and goes on. That
// ctx ends is no error.
func (r *run) outlive(ctx context.Context, done func() bool) (died error) {
	for {
		err := r.until(ctx, done)
		if err == nil || ctx.Err() != nil {
			return died
		}
		r.note("error", err.Error())
		died = errors.Join(died, err)
	}
}

// quieten ends all that the clients do by themselves.
func (r *run) quieten(ctx context.Context) error {
	r.silence()
	return r.until(ctx, func() bool { return all(r.workers, (*worker).quiet) })
}

func (r *run) silence() {
	for _, w := range r.workers {
		w.halted = nil
	}
	r.order(order.Command{Halt: true})
}

// order tells all workers. That one is dead is found by reading from it; one
// that hangs does not read, and would have us wait.
func (r *run) order(c order.Command) {
	for _, w := range r.workers {
		if !w.hung {
			_ = w.tell(c)
		}
	}
}

// maxNamed is how many clients with a loss are named in all.
const maxNamed = 20

// end adds up the totals.
func (r *run) end(complete bool) (*record.End, error) {
	latency, raw, join := order.NewHistogram(3), order.NewHistogram(3), order.NewHistogram(3)
	e := &record.End{
		AtMs:         r.since(order.Now()),
		Interrupted:  !complete,
		Clients:      int64(r.plan.Clients),
		ConnectMs:    ms(r.lastJoin - r.firstDial),
		ConnectCPUNs: r.connectCPU,
		BroadcastCPU: r.castCPU,
		ServerProcs:  len(r.servers),
		ClientProcs:  len(r.workers),
	}
	var lastReceipt int64
	var known order.Counts // of who gave an account
	var unknown int64
	for _, w := range r.workers {
		t := w.totals
		if t == nil {
			unknown += r.unaccounted(w)
			continue
		}
		known.Add(t.Counts)
		e.Lost += t.Lost
		e.Away += t.Away
		e.LostExamples = append(e.LostExamples, t.Examples...)
		lastReceipt = max(lastReceipt, t.LastReceipt)
		for _, h := range []struct {
			sum  *hdrhistogram.Histogram
			part []byte
		}{{latency, t.Latency}, {raw, t.Raw}, {join, t.Join}} {
			if err := order.Merge(h.sum, h.part); err != nil {
				return nil, fmt.Errorf("client process %d: %w", w.number, err)
			}
		}
	}
	c := r.counts()
	if n := r.untried(c); complete && n > 0 {
		c.Fault("no time left to write", n)
	}
	e.Joined, e.Errors = c.Joined, c.Errors
	e.Delivered, e.Duplicated, e.Reordered, e.Late = known.Delivered, known.Duplicated, known.Reordered, known.Late
	e.Expected = r.expected() - unknown - e.Away
	e.LostExamples = e.LostExamples[:min(len(e.LostExamples), maxNamed)]
	e.BroadcastMs = ms(lastReceipt - r.schedule.Pace.Start)
	e.Latency, e.RawLatency, e.JoinLatency = order.Encode(latency), order.Encode(raw), order.Encode(join)
	return e, nil
}

// unaccounted is how many receipts a process would have had to account for that
// died or hung: what became of them nobody knows, and the server is not to blame.
func (r *run) unaccounted(w *worker) (receipts int64) {
	var clients int64
	for room, joined := range w.joined {
		clients += joined
		for _, sent := range r.rooms[room].sent {
			receipts += joined * int64(sent)
		}
	}
	if receipts > 0 {
		r.note("warn", fmt.Sprintf("client process %d gave no account of its %s clients: what they received is not known, and %s receipts are not expected",
			w.number, kernel.Count(clients), kernel.Count(receipts)))
	}
	return receipts
}
