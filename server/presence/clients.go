package presence

import (
	"encoding/json"
	"runtime/debug"
	"time"
)

const (
	smallTopic = 100                    // presences; changes are told at once up to here
	retryAfter = 100 * time.Millisecond // when too much waits to be delivered
)

// touchLocked has clients told what is new on a topic, and soon enough.
func (p *Presence) touchLocked(t *topic) {
	if t.queued {
		return
	}
	t.queued = true
	p.dirty = append(p.dirty, t)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// tellClients tells those of this node what changes, topic by topic, until Close.
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
		timer.Reset(p.tellDue())
	}
}

// tellDue tells of all topics whose time has come, and returns when the next one's
// will.
func (p *Presence) tellDue() time.Duration {
	now := time.Now()
	p.mu.Lock()
	var due []*topic
	later := p.dirty[:0]
	next := time.Hour
	for _, t := range p.dirty {
		if wait := t.due.Sub(now); wait > 0 {
			later = append(later, t)
			next = min(next, wait)
			continue
		}
		t.queued = false
		due = append(due, t)
	}
	clear(p.dirty[len(later):])
	p.dirty = later
	p.mu.Unlock()
	for _, t := range due {
		if !p.tell(t, now) {
			next = min(next, retryAfter)
		}
	}
	return next
}

// tell sends a topic's diff to its clients. It reports false if it has to be tried
// again.
func (p *Presence) tell(t *topic, now time.Time) bool {
	p.mu.Lock()
	news, count := t.pending, t.count()
	t.pending = newDiff()
	t.version++ // before anybody gets the diff: who comes after that has what is in it
	counts := (t.level > 0 || p.countOnly(t.name)) && count != t.told
	if t.n > smallTopic {
		t.due = now.Add(p.cfg.Window)
	}
	p.mu.Unlock()

	if !news.empty() && !p.tellDiff(t.name, news, count) {
		p.mu.Lock()
		defer p.mu.Unlock()
		t.pending = news.then(t.pending)
		t.due = now.Add(retryAfter)
		p.touchLocked(t)
		return false
	}
	if counts {
		if err := p.ep.LocalBroadcast(t.name, "presence_count", counted{count}); err == nil {
			t.told = count // of this goroutine alone
		}
	}
	p.forget(t)
	return true
}

// forget lets a topic go that nobody is on. Who comes next makes another.
func (p *Presence) forget(t *topic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.n == 0 && t.own == 0 && !t.queued && !p.counts[t] {
		delete(p.topics, t.name)
	}
}

func (p *Presence) tellDiff(topic string, news diff, count int) bool {
	d := Diff{topic, entries(news.joins), entries(news.leaves), count}
	if p.ep.Subscribers(topic) > 0 {
		joins, leaves := d.Joins, d.Leaves
		if p.cfg.Fetch != nil {
			joins, leaves = entries(news.joins), entries(news.leaves) // Changed gets them as they are
			p.fetch(topic, joins)
			p.fetch(topic, leaves)
		}
		payload := encode(map[string]any{"joins": joins, "leaves": leaves})
		if err := p.ep.LocalBroadcast(topic, "presence_diff", payload); err != nil {
			return false
		}
	}
	if p.cfg.Changed != nil {
		p.guard(func() { p.cfg.Changed(d) })
	}
	return true
}

// encode makes JSON of what cannot fail, except for fields that Fetch has added.
func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		text, _ = json.Marshal(map[string]string{})
	}
	return text
}

// fetch has the application add its fields.
func (p *Presence) fetch(topic string, all map[string]*Entry) {
	if p.cfg.Fetch == nil || len(all) == 0 {
		return
	}
	p.guard(func() { p.cfg.Fetch(topic, all) })
	for _, e := range all {
		if _, err := json.Marshal(e.Fields); err != nil {
			p.cfg.Logger.Error("presence: Fetch adds what is no JSON", "topic", topic, "err", err)
			e.Fields = nil
		}
	}
}

// guard calls a function of the application.
func (p *Presence) guard(do func()) {
	defer func() {
		if r := recover(); r != nil {
			p.cfg.Logger.Error("presence: panic in a function of the Config", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	do()
}
