package conduct

import (
	"cmp"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// A room holds what the coordinator knows of a room.
type room struct {
	joined   int64
	sent     []int              // messages of each writer, up to the last that went out
	unsent   [][]order.Span     // of these, by writer: those that did not
	messages map[place]*message // those not yet recorded
	groups   int                // that clients of it are in, see ramped
	recorded [][]bool           // by writer and message; of one that waited in vain more may come
	waiting  []place            // what was sent, in order; the first is not yet recorded
}

func newRoom(p plan.Plan) room {
	room := room{sent: make([]int, p.Writers), unsent: make([][]order.Span, p.Writers), messages: make(map[place]*message)}
	for range p.Writers {
		room.recorded = append(room.recorded, make([]bool, p.Messages))
	}
	return room
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
	latency     order.Sample
	reported    bool // the writer said that it was sent
	told        int  // groups that told of their receipts
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
		room.wentOut(at)
		room.waiting = append(room.waiting, at)
		m := room.message(at)
		m.late, m.reported = e.Sent.Late, true
		r.settle(e.Sent.Room, at)
	case e.Receipts != nil:
		r.received(e.Receipts)
	case e.Collected != nil:
		w.collected, w.used = true, *e.Collected
	case e.Followed != nil:
		w.followed = e.Followed
	case e.Halted != nil:
		w.halted = e.Halted
	case e.Totals != nil:
		w.totals, w.progress = e.Totals, e.Totals.Counts
	}
	return nil
}

func (r *run) advance(w *worker, p *order.Progress) error {
	if p.Delivered > w.progress.Delivered || p.Replies > w.progress.Replies {
		r.lastArrival = max(r.lastArrival, order.Now())
	}
	w.progress, w.used = p.Counts, p.Usage
	if p.Strain.Host.Cores > 0 {
		w.strain = p.Strain
	}
	w.link = p.Strain.Link
	r.strain.take(p.Strain)
	if p.Missing != nil {
		w.missing = p.Missing
	}
	for room := range r.rooms {
		r.giveUp(room)
	}
	if p.At != 0 {
		w.answer = p
	}
	return order.Merge(r.interval, p.Latency)
}

func (r *run) ramped(w *worker, e *order.Ramped) {
	w.joined = e.Joined
	for room, n := range e.Joined {
		r.rooms[room].joined += n
		r.rooms[room].groups += e.Groups[room]
	}
	r.connecting.joined(e)
}

func (room *room) message(at place) *message {
	m := room.messages[at]
	if m == nil {
		m = new(message)
		room.messages[at] = m
	}
	return m
}

func (r *run) received(a *order.Receipts) {
	at := place{a.Writer, a.Seq}
	if r.rooms[a.Room].recorded[at.writer][at.seq-1] {
		return // no one waited for it any more; the totals have it
	}
	m := r.rooms[a.Room].message(at)
	m.told++
	if m.latency.Count() == 0 {
		m.first = a.First
	}
	m.first, m.last = min(m.first, a.First), max(m.last, a.Last)
	m.latency.Merge(a.Latency)
	r.settle(a.Room, at)
}

// settle records a message once all have told of it.
func (r *run) settle(room int, at place) {
	m := r.rooms[room].messages[at]
	if m.reported && m.told >= r.rooms[room].groups {
		r.record(room, at)
	}
}

// waits is how long the receipts of a message are waited for: until the next one is
// due, at least, as one for millions takes longer than what else counts as late. Those
// that come later count in the totals alone.
func (r *run) waits() time.Duration {
	waits := max(r.cfg.Drain, r.cfg.Late)
	if r.plan.Rate > 0 {
		waits = max(waits, time.Duration(float64(time.Second)/r.plan.Rate))
	}
	return waits
}

// grace is how long after that a process may take to tell of those it has, two
// reports apart.
const grace = 5 * time.Second

// giveUp records the messages of a room that some receipts are missing of, and
// will be: the others are forgotten long before the end of the run.
func (r *run) giveUp(room int) {
	limit := int64(r.waits() + 2*r.plan.Report + grace)
	s := &r.rooms[room]
	for len(s.waiting) > 0 {
		at := s.waiting[0]
		if !s.recorded[at.writer][at.seq-1] {
			if order.Now()-r.casting.schedule.Of(order.Voice{Room: room, Writer: at.writer}).Due(at.seq-1) < limit {
				return
			}
			r.record(room, at)
		}
		s.waiting = s.waiting[1:]
	}
}

// record records a message and forgets it.
func (r *run) record(room int, at place) {
	m := r.rooms[room].messages[at]
	delete(r.rooms[room].messages, at)
	r.rooms[room].recorded[at.writer][at.seq-1] = true
	r.emit(record.Record{Broadcast: &record.Broadcast{
		Room:       room,
		Writer:     at.writer,
		Seq:        int64(at.seq),
		AtMs:       r.since(r.casting.schedule.Of(order.Voice{Room: room, Writer: at.writer}).Due(at.seq - 1)),
		SendLateUs: m.late / 1000,
		Expected:   r.rooms[room].joined,
		Delivered:  m.latency.Count(),
		FirstUs:    m.first / 1000,
		P50Us:      m.latency.Percentile(50),
		P99Us:      m.latency.Percentile(99),
		LastUs:     m.last / 1000,
	}})
}

// wentOut notes that a writer has sent a message. It sends them in order: one that
// it has passed over could not be sent.
func (room *room) wentOut(at place) {
	if next := room.sent[at.writer] + 1; next < at.seq {
		room.unsent[at.writer] = append(room.unsent[at.writer], order.Span{First: int32(next), Last: int32(at.seq - 1)})
	}
	room.sent[at.writer] = max(room.sent[at.writer], at.seq)
}

// expected is how many receipts the messages sent so far make.
func (r *run) expected() (n int64) {
	for i := range r.rooms {
		for writer, sent := range r.rooms[i].sent {
			n += r.rooms[i].joined * int64(sent)
			for _, s := range r.rooms[i].unsent[writer] {
				n -= r.rooms[i].joined * s.Length()
			}
		}
	}
	return n
}

// untried returns how many messages were never tried: the writers were so late that the
// run was over. Those that could not be sent are counted as errors.
func (r *run) untried(c order.Counts) (n int64) {
	if !r.cfg.Scenario.Sends() {
		return 0
	}
	for i := range r.rooms {
		if r.rooms[i].joined > 0 {
			n += int64(r.plan.Messages * r.plan.Writers)
		}
	}
	return n - c.Sent - c.Unsent
}

// counts returns the sum of the counts of all processes.
func (r *run) counts() (sum order.Counts) {
	for _, w := range r.workers {
		sum.Add(w.progress)
	}
	return sum
}

// present is how many clients are joined now.
func (r *run) present() int64 { return r.counts().Present() }

// joinedOnce is how many clients have joined.
func (r *run) joinedOnce() (n int64) {
	for i := range r.rooms {
		n += r.rooms[i].joined
	}
	return n
}
