package presence

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/tracker"
	"github.com/roost-rt/roost/server/phx"
)

// wire is the topic on which nodes talk to each other. It begins with NUL, so no
// client can join it.
func (p *Presence) wire() string { return "\x00presence:" + p.cfg.Name }

// What nodes say on it. A delta without changes says that its node is there, and how
// far it has come; ask says to one node how far the asking one knows it.
const (
	sayDelta = "delta " // and the node's name
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
	due := time.Now() // to say at once that an earlier life of this node is over
	timer := time.NewTimer(0)
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
		news, clock := p.newsSince(told, now, now.Sub(due), now.Sub(spoke) >= p.cfg.DownAfter/3)
		due = now.Add(beat)
		if news != nil {
			spoke = now
			if told = p.broadcast(news, told, clock); told != clock {
				due = now.Add(p.cfg.Period)
			}
		}
		timer.Reset(due.Sub(now))
		p.watch(now)
	}
}

// newsSince is what the other nodes have not been told, at least the clock if it has
// to be said that this node is there. This one looks later than it wanted to.
func (p *Presence) newsSince(told uint64, now time.Time, late time.Duration, speak bool) ([]tracker.Delta, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late > p.cfg.Period { // a busy host is not a dead node
		p.state.Forgive(late, now)
	}
	p.countLocked()
	clock := p.state.Clock()
	if clock == told && !speak {
		return nil, clock
	}
	if p.unheard.IsZero() {
		p.unheard = now
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
	p.state.DropAll()
	news, clock := p.state.Since(told), p.state.Clock()
	p.mu.Unlock()
	p.broadcast(news, told, clock) // if it fails, the others find out in time
}

// broadcast sends to all other nodes what has changed from clock told to clock to. It
// returns the clock up to which that was done, before too much waited to be sent: a
// snapshot counts only as a whole.
func (p *Presence) broadcast(news []tracker.Delta, told, to uint64) uint64 {
	for _, d := range news {
		if err := p.ep.Broadcast(p.wire(), sayDelta+d.Node, d); err != nil {
			p.notSaid(err)
			return told
		}
		if d.Parts == 0 {
			told = d.To
		}
	}
	return to
}

// notSaid has smaller deltas sent where the adapter does not take such large ones.
func (p *Presence) notSaid(err error) {
	p.mu.Lock()
	p.unheard = time.Time{}
	hopeless := errors.Is(err, pubsub.ErrTooLarge) && !p.state.Shrink()
	p.mu.Unlock()
	if hopeless {
		p.cfg.Logger.Error("presence: other nodes cannot be told of a presence", "err", err)
	}
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
	lost := p.downLocked(now)
	silent := make(map[string]uint64)
	for _, node := range p.state.Silent(now.Add(-p.cfg.DownAfter * 2 / 3)) {
		silent[node] = p.state.Known(node)
	}
	p.state.ForgetDown(now.Add(-p.cfg.ForgetAfter))
	p.mu.Unlock()
	for _, node := range lost {
		p.cfg.Logger.Warn("presence: nothing is heard of a node: its presences leave", "node", node, "for", p.cfg.DownAfter)
	}
	for node, known := range silent {
		p.ask(node, known)
	}
}

// downLocked has the presences of silent nodes leave, and returns the nodes that had
// some. A node that has not even heard itself, because all its workers are busy, cannot
// say who is silent.
func (p *Presence) downLocked(now time.Time) (lost []string) {
	if !p.unheard.IsZero() && now.Sub(p.unheard) > p.cfg.Period {
		return nil
	}
	for _, node := range p.state.Silent(now.Add(-p.cfg.DownAfter)) {
		leaves := p.state.Down(node)
		p.seeLocked(leaves)
		if len(leaves) > 0 {
			lost = append(lost, node)
		}
	}
	return lost
}

// ask asks a node for what is new there. That a node is unknown now, or that too much
// waits to be sent, is no matter: there is a next time.
func (p *Presence) ask(node string, known uint64) {
	_ = p.ep.BroadcastTo(node, p.wire(), sayAsk, ask{p.ep.Node(), known})
}

// hear takes what a node says.
func (p *Presence) hear(b phx.Broadcast) {
	node, isDelta := strings.CutPrefix(b.Event, sayDelta)
	switch {
	case isDelta && node == p.ep.Node():
		p.mu.Lock()
		p.unheard = time.Time{}
		p.mu.Unlock()
	case isDelta:
		if err := p.hearDelta(b.Payload.JSON()); err != nil {
			p.cfg.Logger.Warn("presence: a message of another node makes no sense", "node", node, "err", err)
		}
	case b.Event == sayAsk:
		var a ask
		if err := json.Unmarshal(b.Payload.JSON(), &a); err == nil && a.Node != p.ep.Node() {
			p.answer(a)
		}
	}
}

func (p *Presence) hearDelta(text []byte) error {
	var d tracker.Delta
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	p.mu.Lock()
	steps, ask, err := p.state.Apply(d, time.Now())
	p.seeLocked(steps)
	known := p.state.Known(d.Node)
	p.mu.Unlock()
	if ask {
		p.ask(d.Node, known)
	}
	return err
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
		if err := p.ep.BroadcastTo(a.Node, p.wire(), sayDelta+d.Node, d); err != nil {
			p.notSaid(err)
			return // it asks again
		}
	}
}
