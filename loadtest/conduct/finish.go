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
// up what was under way: longer than a busy host keeps messages waiting.
const lastLook = 5 * time.Second

// lastPatience is how long a process has to answer at the end of a run, before
// the run ends without it.
const lastPatience = proc.Patience / 2

// A closing is the last stage: it settles the account.
type closing struct {
	*run
	complete bool // the stages before were gone through
}

// finish closes all connections and records the results. It expects the messages that
// were sent: one that could not be sent is an error, not a loss. A process that dies or
// hangs meanwhile changes nothing in the account of the others.
func (c closing) finish() error {
	c.enter("close")
	var err error
	if len(c.ongoing) > 0 {
		asked := c.ask(order.Inquiry{Last: true})
		err = c.await(lastPatience, (*worker).reported)
		e := c.answers(asked)
		for _, a := range c.ongoing {
			a.overAt(e)
		}
	}
	err = errors.Join(err, c.halt())
	for _, a := range slices.Clone(c.ongoing) {
		a.emit()
	}
	st := order.Stop{Schedule: c.casting.schedule}
	for i := range c.rooms {
		st.Sent = append(st.Sent, c.rooms[i].sent)
		st.Unsent = append(st.Unsent, c.rooms[i].unsent)
	}
	c.order(order.Command{Stop: &st})
	// The kernel closes some 50,000 connections a second, a guest machine 4,000.
	err = errors.Join(err, c.await(proc.Patience+time.Duration(c.plan.Clients/4000)*time.Second, (*worker).ended))
	c.compareAgain(context.Background())
	for i := range c.rooms {
		for _, at := range slices.SortedFunc(maps.Keys(c.rooms[i].messages), place.compare) {
			c.record(i, at)
		}
	}
	end, endErr := c.end()
	if endErr != nil {
		return errors.Join(err, endErr)
	}
	for _, kind := range slices.Sorted(maps.Keys(end.Errors)) {
		c.note("warn", fmt.Sprintf("%s × %s", kernel.Count(end.Errors[kind]), kind))
	}
	if end.Late > 0 {
		c.note("warn", fmt.Sprintf("%s receipts were later than %s", kernel.Count(end.Late), c.cfg.Late))
	}
	c.tick()
	if c.cfg.Script != nil {
		err = errors.Join(err, c.emitSteps())
	}
	c.emit(record.Record{End: end})
	return err
}

// halt ends all writing, and settles what was sent.
func (c closing) halt() error {
	c.silence()
	err := c.await(lastPatience, (*worker).quiet)
	if c.complete && (c.cfg.Scenario.Sends() || c.cfg.Script != nil) {
		return err // the scenario has waited for what was under way
	}
	if !c.complete {
		c.settleUsers() // of a script, if there are any
	}
	c.lastArrival = order.Now()
	silence := int64(max(lastLook, 2*c.plan.Report)) // who reports rarely may have more
	ctx, cancel := context.WithTimeout(context.Background(), proc.Patience)
	defer cancel()
	err = errors.Join(err, c.outlive(ctx, func() bool {
		sum := c.counts()
		return sum.Delivered >= c.expected() && (sum.Replies >= sum.Pings || c.cfg.Script != nil) && c.missing() == 0 || order.Now() > c.lastArrival+silence
	}))
	c.believeReceivers()
	return err
}

// believeReceivers takes what somebody received for sent: a writer that died with
// its process may not have said so.
func (c closing) believeReceivers() {
	for i := range c.rooms {
		room := &c.rooms[i]
		for at := range room.messages {
			room.sent[at.writer] = max(room.sent[at.writer], at.seq)
		}
	}
}

// await waits for all processes that have not died. One that is not done in time
// hangs, and is given up.
func (c closing) await(limit time.Duration, done func(*worker) bool) error {
	missing := func(w *worker) bool { return !done(w) && !w.gone && !w.hung }
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := c.outlive(ctx, func() bool { return count(c.workers, missing) == 0 })
	for _, w := range c.workers {
		if missing(w) {
			w.hung = true
			hangs := fmt.Errorf("client process %d hangs: it has not answered for %s", w.number, limit)
			c.note("error", hangs.Error())
			err = errors.Join(err, hangs)
		}
	}
	return err
}

// outlive is until for the end of a run: it notes what dies, and goes on. That
// ctx ends is no error.
func (c closing) outlive(ctx context.Context, done func() bool) (died error) {
	for {
		err := c.until(ctx, done)
		if err == nil || ctx.Err() != nil {
			return died
		}
		c.note("error", err.Error())
		died = errors.Join(died, err)
	}
}

// maxNamed is how many clients with a loss are named in all.
const maxNamed = 20

// end adds up the totals.
func (c closing) end() (*record.End, error) {
	latency, raw, join := order.NewHistogram(3), order.NewHistogram(3), order.NewHistogram(3)
	e := &record.End{
		AtMs:         c.since(order.Now()),
		Interrupted:  !c.complete,
		Clients:      int64(c.plan.Clients),
		ConnectMs:    ms(c.connecting.took()),
		ConnectCPUNs: c.connecting.cpu,
		BroadcastCPU: c.casting.cpu,
		ServerProcs:  len(c.servers),
		ClientProcs:  len(c.workers),
	}
	var lastReceipt int64
	var known order.Counts // of who gave an account
	var unknown int64
	for _, w := range c.workers {
		t := w.totals
		if t == nil {
			unknown += c.unaccounted(w)
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
	e.Unreadable = min(e.Lost, known.Unreadable)
	e.Lost -= e.Unreadable
	sum := c.counts()
	if sum.Unreadable > 0 {
		c.note("warn", fmt.Sprintf("%s received messages could not be read: none of their fields has a stamp of this run; one begins with %s",
			kernel.Count(sum.Unreadable), sum.Odd))
	}
	if n := c.untried(sum); c.complete && n > 0 {
		sum.Fault("no time left to write", n)
	}
	e.Joined, e.Errors = sum.Joined, sum.Errors
	e.Secured, e.Resumed = sum.Secured, sum.Resumed
	e.Delivered, e.Taken, e.Duplicated, e.Reordered, e.Late = known.Delivered, known.Taken, known.Duplicated, known.Reordered, known.Late
	e.Expected = c.expected() - unknown - e.Away
	if c.cfg.Script != nil { // users know what they are owed
		e.Expected = e.Delivered + e.Lost + e.Unreadable
		s, err := c.cfg.Script.Script()
		e.ClosedLoop = err == nil && !s.Paced() // check has read it
	}
	e.LostExamples = e.LostExamples[:min(len(e.LostExamples), maxNamed)]
	e.BroadcastMs = ms(c.casting.took(lastReceipt))
	e.Latency, e.RawLatency, e.JoinLatency = order.Encode(latency), order.Encode(raw), order.Encode(join)
	return e, nil
}

// unaccounted returns how many receipts a process that died or hung had to account for.
// Their fate is unknown, and the server is not to blame.
func (c closing) unaccounted(w *worker) (receipts int64) {
	var clients int64
	for room, joined := range w.joined {
		clients += joined
		for _, sent := range c.rooms[room].sent {
			receipts += joined * int64(sent)
		}
	}
	if receipts > 0 {
		c.note("warn", fmt.Sprintf("client process %d did not report on its %s clients: their receipts are unknown, and %s receipts are not expected",
			w.number, kernel.Count(clients), kernel.Count(receipts)))
	}
	return receipts
}
