package presence

import (
	"encoding/json"
	"time"

	"github.com/roost-rt/roost/server/internal/panics"
)

const (
	smallTopic = 100                    // presences; changes are told at once up to here
	retryAfter = 100 * time.Millisecond // if a broadcast was refused because too much waits
	together   = 5 * time.Millisecond   // topics that are due within it are told together
)

// touchLocked has clients told what is new on a topic once that is due.
func (p *Presence) touchLocked(t *topic) {
	if t.queued {
		return
	}
	t.queued = true
	p.dirty = append(p.dirty, t)
	if t.due.After(p.nextDue) {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// tellClients tells the clients of this node what changes, topic by topic, until Close.
func (p *Presence) tellClients() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-p.wake:
		case <-timer.C:
		}
		timer.Reset(time.Until(p.tellDue(time.Now())))
	}
}

// tellDue tells clients of all topics that are due, and returns when the next one is.
// It looks at every changed topic, so topics that are due close together share a call.
func (p *Presence) tellDue(now time.Time) (next time.Time) {
	p.mu.Lock()
	var due []*topic
	later := p.dirty[:0]
	next = now.Add(time.Hour)
	for _, t := range p.dirty {
		if t.due.After(now) {
			later = append(later, t)
			if t.due.Before(next) {
				next = t.due
			}
			continue
		}
		t.queued = false
		due = append(due, t)
	}
	clear(p.dirty[len(later):])
	p.dirty = later
	if soon := now.Add(together); next.Before(soon) {
		next = soon
	}
	p.nextDue = next
	p.mu.Unlock()
	for _, t := range due {
		p.guard(func() { p.tell(t, now) })
	}
	return next
}

// tell sends a topic's diff and count to its clients, or has that retried.
func (p *Presence) tell(t *topic, now time.Time) {
	p.mu.Lock()
	news, count := t.pending, t.count()
	t.pending = diff{}
	if !news.empty() {
		t.renew() // before anyone gets the diff: whoever comes later has it in their state
	}
	if t.n > smallTopic {
		t.due = now.Add(p.cfg.window(t.messages()))
	}
	p.mu.Unlock()

	if news.empty() || p.tellDiff(t, &news, count) {
		news = diff{}
		if p.tellCount(t) {
			p.forget(t)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.pending = news.then(t.pending)
	t.due = now.Add(retryAfter)
	p.touchLocked(t)
}

// tellCount tells how many there are, if that has changed and clients cannot see it from
// diffs. It reports false if part of it was not sent.
func (p *Presence) tellCount(t *topic) bool {
	only := p.countOnly(t.name)
	t.order.Lock() // or a newcomer could get an older count after this one
	defer t.order.Unlock()
	p.mu.Lock()
	count, rest := t.count(), make(map[string]int)
	for key := range t.uncount {
		rest[key] = t.rest(key)
	}
	news := len(rest) > 0 || (t.level > 0 || only) && count != t.told
	if news {
		t.told, t.uncount = count, nil
	}
	p.mu.Unlock()
	if !news {
		return true
	}
	for _, part := range countParts(count, rest, p.cfg.MaxMessage) {
		if p.ep.LocalBroadcast(t.name, "presence_count", part) != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.told = -1
			for key := range rest {
				t.recountSeen(key)
			}
			return false
		}
	}
	return true
}

// forget drops a topic that nobody is on. The next to come makes it anew.
func (p *Presence) forget(t *topic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.n == 0 && t.own == 0 && !t.queued && !p.counts[t] {
		delete(p.topics, t.name)
	}
}

// tellDiff reports false if part of the diff was not sent.
func (p *Presence) tellDiff(t *topic, news *diff, count int) bool {
	if p.ep.Subscribers(t.name) > 0 && !p.broadcastDiff(t, news) {
		return false
	}
	if p.cfg.Changed != nil {
		d := Diff{t.name, entries(news.joins), entries(news.leaves), count} // without the fields of Fetch
		p.guard(func() { p.cfg.Changed(d) })
	}
	return true
}

func (p *Presence) broadcastDiff(t *topic, news *diff) bool {
	joins, leaves := entries(news.joins), entries(news.leaves)
	p.fetch(t.name, joins)
	p.fetch(t.name, leaves)
	parts := diffParts(joins, leaves, p.cfg.MaxMessage)
	t.order.Lock()
	defer t.order.Unlock()
	for i, part := range parts {
		if err := p.ep.LocalBroadcast(t.name, "presence_diff", json.RawMessage(part)); err != nil {
			news.shown = news.shown || i > 0 // in part
			return false
		}
		p.countDiff(part)
	}
	return true
}

func (p *Presence) countDiff(payload []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.diffs++
	p.diffBytes += uint64(len(payload))
}

// fetch lets the application add its fields.
func (p *Presence) fetch(topic string, all map[string]*Entry) {
	if p.cfg.Fetch == nil || len(all) == 0 {
		return
	}
	p.guard(func() { p.cfg.Fetch(topic, all) })
	for _, e := range all {
		err := panics.ErrExit
		if !p.guard(func() { _, err = json.Marshal(e.Fields) }) || err != nil {
			p.cfg.Logger.Error("presence: Fetch adds a value that is not JSON", "topic", topic, "err", err)
			e.Fields = nil
		}
	}
}

// guard calls code of the application, and reports whether it has returned.
func (p *Presence) guard(do func()) bool {
	err := panics.Contain(do)
	if err != nil {
		p.cfg.Logger.Error("presence: code of the application has not returned", "err", err)
	}
	return err == nil
}
