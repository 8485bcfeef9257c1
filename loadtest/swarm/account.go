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

// A room is what the coordinator knows of one.
type room struct {
	joined   int64
	sent     int              // messages, up to the last that went out
	writer   *worker          // nil if nobody joined
	messages map[int]*message // by seq; those not yet recorded
}

// A message is one broadcast and its receipts so far, of all processes.
type message struct {
	late        int64 // nanoseconds
	first, last int64 // nanoseconds from the intended send
	latency     *hdrhistogram.Histogram
	reported    bool // the writer said that it was sent
}

// open takes one letter.
func (r *run) open(l letter) error {
	w, e := l.from, l.event
	switch {
	case l.err != nil:
		w.gone = true
		if w.totals == nil {
			return w.failure(l.err)
		}
	case e.Progress != nil:
		return r.advance(w, e.Progress)
	case e.Ramped != nil:
		r.ramped(w, e.Ramped)
	case e.Sent != nil:
		room := &r.rooms[e.Sent.Room]
		room.sent = max(room.sent, e.Sent.Seq)
		m := room.message(e.Sent.Seq)
		m.late, m.reported = e.Sent.Late, true
		r.settle(e.Sent.Room, e.Sent.Seq)
	case e.FanIn != nil:
		return r.fanIn(e.FanIn)
	case e.Collected:
		w.collected = true
	case e.Halted != nil:
		w.halted = e.Halted
	case e.Totals != nil:
		w.totals, w.progress = e.Totals, e.Totals.counts
	}
	return nil
}

func (r *run) advance(w *worker, p *progress) error {
	if p.Delivered > w.progress.Delivered {
		r.lastArrival = max(r.lastArrival, monotonic())
	}
	w.progress = p.counts
	return merge(r.interval, p.Latency)
}

func (r *run) ramped(w *worker, e *ramped) {
	w.joined = e.Joined
	for room, n := range e.Joined {
		r.rooms[room].joined += n
	}
	if r.firstDial == 0 {
		r.firstDial = e.FirstDial
	}
	r.firstDial = min(r.firstDial, e.FirstDial)
	r.lastJoin = max(r.lastJoin, e.LastJoin)
}

func (room *room) message(seq int) *message {
	m := room.messages[seq]
	if m == nil {
		m = &message{latency: newHistogram(2)}
		room.messages[seq] = m
	}
	return m
}

func (r *run) fanIn(a *arrivals) error {
	m := r.rooms[a.Room].message(a.Seq)
	if m.latency.TotalCount() == 0 {
		m.first = a.First
	}
	m.first, m.last = min(m.first, a.First), max(m.last, a.Last)
	if err := merge(m.latency, a.Latency); err != nil {
		return fmt.Errorf("receipts of message %d: %w", a.Seq, err)
	}
	r.settle(a.Room, a.Seq)
	return nil
}

// settle records a message once all have it.
func (r *run) settle(room, seq int) {
	m := r.rooms[room].messages[seq]
	if m.reported && m.latency.TotalCount() >= r.rooms[room].joined {
		r.record(room, seq)
	}
}

// record records a message and forgets it.
func (r *run) record(room, seq int) {
	m := r.rooms[room].messages[seq]
	delete(r.rooms[room].messages, seq)
	r.emit(record.Record{Broadcast: &record.Broadcast{
		Room:       room,
		Seq:        int64(seq),
		AtMs:       r.since(r.pace.due(seq - 1)),
		SendLateUs: m.late / 1000,
		Expected:   r.rooms[room].joined,
		Delivered:  m.latency.TotalCount(),
		FirstUs:    m.first / 1000,
		P50Us:      m.latency.ValueAtPercentile(50),
		P99Us:      m.latency.ValueAtPercentile(99),
		LastUs:     m.last / 1000,
	}})
}

// expected is how many receipts the messages sent so far make.
func (r *run) expected() (n int64) {
	for i := range r.rooms {
		n += r.rooms[i].joined * int64(r.rooms[i].sent)
	}
	return n
}

// counts are those of all processes.
func (r *run) counts() (sum counts) {
	for _, w := range r.workers {
		sum.add(w.progress)
	}
	return sum
}

// tick records the state of the run.
func (r *run) tick() {
	c, server, client := r.counts(), r.serverUsage(), r.clientUsage()
	t := &record.Tick{
		AtMs:        r.since(monotonic()),
		Phase:       r.phase,
		Connected:   c.Connected,
		Joined:      c.Joined,
		Sent:        c.Sent,
		Delivered:   c.Delivered,
		Errors:      c.Errors,
		ServerRSS:   server.rss,
		ServerCPUNs: server.cpuNs,
		ClientRSS:   client.rss,
		ClientCPUNs: client.cpuNs,
		KernelBytes: max(0, kernelBytes()-r.kernelStart),
	}
	if r.interval.TotalCount() > 0 {
		t.P50Us, t.P99Us = r.interval.ValueAtPercentile(50), r.interval.ValueAtPercentile(99)
		r.interval.Reset()
	}
	r.emit(record.Record{Tick: t})
}

// memory records the memory bill, after a garbage collection everywhere.
func (r *run) memory(ctx context.Context, when string) error {
	r.phase = "settle"
	for _, w := range r.workers {
		w.collected = false
		if err := w.tell(command{Collect: true}); err != nil {
			return err
		}
	}
	servers := slices.DeleteFunc(slices.Clone(r.servers), func(s *server) bool { return s.leaving.Load() })
	for _, s := range servers {
		s.collect()
	}
	if err := r.until(ctx, func() bool { return all(r.workers, func(w *worker) bool { return w.collected }) }); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for _, s := range servers {
		select {
		case <-s.collected:
		case <-s.exited:
			return s.failure()
		case <-timer.C:
			r.note("warn", s.name+" does not answer SIGUSR1: its memory is with garbage")
			timer.Reset(0) // the others get no time of their own
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	r.emit(record.Record{Memory: &record.Memory{
		AtMs:        r.since(monotonic()),
		When:        when,
		Clients:     r.counts().Joined,
		ServerRSS:   r.serverUsage().rss,
		ClientRSS:   r.clientUsage().rss,
		KernelBytes: kernelBytes(),

		AvailableBytes: available(),
	}})
	return nil
}

// lastLook is how long a run that was cut short waits for the receipts of what
// was under way.
const lastLook = time.Second

// finish closes all connections and records what came of it all. Of a complete
// run every message that was planned is expected; else those that were sent.
func (r *run) finish(complete bool) error {
	r.phase = "close"
	ctx, cancel := context.WithTimeoutCause(context.Background(), 2*patience, fmt.Errorf("no totals after %s", 2*patience))
	defer cancel()
	err := r.halt(ctx, complete)
	st := stop{Sent: make(map[int]int), Pace: r.pace}
	for i := range r.rooms {
		st.Sent[i] = r.rooms[i].sent
	}
	r.order(command{Stop: &st})
	err = errors.Join(err, r.until(ctx, func() bool { return all(r.workers, (*worker).ended) }))
	for i := range r.rooms {
		for _, seq := range slices.Sorted(maps.Keys(r.rooms[i].messages)) {
			r.record(i, seq)
		}
	}
	end, endErr := r.end(complete)
	if endErr != nil {
		return errors.Join(err, endErr)
	}
	for _, kind := range slices.Sorted(maps.Keys(end.Errors)) {
		r.note("warn", fmt.Sprintf("%s × %s", grouped(int(end.Errors[kind])), kind))
	}
	r.emit(record.Record{End: end})
	return err
}

// halt ends all writing, and settles what was sent.
func (r *run) halt(ctx context.Context, complete bool) error {
	err := r.quieten(ctx)
	if complete && r.cfg.Scenario.sends() {
		for i := range r.rooms {
			r.rooms[i].sent = r.plan.Messages
		}
		return err
	}
	limit := monotonic() + int64(lastLook)
	return errors.Join(err, r.until(ctx, func() bool { return r.counts().Delivered >= r.expected() || monotonic() > limit }))
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
	e.Joined, e.Delivered, e.Duplicated, e.Reordered, e.Errors = c.Joined, c.Delivered, c.Duplicated, c.Reordered, c.Errors
	e.Expected = r.expected() - e.Away
	if silent {
		e.Lost = max(e.Lost, e.Expected-e.Delivered)
	}
	e.LostExamples = e.LostExamples[:min(len(e.LostExamples), maxNamed)]
	e.BroadcastMs = ms(lastReceipt - r.pace.Start)
	e.Latency, e.RawLatency, e.JoinLatency = encode(latency), encode(raw), encode(join)
	return e, nil
}
