package swarm

import (
	"cmp"
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
	sent     []int              // messages of each writer, up to the last that went out
	messages map[place]*message // those not yet recorded
}

// A place is where a message is in its room.
type place struct{ writer, seq int }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.seq, q.seq), cmp.Compare(p.writer, q.writer))
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
		at := place{e.Sent.Writer, e.Sent.Seq}
		room.sent[at.writer] = max(room.sent[at.writer], at.seq)
		m := room.message(at)
		m.late, m.reported = e.Sent.Late, true
		r.settle(e.Sent.Room, at)
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

func (room *room) message(at place) *message {
	m := room.messages[at]
	if m == nil {
		m = &message{latency: newHistogram(2)}
		room.messages[at] = m
	}
	return m
}

func (r *run) fanIn(a *arrivals) error {
	at := place{a.Writer, a.Seq}
	m := r.rooms[a.Room].message(at)
	if m.latency.TotalCount() == 0 {
		m.first = a.First
	}
	m.first, m.last = min(m.first, a.First), max(m.last, a.Last)
	if err := merge(m.latency, a.Latency); err != nil {
		return fmt.Errorf("receipts of message %d: %w", a.Seq, err)
	}
	r.settle(a.Room, at)
	return nil
}

// settle records a message once all have it.
func (r *run) settle(room int, at place) {
	m := r.rooms[room].messages[at]
	if m.reported && m.latency.TotalCount() >= r.rooms[room].joined {
		r.record(room, at)
	}
}

// record records a message and forgets it.
func (r *run) record(room int, at place) {
	m := r.rooms[room].messages[at]
	delete(r.rooms[room].messages, at)
	r.emit(record.Record{Broadcast: &record.Broadcast{
		Room:       room,
		Writer:     at.writer,
		Seq:        int64(at.seq),
		AtMs:       r.since(r.schedule.of(voice{room, at.writer}).due(at.seq - 1)),
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
		for _, sent := range r.rooms[i].sent {
			n += r.rooms[i].joined * int64(sent)
		}
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
		Replies:     c.Replies,
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

// memory is the stage of a run in which nothing happens but a memory bill.
func (r *run) memory(ctx context.Context, when string) error {
	r.phase = "settle"
	return r.bill(ctx, when)
}

// bill records the memory bill, after a garbage collection everywhere.
func (r *run) bill(ctx context.Context, when string) error {
	for _, w := range r.workers {
		w.collected = false
		if err := w.tell(command{Collect: true}); err != nil {
			return err
		}
	}
	servers := slices.DeleteFunc(slices.Clone(r.servers), func(s *server) bool { return s.leaving.Load() })
	servers = slices.DeleteFunc(servers, func(s *server) bool {
		asked := s.collect()
		if !asked && !s.deaf {
			r.withGarbage(s)
		}
		return !asked
	})
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
			r.withGarbage(s)
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
	if when == "after" {
		r.noteGarbage()
	}
	return nil
}

// withGarbage notes that a server does not collect its garbage when asked. It is
// not asked again.
func (r *run) withGarbage(s *server) {
	s.deaf = true
	r.note("warn", s.name+" does not answer SIGUSR1: its memory is with garbage")
}

// lastLook is how long a run that was cut short waits for the receipts of what
// was under way.
const lastLook = time.Second

// finish closes all connections and records what came of it all. Of a complete
// run every message that was planned is expected; else those that were sent.
func (r *run) finish(complete bool) error {
	r.phase = "close"
	// The kernel closes some 50,000 connections a second, a guest machine 4,000.
	limit := 2*patience + time.Duration(r.plan.Clients/4000)*time.Second
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("no totals after %s", limit))
	defer cancel()
	err := r.halt(ctx, complete)
	st := stop{Schedule: r.schedule}
	for i := range r.rooms {
		st.Sent = append(st.Sent, r.rooms[i].sent)
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
		for i := range r.rooms {
			for writer := range r.rooms[i].sent {
				r.rooms[i].sent[writer] = r.plan.Messages
			}
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
	e.Late = c.Late
	e.BroadcastMs = ms(lastReceipt - r.schedule.Pace.Start)
	e.Latency, e.RawLatency, e.JoinLatency = encode(latency), encode(raw), encode(join)
	return e, nil
}
