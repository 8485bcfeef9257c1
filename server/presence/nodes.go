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

// Messages on it. A delta without changes says that its node is up, and at which clock.
// An ask tells one node up to which clock the sender knows it.
const (
	sayDelta = "delta " // and the node's name
	sayAsk   = "ask"
)

// An ask is answered with the changes since.
type ask struct {
	Node  string `json:"node"` // who asks
	Since uint64 `json:"since"`
}

// tellNodes tells the other nodes what changes on this one, after a Period so that more
// changes share a message, and watches for nodes that are silent, until Close.
func (p *Presence) tellNodes() {
	beat := p.cfg.DownAfter / 6
	due := time.Now() // at once, to end an earlier life of this node
	timer := time.NewTimer(0)
	defer timer.Stop()
	var told uint64 // the clock up to which the others have been told
	var spoke time.Time
	_ = p.ep.Broadcast(p.wire(), sayAsk, ask{Node: p.ep.Node()}) // if it fails, their beats will do
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
		news, clock, next := p.newsSince(told, now, now.Sub(due), now.Sub(spoke) >= p.cfg.DownAfter/3)
		if due = now.Add(beat); next.Before(due) {
			due = next
		}
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

// newsSince is what the other nodes have yet to be told; with speak, at least the clock.
// late is by how much this call is overdue. Counts that have to wait are due at next.
func (p *Presence) newsSince(told uint64, now time.Time, late time.Duration, speak bool) (news []tracker.Delta, clock uint64, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late > p.cfg.Period { // this host is busy, which does not make others dead
		p.state.Forgive(late, now)
	}
	next = p.countLocked(now)
	clock = p.state.Clock()
	if clock == told && !speak {
		return nil, clock, next
	}
	if p.unheard.IsZero() {
		p.unheard = now
	}
	return p.state.Since(told), clock, next
}

// changedLocked has the other nodes told within a Period.
func (p *Presence) changedLocked() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// tellLast tells the last changes, and that everybody has left.
func (p *Presence) tellLast(told uint64) {
	p.mu.Lock()
	p.state.DropAll()
	news, clock := p.state.Since(told), p.state.Clock()
	p.mu.Unlock()
	p.broadcast(news, told, clock) // if it fails, the others find out in time
}

// broadcast sends the changes from clock told to clock to to all other nodes. It returns
// the clock that it got to before a message was refused; a snapshot counts only as a
// whole.
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

// notSaid makes deltas smaller if the adapter refused one as too large.
func (p *Presence) notSaid(err error) {
	p.mu.Lock()
	p.unheard = time.Time{}
	hopeless := errors.Is(err, pubsub.ErrTooLarge) && !p.state.Shrink()
	p.mu.Unlock()
	if hopeless {
		p.cfg.Logger.Error("presence: other nodes cannot be told of a presence", "err", err)
	}
}

// countLocked has the tracker know how many are only counted here, topic by topic: each
// node tells each other, and of a large topic clients are told seldom anyway. It returns
// when to do that again: in an hour if no count has to wait.
func (p *Presence) countLocked(now time.Time) (next time.Time) {
	next = now.Add(time.Hour)
	for t := range p.counts {
		if now.Before(t.quiet) {
			if t.quiet.Before(next) {
				next = t.quiet
			}
			continue
		}
		delete(p.counts, t)
		t.quiet = now.Add(p.cfg.pace(t.n))
		ref := countRef(t.name)
		if t.own > 0 {
			p.state.Put(tracker.Entry{Topic: t.name, Ref: ref, Count: t.own})
		} else {
			p.state.Drop(ref)
			p.touchLocked(t) // it may be nobody's now
		}
	}
	return next
}

// countRef is the ref of the entry that counts for a topic. No other ref has a space.
func countRef(topic string) string { return "count " + topic }

// watch asks nodes that have been silent for long whether they are there, and takes those
// that do not answer to be down.
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

// downLocked makes the presences of silent nodes leave, and returns the nodes that had
// some. A node that does not even hear itself, because all its workers are busy, cannot
// tell who is silent.
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

// ask asks a node for what is new there. If that fails, because the node is unknown or too
// much waits to be sent, there will be another occasion.
func (p *Presence) ask(node string, known uint64) {
	_ = p.ep.BroadcastTo(node, p.wire(), sayAsk, ask{p.ep.Node(), known})
}

// hear handles a message of a node.
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

// seeLocked has the clients of this node see what has changed on another. Topics get the
// size of all steps together: a new count is two of them, the old one's leave and a join.
func (p *Presence) seeLocked(steps tracker.Change) {
	touched := make(map[*topic]bool)
	for _, s := range steps {
		touched[p.stepLocked(s)] = true
	}
	for t := range touched {
		p.settleLocked(t)
	}
}

func (p *Presence) answer(a ask) {
	p.mu.Lock()
	p.countLocked(time.Now())
	news := p.state.Since(a.Since)
	p.mu.Unlock()
	for _, d := range news {
		if err := p.ep.BroadcastTo(a.Node, p.wire(), sayDelta+d.Node, d); err != nil {
			p.notSaid(err)
			return // it asks again
		}
	}
}
