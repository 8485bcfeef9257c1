package cluster

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// askEvery is how long an answer may take before a peer is asked again.
const askEvery = 2 * time.Second

// A sequence puts the broadcasts of one peer in order. When some are missing, or
// a number cannot be right, the peer is asked: only it knows what it has sent.
// Until it has answered nothing is skipped, so that no number from the network,
// forged or late, silences a peer.
type sequence struct {
	next  uint64     // number of the next broadcast to deliver, or 0 if not known
	end   uint64     // the peer has sent all below, as far as is heard
	late  uint64     // lowest number below next that came since the peer answered, or 0
	held  []envelope // broadcasts that came before their turn, by number
	bytes int        // of held

	asked time.Time // when the peer was asked last; zero when all is well
	upTo  uint64    // end of the part that the peer has sent in answer
	since time.Time // of the last step forward while something was missing
}

// A question asks a peer for its broadcasts from one number to before another.
type question struct{ id, from, until uint64 }

// take takes note of the number of e. It reports whether e is a broadcast whose
// turn it is. What comes before its turn is held in up to room bytes.
func (s *sequence) take(e *envelope, room int, now time.Time) (due bool) {
	if s.next == 0 {
		if e.kind == answer { // it has overtaken broadcasts
			return false
		}
		s.next = e.number
	}
	end := e.number
	if e.kind == broadcast {
		end++
	}
	s.end = max(s.end, end)
	switch {
	case e.number < s.next:
		if s.late == 0 || e.number < s.late {
			s.late = e.number
		}
	case e.kind != broadcast:
	case e.number == s.next:
		s.next++
		s.since = now
		return true
	default:
		s.hold(e, room)
	}
	return false
}

// hold keeps a broadcast until its turn. For what has no room here the peer will
// be asked.
func (s *sequence) hold(e *envelope, room int) {
	i, found := s.find(e.number)
	if found || s.bytes+e.size() > room {
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

// open reports whether there is something to ask the peer.
func (s *sequence) open() bool { return s.next < s.end || s.late != 0 }

// ask returns a question when it is time for one.
func (s *sequence) ask(now time.Time) (q question, ok bool) {
	switch {
	case !s.open():
		s.asked = time.Time{}
		return q, false
	case s.asked.IsZero():
		s.since = now
	case s.next < s.upTo && now.Sub(s.asked) < askEvery:
		return q, false
	}
	s.asked, s.upTo = now, math.MaxUint64
	return question{from: s.next, until: s.end}, true
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
	if v.from != s.next { // to a question of long ago
		return nil, 0
	}
	if v.next < v.until {
		s.forget(v.next)
	}
	if v.next < s.next { // what came late was right
		s.next = v.next
		if s.late != 0 {
			s.next = min(s.next, s.late)
		}
		s.late, s.asked = 0, time.Time{}
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
	to := s.end
	if len(s.held) > 0 {
		to = s.held[0].number
	}
	s.late, s.asked = 0, time.Time{}
	return s.skip(to)
}

// questionOf reads the question in an envelope.
func questionOf(e *envelope) question {
	return question{e.id, e.number, binary.BigEndian.Uint64(e.payload)}
}

// put writes the question into an envelope: where to begin is its number.
func (q *question) put(e *envelope) {
	e.number = q.from
	e.payload = binary.BigEndian.AppendUint64(e.payload, q.until)
}

// verdictOf reads the verdict in an envelope.
func verdictOf(e *envelope) (v verdict) {
	v.first = e.number
	for i, n := range []*uint64{&v.from, &v.until, &v.next, &v.upTo} {
		*n = binary.BigEndian.Uint64(e.payload[8*i:])
	}
	return v
}

// put writes the verdict into an envelope: the first broadcast is its number.
func (v *verdict) put(e *envelope) {
	e.number = v.first
	for _, n := range []uint64{v.from, v.until, v.next, v.upTo} {
		e.payload = binary.BigEndian.AppendUint64(e.payload, n)
	}
}
