package presence

import (
	"encoding/json"
	"time"

	"github.com/roost-rt/roost/pubsub/tracker"
	"github.com/roost-rt/roost/server/phx"
)

// wire is the topic on which nodes talk to each other. It begins with NUL, so no
// client can join it.
func (p *Presence) wire() string { return "\x00presence:" + p.cfg.Name }

// What nodes say on it. A delta without changes says that its node is there, and how
// far it has come; ask says to one node how far the asking one knows it.
const (
	sayDelta = "delta"
	sayAsk   = "ask"
)

// An ask is answered with what has changed since.
type ask struct {
	Node  string `json:"node"` // who asks
	Since uint64 `json:"since"`
}

// tellNodes tells the other nodes what changes on this one, some time after it has so
// that more goes with it, and looks after those that say nothing, until Close.
func (p *Presence) tellNodes() {
	beat := p.cfg.DownAfter / 6
	due := time.Now().Add(beat)
	timer := time.NewTimer(beat)
	defer timer.Stop()
	var told uint64 // the clock up to which the others have been told
	var spoke time.Time
	_ = p.ep.Broadcast(p.wire(), sayAsk, ask{Node: p.ep.Node()}) // or it hears of the others in time
	for {
		select {
		case <-p.stop:
			p.tellLast(told)
			return
		case <-p.changed:
			if soon := time.Now().Add(p.cfg.Period); soon.Before(due) {
				due = soon
				timer.Reset(p.cfg.Period)
			}
			continue
		case <-timer.C:
		}
		now := time.Now()
		news, clock := p.newsSince(told, now.Sub(due), now.Sub(spoke) >= p.cfg.DownAfter/3)
		due = now.Add(beat)
		switch {
		case news == nil:
		case p.broadcast(news):
			told, spoke = clock, now
		default:
			due = now.Add(p.cfg.Period)
		}
		timer.Reset(due.Sub(now))
		p.watch(now)
	}
}

// newsSince is what the other nodes have not been told, at least the clock if it has
// to be said that this node is there. This one looks later than it wanted to.
func (p *Presence) newsSince(told uint64, late time.Duration, speak bool) ([]tracker.Delta, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late > p.cfg.Period { // a busy host is not a dead node
		p.state.Forgive(late)
	}
	p.countLocked()
	clock := p.state.Clock()
	if clock == told && !speak {
		return nil, clock
	}
	return p.state.Since(told), clock
}

// changedLocked has the other nodes told soon.
func (p *Presence) changedLocked() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// tellLast says what has changed before the end, and that nobody is here any more.
func (p *Presence) tellLast(told uint64) {
	p.mu.Lock()
	for _, all := range p.local {
		for _, t := range all {
			p.state.Drop(t.ref)
		}
	}
	for _, t := range p.topics {
		p.state.Drop(countRef(t.name))
	}
	news := p.state.Since(told)
	p.mu.Unlock()
	p.broadcast(news) // if it fails, the others find out in time
}

// broadcast sends deltas to all other nodes. It reports false if too much waits to be
// sent; then all of them are sent again.
func (p *Presence) broadcast(news []tracker.Delta) bool {
	for _, d := range news {
		if p.ep.Broadcast(p.wire(), sayDelta, d) != nil {
			return false
		}
	}
	return true
}

// countLocked has the tracker know how many are only counted here.
func (p *Presence) countLocked() {
	for t := range p.counts {
		ref := countRef(t.name)
		if t.own > 0 {
			p.state.Put(tracker.Entry{Topic: t.name, Ref: ref, Count: t.own})
		} else {
			p.state.Drop(ref)
			p.touchLocked(t) // it may be nobody's now
		}
	}
	clear(p.counts)
}

// countRef is the ref of the entry that counts for a topic. No other ref has a space.
func countRef(topic string) string { return "count " + topic }

// watch asks nodes that have said nothing for long, and takes them to be down when
// that did not help.
func (p *Presence) watch(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, node := range p.state.Silent(now.Add(-p.cfg.DownAfter)) {
		p.cfg.Logger.Warn("presence: nothing is heard of a node: its presences leave", "node", node, "for", p.cfg.DownAfter)
		p.seeLocked(p.state.Down(node))
	}
	for _, node := range p.state.Silent(now.Add(-p.cfg.DownAfter * 2 / 3)) {
		p.askLocked(node)
	}
	p.state.ForgetDown(now.Add(-p.cfg.ForgetAfter))
}

// askLocked asks a node for what is new there. That a node is unknown now, or that too
// much waits to be sent, is no matter: there is a next time.
func (p *Presence) askLocked(node string) {
	_ = p.ep.BroadcastTo(node, p.wire(), sayAsk, ask{p.ep.Node(), p.state.Known(node)})
}

// hear takes what a node says.
func (p *Presence) hear(b phx.Broadcast) {
	switch b.Event {
	case sayDelta:
		var d tracker.Delta
		if err := json.Unmarshal(b.Payload.JSON(), &d); err != nil {
			p.cfg.Logger.Warn("presence: a node says what cannot be read", "err", err)
			return
		}
		p.hearDelta(d)
	case sayAsk:
		var a ask
		if err := json.Unmarshal(b.Payload.JSON(), &a); err == nil && a.Node != p.ep.Node() {
			p.answer(a)
		}
	}
}

func (p *Presence) hearDelta(d tracker.Delta) {
	p.mu.Lock()
	defer p.mu.Unlock()
	steps, ask, err := p.state.Apply(d, time.Now())
	if err != nil {
		p.cfg.Logger.Warn("presence: a node says what makes no sense", "node", d.Node, "err", err)
		return
	}
	p.seeLocked(steps)
	if ask {
		p.askLocked(d.Node)
	}
}

// seeLocked has the clients of this node see what has changed on another.
func (p *Presence) seeLocked(steps tracker.Change) {
	for _, s := range steps {
		p.applyLocked(s)
	}
}

func (p *Presence) answer(a ask) {
	p.mu.Lock()
	p.countLocked()
	news := p.state.Since(a.Since)
	p.mu.Unlock()
	for _, d := range news {
		if p.ep.BroadcastTo(a.Node, p.wire(), sayDelta, d) != nil {
			return // it asks again
		}
	}
}
