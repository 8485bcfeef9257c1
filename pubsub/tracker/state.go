package tracker

import (
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	minLog   = 1 << 20   // bytes of own changes kept for nodes that have missed some
	maxBytes = 256 << 10 // of a Delta, about
	minBytes = 8 << 10
	askAgain = time.Second
)

// A State holds what one node knows of all nodes.
type State struct {
	self     Replica
	clock    uint64
	own      map[string]*Entry // by ref
	ownBytes int
	log      []Op // the last own changes; the newest led to clock
	logBytes int
	maxBytes int // of a Delta, about
	remotes  map[string]*remote
}

// A remote is another node.
type remote struct {
	start   int64
	clock   uint64
	entries map[string]*Entry // by ref
	parts   *parts            // a snapshot that has come in part, or nil
	heard   time.Time
	asked   time.Time // when it was found to be ahead, or sent a part of a snapshot
	down    bool
}

// parts holds the parts of a snapshot that have come.
type parts struct {
	clock   uint64
	of      int
	have    map[int]bool
	entries map[string]*Entry
}

// New returns the state of a node that has just started and knows nothing.
func New(self Replica) *State {
	return &State{self: self, own: make(map[string]*Entry), maxBytes: maxBytes, remotes: make(map[string]*remote)}
}

// Clock is this node's.
func (s *State) Clock() uint64 { return s.clock }

// Put adds an entry of this node, or replaces the one with its Ref.
func (s *State) Put(e Entry) {
	if old := s.own[e.Ref]; old != nil {
		s.ownBytes -= old.size()
	}
	s.own[e.Ref] = &e
	s.ownBytes += e.size()
	s.step(Op{Put: &e})
}

// Drop removes an entry of this node. It reports false if there is none.
func (s *State) Drop(ref string) bool {
	e := s.own[ref]
	if e == nil {
		return false
	}
	delete(s.own, ref)
	s.ownBytes -= e.size()
	s.step(Op{Drop: ref})
	return true
}

// DropAll removes all entries of this node.
func (s *State) DropAll() {
	for ref := range s.own {
		s.Drop(ref)
	}
}

// Len is how many entries of its own this node has.
func (s *State) Len() int { return len(s.own) }

// Has reports whether this node has an entry of its own with the ref.
func (s *State) Has(ref string) bool { return s.own[ref] != nil }

// step logs a change. The log is kept up to the size of a snapshot, at least minLog, so
// that a burst of changes is not sent as snapshots.
func (s *State) step(op Op) {
	s.clock++
	s.log = append(s.log, op)
	s.logBytes += op.size()
	keep := max(minLog, s.ownBytes)
	if s.logBytes <= 2*keep { // so that cutting the log costs little on average
		return
	}
	first := 0
	for ; s.logBytes > keep; first++ {
		s.logBytes -= s.log[first].size()
	}
	s.log = slices.Clone(s.log[first:])
}

// Shrink halves the size of deltas, for when they are too large to be sent. It reports
// false if they are small already.
func (s *State) Shrink() bool {
	if s.maxBytes <= minBytes {
		return false
	}
	s.maxBytes /= 2
	return true
}

// Since returns the changes on this node since a clock, or a snapshot if that is too long
// ago, or 0. For the present clock it returns the clock alone.
func (s *State) Since(clock uint64) []Delta {
	if clock == s.clock {
		return []Delta{{Replica: s.self, From: clock, To: clock}}
	}
	if clock == 0 || clock > s.clock || s.clock-clock > uint64(len(s.log)) {
		return s.snapshot()
	}
	var all []Delta
	for _, ops := range s.split(s.log[uint64(len(s.log))-(s.clock-clock):]) {
		all = append(all, Delta{Replica: s.self, From: clock, To: clock + uint64(len(ops)), Ops: ops})
		clock += uint64(len(ops))
	}
	return all
}

// snapshot is all entries of this node. At one clock all snapshots have the same parts, so
// a part of one can replace the same part of another.
func (s *State) snapshot() []Delta {
	ops := make([]Op, 0, len(s.own))
	for _, e := range s.own {
		ops = append(ops, Op{Put: e})
	}
	slices.SortFunc(ops, func(a, b Op) int { return strings.Compare(a.Put.Ref, b.Put.Ref) })
	pieces := s.split(ops)
	if len(pieces) == 0 {
		pieces = [][]Op{nil}
	}
	var all []Delta
	for i, ops := range pieces {
		all = append(all, Delta{Replica: s.self, To: s.clock, Part: i, Parts: len(pieces), Ops: ops})
	}
	return all
}

// split cuts a list into pieces of about maxBytes at most.
func (s *State) split(ops []Op) [][]Op {
	var pieces [][]Op
	first, bytes := 0, 0
	for i := range ops {
		size := ops[i].size()
		if i > first && bytes+size > s.maxBytes {
			pieces = append(pieces, ops[first:i])
			first, bytes = i, 0
		}
		bytes += size
	}
	if first < len(ops) {
		pieces = append(pieces, ops[first:])
	}
	return pieces
}

// Apply takes what another node says of itself. If ask is set, that node is ahead: ask
// it for the changes since the clock that Known returns. An error means that no node
// says this; then nothing has changed.
func (s *State) Apply(d Delta, now time.Time) (c Change, ask bool, err error) {
	if err := d.check(); err != nil {
		return nil, false, err
	}
	if d.Node == s.self.Node {
		return nil, false, nil
	}
	r := s.remotes[d.Node]
	switch {
	case r != nil && r.start > d.Start && !r.down: // of an earlier life, unless that node's clock was put back
		return nil, false, nil
	case r == nil || r.start != d.Start:
		c = s.Forget(d.Node)
		r = &remote{start: d.Start, entries: make(map[string]*Entry)}
		s.remotes[d.Node] = r
	case r.down:
		r.down = false
		for _, e := range r.entries {
			c.join(*e)
		}
	}
	r.heard = now
	if d.Parts > 0 { // the others are on their way
		r.asked = now
	}
	if !r.read(&d, &c) && now.Sub(r.asked) >= askAgain {
		r.asked, ask = now, true
	}
	return c, ask, nil
}

// read takes what is new in a delta. It reports false if changes before it are missing.
func (r *remote) read(d *Delta, c *Change) bool {
	switch {
	case d.To <= r.clock: // known
		return true
	case d.Parts > 0:
		r.collect(d, c)
		return true
	case d.From > r.clock || d.From == d.To:
		return false
	}
	for _, op := range d.Ops[r.clock-d.From:] {
		if e := op.Put; e != nil {
			old, had := r.entries[e.Ref]
			r.entries[e.Ref] = e
			c.put(old, had, e)
		} else if old, had := r.entries[op.Drop]; had {
			delete(r.entries, op.Drop)
			c.leave(*old)
		}
	}
	r.clock, r.parts = d.To, nil
	return true
}

// collect takes a part of a snapshot, and applies the snapshot once no part is missing.
func (r *remote) collect(d *Delta, c *Change) {
	p := r.parts
	switch {
	case p != nil && p.clock > d.To: // of an older one
		return
	case p == nil || p.clock < d.To || p.of != d.Parts:
		p = &parts{clock: d.To, of: d.Parts, have: make(map[int]bool), entries: make(map[string]*Entry)}
		r.parts = p
	}
	p.have[d.Part] = true
	for _, op := range d.Ops {
		p.entries[op.Put.Ref] = op.Put
	}
	if len(p.have) < d.Parts {
		return
	}
	for ref, old := range r.entries {
		if _, still := p.entries[ref]; !still {
			c.leave(*old)
		}
	}
	for ref, e := range p.entries {
		if old, had := r.entries[ref]; !had || !old.equal(e) {
			c.put(old, had, e)
		}
	}
	r.entries, r.clock, r.parts = p.entries, p.clock, nil
}

func (e *Entry) equal(other *Entry) bool {
	return e.Topic == other.Topic && e.Key == other.Key && e.Count == other.Count && string(e.Meta) == string(other.Meta)
}

// Known is the clock up to which this node knows another, 0 if it knows nothing.
func (s *State) Known(node string) uint64 {
	if r := s.remotes[node]; r != nil {
		return r.clock
	}
	return 0
}

// Silent returns the other nodes that are up but have been silent since a time.
func (s *State) Silent(since time.Time) (nodes []string) {
	for node, r := range s.remotes {
		if !r.down && r.heard.Before(since) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// Nodes is how many other nodes are up, and how many are down and kept.
func (s *State) Nodes() (up, down int) {
	for _, r := range s.remotes {
		if r.down {
			down++
		} else {
			up++
		}
	}
	return up, down
}

// Down has the entries of a node leave, until it is heard again.
func (s *State) Down(node string) (c Change) {
	if r := s.remotes[node]; r != nil && !r.down {
		r.down, r.parts = true, nil
		for _, e := range r.entries {
			c.leave(*e)
		}
	}
	return c
}

// Forget is Down for good: if the node is heard again, it is new.
func (s *State) Forget(node string) (c Change) {
	c = s.Down(node)
	delete(s.remotes, node)
	return c
}

// ForgetDown forgets the nodes that are down and have been silent since a time. Their
// entries left when they went down.
func (s *State) ForgetDown(since time.Time) {
	maps.DeleteFunc(s.remotes, func(_ string, r *remote) bool { return r.down && r.heard.Before(since) })
}

// Forgive makes up for a delay of this node itself: it moves the time at which each node
// was last heard by that much, but not beyond now.
func (s *State) Forgive(late time.Duration, now time.Time) {
	for _, r := range s.remotes {
		if r.heard = r.heard.Add(late); r.heard.After(now) {
			r.heard = now
		}
	}
}
