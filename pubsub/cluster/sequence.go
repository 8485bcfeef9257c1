package cluster

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

const (
	// askEvery is how long an answer may take before a peer is asked again.
	askEvery = 2 * time.Second

	// settle is how long broadcasts may take that a table told of: some carriers bring
	// it before them.
	settle = 100 * time.Millisecond

	// doubt is how long a question may be on its way at first; see sought.
	doubt = 5 * time.Millisecond

	// disorder is how many broadcasts may have overtaken one that is held: to put it before
	// more would cost too much. The peer will be asked for it.
	disorder = 1024
)

// A sequence puts the broadcasts of one peer in one bucket in order. When some are
// missing, or a number cannot be right, the peer is asked: only it knows what it has
// sent. Until it has answered nothing is skipped, so that no number from the network,
// forged or late, silences a peer.
type sequence struct {
	next uint64 // number of the next broadcast to deliver, or 0 if not known
	end  uint64 // the peer has sent all below, as far as is heard

	*repair // nil while nothing is missing or sought, as in most of the many that a node has
}

// A repair is what a sequence needs until it has everything.
type repair struct {
	sought // until next is known

	late  uint64     // lowest number below next that came since the peer answered, or 0
	held  []envelope // broadcasts that came before their turn, by number
	bytes int        // of held

	noted time.Time // when something was missing first; zero when all is well
	asked time.Time // when the peer was asked last since; zero if it was not
	upTo  uint64    // end of the part that the peer has sent in answer
	since time.Time // of the last step forward while something was missing
}

// beginRepair has to be called before all methods that do not say otherwise.
func (s *sequence) beginRepair() {
	if s.repair == nil {
		s.repair = new(repair)
	}
}

// endRepair ends it if nothing is missing or sought.
func (s *sequence) endRepair() {
	if s.repair != nil && !s.open() && len(s.held) == 0 && (s.next != 0 || s.moment.IsZero()) {
		s.repair = nil
	}
}

// size is how many bytes are held, with a repair or without.
func (s *sequence) size() int {
	if s.repair == nil {
		return 0
	}
	return s.bytes
}

// inTurn takes note of a broadcast without a repair, and reports whether its turn has come:
// otherwise take does.
func (s *sequence) inTurn(number uint64) bool {
	if s.repair != nil || s.next != number && s.next != 0 {
		return false
	}
	s.next = number + 1
	s.end = max(s.end, s.next)
	return true
}

// What is sought is the first broadcast since a moment: then this node began to listen
// to the bucket, before the carrier knew of it. The peer is asked for what it has sent
// for so long, and for doubt longer: that is how long the question may be on its way,
// or it is asked once more. What it sent in that time before the moment comes, too.
type sought struct {
	moment time.Time // zero if nothing is sought: the first broadcast to come is the first
	doubt  time.Duration
}

// A question asks a peer for its broadcasts in a bucket from one number to before
// another, or, if from is 0, for those that are no older than age.
type question struct {
	id, from, until uint64
	bucket          uint16
	age             time.Duration
}

// take takes note of a broadcast. It reports whether its turn has come. What comes
// before its turn is held in up to room bytes.
func (s *sequence) take(e *envelope, room int, now time.Time) (due bool) {
	if s.next == 0 && (s.moment.IsZero() || e.number == 1) {
		s.next = e.number
	}
	s.end = max(s.end, e.number+1)
	switch {
	case s.next == 0 || e.number > s.next:
		s.hold(e, room)
	case e.number == s.next:
		s.begin(e.number + 1) // it may be held, too
		s.since = now
		return true
	case s.late == 0 || e.number < s.late:
		s.late = e.number
	}
	return false
}

// learn takes note of a row of the peer's table. One that answers has overtaken
// broadcasts.
func (s *sequence) learn(r *row, answers bool, now time.Time) {
	switch {
	case s.next != 0:
	case s.moment.IsZero() && answers:
		return
	case s.moment.IsZero(), now.Add(-r.age).Before(s.moment):
		s.begin(r.number)
	}
	s.end = max(s.end, r.number)
}

// begin makes a number the next one.
func (s *sequence) begin(number uint64) {
	s.next = number
	n, _ := s.find(number)
	for i := range s.held[:n] {
		s.bytes -= s.held[i].size()
	}
	s.held = s.held[n:]
}

// hold keeps a broadcast until its turn. For what has no room here the peer will
// be asked.
func (s *sequence) hold(e *envelope, room int) {
	i, found := s.find(e.number)
	if found || len(s.held)-i > disorder || s.bytes+e.size() > room {
		return
	}
	s.held = slices.Insert(s.held, i, *e)
	s.bytes += e.size()
}

// find is where a number is, or would be, in held.
func (s *sequence) find(number uint64) (i int, found bool) {
	return slices.BinarySearchFunc(s.held, number, func(e envelope, n uint64) int { return cmp.Compare(e.number, n) })
}

// skip goes forward to a number at least. It returns what was held and is now to
// be delivered, and how many broadcasts before that number are lost.
func (s *sequence) skip(to uint64) (ready []envelope, lost uint64) {
	to = max(to, s.next)
	n, _ := s.find(to)
	lost = to - s.next - uint64(n)
	for s.next = to; n < len(s.held) && s.held[n].number == s.next; n++ {
		s.next++
	}
	ready, s.held = s.held[:n], s.held[n:]
	for i := range ready {
		s.bytes -= ready[i].size()
	}
	if len(s.held) == 0 {
		s.held = nil
	}
	s.end = max(s.end, s.next)
	return ready, lost
}

// open reports whether there is something to ask the peer, with a repair or without.
func (s *sequence) open() bool { return s.next < s.end || s.repair != nil && s.late != 0 }

// ask returns a question when it is time for one.
func (s *sequence) ask(now time.Time) (q question, ok bool) {
	if !s.open() {
		s.noted, s.asked = time.Time{}, time.Time{}
		return q, false
	}
	if s.noted.IsZero() {
		s.noted, s.since = now, now
	}
	onlyTold := s.next != 0 && len(s.held) == 0 && s.late == 0
	switch {
	case s.asked.IsZero() && onlyTold && now.Sub(s.noted) < settle:
		return q, false
	case !s.asked.IsZero() && s.next < s.upTo && now.Sub(s.asked) < askEvery:
		return q, false
	}
	s.asked, s.upTo = now, math.MaxUint64
	q = question{from: s.next, until: s.end}
	if s.next == 0 && !s.moment.IsZero() {
		q.age = now.Sub(s.moment) + s.doubt
	}
	return q, true
}

// A verdict is what a peer answers to a question. What it can still send, up to
// a number, follows it.
type verdict struct {
	question
	first uint64 // oldest broadcast from question.from on that the peer still has
	next  uint64 // number of the next broadcast that it will send
	upTo  uint64
}

// judge goes on with what the peer says. Broadcasts that it has never sent are
// thrown away, with later ones: for those it will be asked once more.
func (s *sequence) judge(v *verdict, now time.Time) (ready []envelope, lost uint64) {
	if v.from != s.next || s.asked.IsZero() { // to a question of long ago
		return nil, 0
	}
	if s.next == 0 {
		if took := now.Sub(s.asked); took > s.doubt { // what was sent first may be missing
			s.doubt, s.asked = 2*took, time.Time{}
			return nil, 0
		}
		s.begin(min(v.first, v.next))
	}
	if v.next < v.until {
		s.forget(v.next)
	}
	if v.next < s.next { // what came late was right
		s.next = v.next
		if s.late != 0 {
			s.next = min(s.next, s.late)
		}
		s.late, s.noted, s.asked = 0, time.Time{}, time.Time{}
		return nil, 0
	}
	s.late, s.upTo, s.since = 0, v.upTo, now
	return s.skip(min(v.first, v.next))
}

// forget throws away what is held from a number on.
func (s *sequence) forget(from uint64) {
	n, _ := s.find(from)
	for i := range s.held[n:] {
		s.bytes -= s.held[n+i].size()
	}
	s.held = slices.Delete(s.held, n, len(s.held))
	s.end = from
}

// giveUp ends the wait for a peer that has not answered: it goes on with what has
// come.
func (s *sequence) giveUp() (ready []envelope, lost uint64) {
	to := s.first()
	s.late, s.noted, s.asked = 0, time.Time{}, time.Time{}
	if s.next == 0 { // whether there was one before nobody knows
		s.begin(to)
	}
	return s.skip(to)
}

// first is the number of the first broadcast that has come and waits, or of the next
// one to come.
func (s *sequence) first() uint64 {
	if len(s.held) > 0 {
		return s.held[0].number
	}
	return s.end
}

// questionOf reads the question in an envelope.
func questionOf(e *envelope) question {
	return question{
		id: e.id, from: e.number, bucket: e.bucket,
		until: binary.BigEndian.Uint64(e.payload[2:]),
		age:   time.Duration(min(binary.BigEndian.Uint64(e.payload[10:]), math.MaxInt64)),
	}
}

// put writes the question into an envelope: where to begin is its number.
func (q *question) put(e *envelope) {
	e.number = q.from
	e.payload = binary.BigEndian.AppendUint16(e.payload, q.bucket)
	e.payload = binary.BigEndian.AppendUint64(e.payload, q.until)
	e.payload = binary.BigEndian.AppendUint64(e.payload, uint64(q.age))
}

// verdictOf reads the verdict in an envelope.
func verdictOf(e *envelope) (v verdict) {
	v.first, v.bucket = e.number, e.bucket
	for i, n := range []*uint64{&v.from, &v.until, &v.next, &v.upTo} {
		*n = binary.BigEndian.Uint64(e.payload[2+8*i:])
	}
	return v
}

// put writes the verdict into an envelope: the first broadcast is its number.
func (v *verdict) put(e *envelope) {
	e.number = v.first
	e.payload = binary.BigEndian.AppendUint16(e.payload, v.bucket)
	for _, n := range []uint64{v.from, v.until, v.next, v.upTo} {
		e.payload = binary.BigEndian.AppendUint64(e.payload, n)
	}
}
