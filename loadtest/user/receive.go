package user

import (
	"cmp"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
)

// read takes what comes, until the connection ends.
func (u *user) read(s *session) {
	defer close(s.gone)
	for {
		data, binary, err := s.conn.receive()
		if err != nil {
			s.err = s.over(err)
			return
		}
		now := u.crew.now()
		decode := channels.Decode
		if binary {
			decode = channels.DecodeBinary
		}
		m, err := decode(data)
		if err != nil {
			u.crew.unreadable(data)
			continue
		}
		u.take(s, m, now)
	}
}

// over ends the heartbeats, and says why the connection ended.
func (s *session) over(err error) error {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beat != nil {
		s.beat.Stop()
	}
	if s.why != nil {
		err = s.why
	}
	s.why = err
	s.conn.close()
	return err
}

func (u *user) take(s *session, m channels.Message, now int64) {
	switch {
	case m.Event == channels.Reply && m.Topic == "phoenix":
		s.mu.Lock()
		s.waiting = false
		s.mu.Unlock()
		u.crew.count(func(c *order.Counts) { c.Beats++ })
	case m.Event == channels.Reply:
		u.replied(m, now)
	case m.Event == channels.Close, m.Event == channels.Error:
		why := errLeft
		if m.Event == channels.Error {
			why = errCrashed
		}
		if u.hasJoined(m.Topic, cmp.Or(m.JoinRef, m.Ref)) { // version 1 has the ref of the join alone
			s.end(why)
		}
	default:
		if u.crew.script.Marked[m.Event] {
			u.marked(m, now)
		} else if u.crew.trial {
			u.crew.stray(m)
		}
		if u.crew.script.Awaited[m.Event] {
			u.keep(m)
		}
	}
}

// hasJoined reports whether the user is in a topic, by the join of that ref; servers
// that know no such refs send none.
func (u *user) hasJoined(name, joinRef string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.topics {
		if t.joinRef != "" && t.name == name && (joinRef == "" || joinRef == t.joinRef) {
			return true
		}
	}
	return false
}

// replied hands a reply to the step that waits for it.
func (u *user) replied(m channels.Message, now int64) {
	a, err := m.Answer()
	if err != nil {
		a = channels.Answer{Response: m.Payload} // without a status
	}
	if m.IsBinary {
		a.Response = nil // it is no JSON
	}
	u.mu.Lock()
	w := u.waits[m.Ref]
	delete(u.waits, m.Ref)
	if w != nil && w.joins >= 0 && a.Status == "ok" {
		u.account.came(w.as.name, now)
		u.topics[w.joins] = w.as
	}
	u.mu.Unlock()
	switch {
	case w != nil:
		w.reply <- reply{a, now} // it has room for the one
		u.crew.count(func(c *order.Counts) { c.Replies++ })
	case err != nil:
		u.crew.unreadable(m.Payload)
	case a.Status != "ok":
		u.crew.fault("error reply that no step waits for: " + a.Reason())
	}
}

// marked takes a message that may have a stamp.
func (u *user) marked(m channels.Message, now int64) {
	text := m.Binary
	if !m.IsBinary {
		text = m.Payload
	}
	s, ok := channels.FindStamp(text)
	if !ok {
		u.crew.unreadable([]byte(m.Event + " on " + m.Topic + ": " + string(text)))
		return
	}
	at := place(m.Topic, m.Event)
	if s.Seq&private != 0 {
		at = ""
	}
	isOurs := s.Writer-u.crew.orders.Writer < uint32(u.crew.orders.Users)
	u.mu.Lock()
	if copied := u.copies[stamped{at, s.Seq}]; copied != nil && s.Writer == u.crew.writer {
		delete(u.copies, stamped{at, s.Seq})
		copied <- now // it has room for the one
	}
	isNew, owed, reordered := true, false, false
	if at != "" && isOurs {
		isNew = u.account.take(at, s.Writer, s.Seq)
		owed = u.account.owed(m.Topic, s.Sent)
		reordered = isNew && u.account.reorders(at, s)
	}
	u.mu.Unlock()
	switch {
	case !isNew:
		u.crew.count(func(c *order.Counts) { c.Duplicated++ })
	case owed:
		u.crew.delivered(s, now)
	}
	if reordered {
		u.crew.count(func(c *order.Counts) { c.Reordered++ })
	}
}

// delivered counts a message that was owed.
func (c *crew) delivered(s channels.Stamp, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Delivered++
	c.lastReceipt = max(c.lastReceipt, now)
	took := now - s.Intended
	order.Observe(c.latency, took)
	order.Observe(c.rawLatency, now-s.Sent)
	order.Observe(c.interval, took)
	if took > int64(c.orders.Late) {
		c.counts.Late++
	}
}

// maxInbox is how many messages are kept for steps that expect them; the oldest go.
const maxInbox = 64

// keep keeps a message for a step that expects it.
func (u *user) keep(m channels.Message) {
	u.mu.Lock()
	if u.inbox = append(u.inbox, m); len(u.inbox) > maxInbox {
		u.inbox = u.inbox[1:]
	}
	u.mu.Unlock()
	select {
	case u.news <- struct{}{}:
	default:
	}
}
