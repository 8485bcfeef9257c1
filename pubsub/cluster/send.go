package cluster

import (
	"errors"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

const (
	// flushBudget is how many letters are sent between two looks at the clock.
	flushBudget = 1024

	// How many other nodes get a table, and an answer to a question, between two such.
	tableBudget  = 64
	repairBudget = 4

	// patience is how long those who have not come back are waited for: longer
	// than the time between two attempts to reconnect.
	patience = lastWait + time.Second

	// goodbye is how long Close waits for the carrier to take the rest.
	goodbye = 2 * time.Second
)

// A sender is the one goroutine that publishes, and what only it knows.
type sender struct {
	*Link
	seen     uint64           // of Link.ups
	giveUp   <-chan time.Time // ends the wait for the others, after a reconnect
	told     lossCounts       // in the log
	overflow int              // messages for this node only that were dropped
}

// lossCounts are the counts that belong into the log.
type lossCounts struct{ dropped, missed, invalid uint64 }

// send empties the outbox until Close is called.
func (l *Link) send() {
	defer close(l.ended)
	s := &sender{Link: l}
	beats := time.NewTimer(untilBeat(time.Now(), l.cfg.Beat))
	defer beats.Stop()
	for {
		s.work()
		select {
		case <-l.outbox.wake:
		case <-beats.C:
			s.tick()
			beats.Reset(untilBeat(time.Now(), l.cfg.Beat))
		case <-s.giveUp:
			l.peers.giveUp()
		case <-l.quit:
			s.farewell()
			return
		}
	}
}

// untilBeat is the time to the next beat: at most one, so that it is at a tenth of it by the
// clock. So nodes beat together, a tenth of them at a time: each wakes up ten times in a
// beat to read them, not once for each other node.
func untilBeat(now time.Time, beat time.Duration) time.Duration {
	return now.Add(beat).Truncate(max(beat/10, 1)).Sub(now)
}

// work does what there is to do. What waited for the link waits also for those
// who have lost theirs at the same time: nobody keeps anything for them.
func (s *sender) work() {
	if up := s.greet(); up && !s.peers.waiting() && s.flush() {
		s.outbox.nudge()
	}
}

// greet says hello when the link came up, and to those who did, and answers
// questions. It reports whether the link is up.
func (s *sender) greet() bool {
	s.mu.Lock()
	up, ups, lost := s.up, s.ups, s.lost
	asked, seekers, questions := take(&s.asked, tableBudget), take(&s.seekers, tableBudget), take(&s.questions, repairBudget)
	more := len(s.asked)+len(s.seekers)+len(s.questions) > 0
	s.mu.Unlock()
	if more {
		defer s.outbox.nudge()
	}
	if ups != s.seen {
		s.seen = ups
		if ups > 1 {
			s.peers.await(lost)
		}
		s.giveUp = time.After(patience)
		s.sayWhere(join, s.all)
	}
	for _, id := range asked {
		s.sayWhere(answer, s.subject(id))
	}
	for _, n := range seekers {
		s.tellFound(n)
	}
	for _, q := range questions {
		s.repair(q)
	}
	return up
}

// take takes up to n off a queue.
func take[T any](queue *[]T, n int) (some []T) {
	n = min(n, len(*queue))
	some, *queue = (*queue)[:n:n], (*queue)[n:]
	if len(*queue) == 0 {
		*queue = nil
	}
	return some
}

// A seeker is a node that has begun to listen to some buckets.
type seeker struct {
	id, number uint64
	buckets    []uint16
}

// tellFound answers a seeker.
func (s *sender) tellFound(n seeker) {
	e := s.envelope(found)
	e.number = n.number
	s.sayRows(&e, s.outbox.rows(n.buckets), s.subject(n.id))
}

// sayRows says what has a table, in pieces if need be.
func (s *sender) sayRows(e *envelope, rows []row, subject string) {
	all := pieces(rows, s.room())
	last := len(all) - 1
	for _, rows := range all[:last] {
		piece := s.envelope(found)
		if piece.payload = rows; e.kind == join {
			piece.kind, piece.payload = pulse, append([]byte{0}, rows...) // since edition 0
		}
		s.say(&piece, subject)
	}
	e.payload = all[last]
	s.say(e, subject)
}

// say sends what is lost with the link: it will be said again when that is back.
func (l *Link) say(e *envelope, subject string) {
	if err := l.conn.Publish(subject, l.seal.sign(subject, e.encode())); err != nil {
		l.log.Debug("not said to other nodes", "kind", e.kind, "err", err)
	}
}

// sayWhere says hello, with the numbers of the next broadcasts.
func (s *sender) sayWhere(k kind, subject string) {
	e := s.envelope(k)
	rows, edition := s.outbox.table()
	e.number = edition
	s.sayRows(&e, rows, subject)
}

// repair sends broadcasts again to the node that has asked for them.
func (s *sender) repair(q question) {
	subject := s.repairs(q.id)
	v, part := s.outbox.look(q, time.Now())
	e := s.envelope(have)
	v.put(&e)
	s.say(&e, subject)
	for _, l := range part {
		if err := s.conn.Publish(subject, l.data); err != nil {
			return // it will ask again
		}
	}
}

// flush sends letters while the link takes them. It reports whether there may be
// more to send now.
func (s *sender) flush() (more bool) {
	for range flushBudget {
		m, ok := s.outbox.head()
		if !ok {
			return false
		}
		done, sent := s.hand(&m)
		if !done {
			return false
		}
		s.outbox.pop(sent, m.data)
	}
	return true
}

// hand gives one letter to the carrier or drops it, or reports that it is not done: the
// letter has to wait. What is sent is signed.
func (s *sender) hand(m *letter) (done, sent bool) {
	err := errLate
	if time.Since(m.since) <= s.cfg.MaxWait {
		signed := s.seal.sign(m.subject, m.data)
		if err = s.conn.Publish(m.subject, signed); err == nil {
			m.data = signed
		}
	}
	switch {
	case err == nil, errors.Is(err, errLate), errors.Is(err, pubsub.ErrTooLarge):
	case errors.Is(err, ErrDown):
		return false, false // the link is lost; cameUp will be called
	default:
		s.renew(err)
		if m.kind == broadcast {
			return false, false // a part or all of it may have left: others drop it by its number
		}
	}
	if m.kind.carries() {
		if err == nil {
			s.counts.published.Add(1)
		} else {
			s.counts.dropped.Add(1)
		}
	}
	return true, err == nil
}

// errLate is for letters that have waited too long.
var errLate = errors.New("waited longer than Config.MaxWait")

// renew is for a link that does not take what is written.
func (s *sender) renew(err error) {
	s.log.Warn("messages to other nodes are not taken; reconnecting", "err", err)
	if err := s.conn.Renew(); err != nil {
		s.log.Debug("not reconnected", "err", err) // closed
	}
}

// tick does what is done with every beat.
func (s *sender) tick() {
	switch {
	case s.isUp() && s.peers.needWhole():
		s.notice(beat)
	case s.isUp():
		s.notice(pulse)
	default:
		s.dropLate()
	}
	s.outbox.expire(time.Now().Add(-2 * s.cfg.MaxWait))
	if gone := s.peers.sweep(time.Now()); len(gone) > 0 {
		s.log.Warn("nodes are not heard of any more", "nodes", len(gone), "peer", gone[0])
		for _, name := range gone[1:] {
			s.log.Debug("node is not heard of any more", "peer", name)
		}
		s.tellChanges()
	}
	if came, left, last := s.turnover.beat(); came+left > 0 {
		s.log.Info("nodes have come or left", "came", came, "left", left, "last", last, "here", len(s.peers.names()))
	}
	s.reportLosses()
}

// notice sends what tells the numbers of the next broadcasts: behind all before.
func (s *sender) notice(k kind) {
	e := s.envelope(k)
	s.outbox.putNotice(letter{kind: k, subject: s.all, data: e.encode(), since: time.Now()}, s.room())
}

// dropLate makes room in the outbox while the link is down.
func (s *sender) dropLate() {
	for {
		m, ok := s.outbox.head()
		if !ok || time.Since(m.since) <= s.cfg.MaxWait {
			return
		}
		_, sent := s.hand(&m)
		s.outbox.pop(sent, m.data)
	}
}

// reportLosses logs what was lost since it did so last.
func (s *sender) reportLosses() {
	if n := s.inbound.direct.lost() + s.conn.Dropped(s.inbound.toThis); n > s.overflow {
		s.missed("", uint64(n-s.overflow))
		s.overflow = n
	}
	now := lossCounts{s.counts.dropped.Load(), s.counts.missed.Load(), s.counts.invalid.Load()}
	if now == s.told {
		return
	}
	if now.dropped > s.told.dropped {
		s.gap(pubsub.Gap{Node: s.cfg.Node, Messages: now.dropped - s.told.dropped})
	}
	s.log.Warn("messages lost between nodes",
		"dropped", now.dropped-s.told.dropped, "missed", now.missed-s.told.missed, "invalid", now.invalid-s.told.invalid)
	s.told = now
}

// farewell sends what is left, if that can be done now, and says goodbye.
func (s *sender) farewell() {
	if s.isUp() {
		s.notice(leave)
		for end := time.Now().Add(goodbye); time.Now().Before(end) && s.flush(); {
		}
		if err := s.conn.Flush(goodbye); err != nil {
			s.log.Warn("goodbye not confirmed", "err", err)
		}
	}
	s.counts.dropped.Add(s.outbox.clear())
	s.reportLosses()
}
