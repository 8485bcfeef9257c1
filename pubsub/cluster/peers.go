package cluster

import (
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

const (
	silence  = 3    // beats without a word until a node counts as gone
	memory   = 100  // beats until it is forgotten, and what it missed with it
	maxPeers = 4096 // see peers.most; also what they want that waits

	chaseBudget = 4096 // places looked after at a time
)

// A peer is another node, or what was one before it started again.
type peer struct {
	name    string
	heard   time.Time
	here    bool // heard lately
	left    bool // has said goodbye
	awaited bool // was here when the link was lost, and not heard since

	serials   [kinds]serials       // of what it has signed, by kind: each of them comes in order
	answered  uint64               // the last seek of this node that its rows have come for, and those for all before
	edition   uint64               // of its table, as far as it is known here
	early     bool                 // its build knows no editions
	sequences map[uint16]*sequence // by bucket, of those that this node listens to and it has sent to
}

// peers are the other nodes by id.
type peers struct {
	beat     time.Duration // immutable
	maxWait  time.Duration // immutable; for the answer to a question
	maxBytes int           // immutable; of broadcasts held for their turn
	window   time.Duration // immutable; for how long a node is remembered at least
	signed   bool          // immutable; nobody but nodes of the cluster is heard
	most     int           // immutable; further ones are not heard

	mu      sync.Mutex // guards the rest
	byID    map[uint64]*peer
	swept   time.Time          // when sweep was called last
	awaited int                // how many are
	bytes   int                // of broadcasts held
	ears    map[uint16]ear     // buckets that this node listens to
	seeks   uint64             // times that it began to listen to some
	eared   time.Time          // when it did so last
	open    map[place]struct{} // sequences in which something is missing
	events  []pubsub.NodeEvent // to be told
}

// An ear is since when this node listens to a bucket.
type ear struct {
	moment time.Time // subscribers are there; zero if there were none before
	from   time.Time // the carrier brings what is sent; zero while it may not
	seek   uint64    // number of peers.seeks then
}

// A place is where a sequence is.
type place struct {
	id     uint64
	bucket uint16
}

// heard is what an envelope told about its sender.
type heard struct {
	came   bool // it was not here before
	left   bool // it was, and said goodbye
	all    bool // nobody is awaited any more
	opens  bool // something is missing that was not, and is to be looked after
	behind bool // its whole table is needed
	replay bool // it has come before: it told nothing
	deaf   bool // there are too many nodes: it told nothing
	due    bool // it is a broadcast to deliver now
	news
}

// news are what there is to do for broadcasts of a peer, in this order.
type news struct {
	node  string     // whose they are
	lost  uint64     // so many will not come any more
	ready []envelope // these are to be delivered
	asks  bool       // and this is to be asked
	question
}

// hear takes note of an envelope.
func (p *peers) hear(e *envelope, now time.Time) (h heard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) == 0 { // nobody looks after them
		defer func() { h.opens = h.opens || len(p.open) > 0 }()
	}
	r := p.byID[e.id]
	change := pubsub.NodeAgain
	if r == nil {
		if h.deaf = len(p.byID) >= p.most; h.deaf || e.kind == leave {
			return h
		}
		r, change = newPeer(e.node), pubsub.NodeUp
		p.byID[e.id] = r
	}
	if e.serial != 0 && e.kind != broadcast && !r.serials[e.kind].isNew(e.serial) { // broadcasts have their number
		h.replay = true
		return h
	}
	// What else comes behind a goodbye was sent before it. Its numbers go on: a node that
	// closes never comes back under its id, so the goodbye was not its own.
	if r.left && (e.kind == join || e.kind == beat || e.kind == pulse) {
		r.left, change = false, pubsub.NodeUp
	}
	if h.came = !r.here && !r.left && e.kind != leave; h.came {
		p.changeLocked(r, change)
	}
	if !r.left {
		r.here, r.heard = true, now
	}
	if r.awaited {
		h.all = p.arrivedLocked(r)
	}
	h.node = r.name
	switch {
	case e.kind == broadcast || e.kind == have:
		p.orderLocked(r, e, now, &h)
	case e.kind == pulse && e.number == 0: // a piece
		h.opens = p.learnLocked(r, e, now)
	case e.kind == pulse:
		h.behind = r.edition < e.since || r.answered < p.seeks && now.Sub(p.eared) > p.beat // the answers to that are due
		if h.opens = p.learnLocked(r, e, now); !h.behind {
			r.edition = e.number // whatever was said before: that may have been forged
		}
	case e.kind == found:
		if h.opens = p.learnLocked(r, e, now); e.number == r.answered+1 { // else a table is missing
			r.answered++
		}
	case e.kind.tells():
		h.opens = p.learnLocked(r, e, now)
		r.answered, r.edition, r.early = p.seeks, e.number, e.number == 0
	}
	if h.left = e.kind == leave && !r.left; h.left {
		p.changeLocked(r, pubsub.NodeDown)
		r.left, r.here = true, false
	}
	return h
}

// changeLocked notes what is to be told of a node, or what was one before it started
// again: another one of that name is the same node.
func (p *peers) changeLocked(r *peer, change pubsub.NodeChange) {
	for _, other := range p.byID {
		if other == r || !other.here || other.name != r.name {
			continue
		}
		if change != pubsub.NodeUp {
			return
		}
		p.events = append(p.events, pubsub.NodeEvent{Node: r.name, Change: pubsub.NodeDown})
		break
	}
	p.events = append(p.events, pubsub.NodeEvent{Node: r.name, Change: change})
}

// takeEvents returns what is to be told.
func (p *peers) takeEvents() (all []pubsub.NodeEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, p.events = p.events, nil
	return all
}

func newPeer(name string) *peer { return &peer{name: name, sequences: make(map[uint16]*sequence)} }

// orderLocked puts a broadcast, or a verdict on some, into the order of its bucket.
func (p *peers) orderLocked(r *peer, e *envelope, now time.Time, h *heard) {
	s := p.sequenceLocked(r, e.bucket, now)
	if s == nil {
		return
	}
	if e.kind == broadcast && s.inTurn(e.number) {
		h.due = true
		return
	}
	s.beginRepair()
	defer s.endRepair()
	before := s.bytes
	if e.kind == broadcast {
		h.due = s.take(e, p.maxBytes-p.bytes+s.bytes, now)
		h.ready, _ = s.skip(s.next)
	} else {
		v := verdictOf(e)
		h.ready, h.lost = s.judge(&v, now)
	}
	p.bytes += s.bytes - before
	p.askLocked(s, place{e.id, e.bucket}, now, &h.news)
}

// sequenceLocked returns that of a peer in a bucket, or nil if this node does not
// listen to it.
func (p *peers) sequenceLocked(r *peer, b uint16, now time.Time) *sequence {
	s := r.sequences[b]
	if s != nil {
		return s
	}
	ear, listens := p.ears[b]
	if !listens {
		return nil
	}
	s = new(sequence)
	switch {
	case !ear.from.IsZero() && r.answered >= ear.seek: // and there was no row
		s.next = 1
	case now.Sub(ear.moment) < 2*p.maxWait: // it has kept all since
		s.beginRepair()
		s.sought = sought{ear.moment, doubt}
	}
	r.sequences[b] = s
	return s
}

// learnLocked reads rows of a peer's table. It reports whether something new is missing.
func (p *peers) learnLocked(r *peer, e *envelope, now time.Time) (opens bool) {
	for i := range e.rows {
		b := e.rows[i].bucket
		s := p.sequenceLocked(r, b, now)
		if s == nil || s.repair == nil && s.next != 0 && e.rows[i].number <= s.end { // nothing new
			continue
		}
		s.beginRepair()
		before := s.bytes
		s.learn(&e.rows[i], e.kind == answer || e.kind == found, now)
		p.bytes += s.bytes - before
		if s.open() {
			p.open[place{e.id, b}] = struct{}{}
			opens = opens || s.noted.IsZero()
		}
		s.endRepair()
	}
	return opens
}

// needWhole reports whether a node is here that understands whole tables only.
func (p *peers) needWhole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.byID {
		if r.here && r.early {
			return true
		}
	}
	return false
}

// askLocked asks when it is time for that.
func (p *peers) askLocked(s *sequence, at place, now time.Time, n *news) {
	if s.open() {
		p.open[at] = struct{}{}
	} else if len(p.open) > 0 {
		delete(p.open, at)
	}
	if n.question, n.asks = s.ask(now); n.asks {
		n.id, n.bucket = at.id, at.bucket
	}
}

// closeLocked throws away all sequences of a peer.
func (p *peers) closeLocked(r *peer, id uint64) {
	for b, s := range r.sequences {
		p.bytes -= s.size()
		delete(p.open, place{id, b})
	}
	clear(r.sequences)
}

// chase looks after broadcasts that are missing: the peer is asked again, or the wait
// is over.
func (p *peers) chase(at place, now time.Time) (n news) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.byID[at.id]
	if r == nil || r.sequences[at.bucket] == nil || !r.sequences[at.bucket].open() {
		delete(p.open, at)
		return n
	}
	n.node = r.name
	s := r.sequences[at.bucket]
	defer s.endRepair()
	before := s.bytes
	wait := p.maxWait
	if r.left { // nobody answers, but what it sent may come behind its goodbye
		wait = min(wait, askEvery)
	}
	if s.open() && !s.noted.IsZero() && now.Sub(s.since) > wait {
		n.ready, n.lost = s.giveUp()
	}
	p.bytes += s.bytes - before
	p.askLocked(s, at, now, &n)
	n.asks = n.asks && !r.left
	return n
}

// troubled returns some places where broadcasts are missing: all, unless there are very
// many, then any.
func (p *peers) troubled() (some []place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := range p.open {
		if some = append(some, at); len(some) == chaseBudget {
			break
		}
	}
	return some
}

// listen takes note of buckets that have had subscribers since a moment. The carrier
// does not know of them yet.
func (p *peers) listen(gains map[uint16]time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for b, moment := range gains {
		p.ears[b] = ear{moment: moment}
	}
}

// listening says that the carrier brings what is sent to some buckets since a time. It
// returns the number of the seek for them.
func (p *peers) listening(some []uint16, from time.Time) (seek uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(some) > 0 {
		p.seeks++
		p.eared = from
	}
	for _, b := range some {
		p.ears[b] = ear{p.ears[b].moment, from, p.seeks}
	}
	return p.seeks
}

// ignore forgets what was sent to some buckets.
func (p *peers) ignore(some []uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range some {
		delete(p.ears, b)
		for id, r := range p.byID {
			if s := r.sequences[b]; s != nil {
				p.bytes -= s.size()
				delete(r.sequences, b)
				delete(p.open, place{id, b})
			}
		}
	}
}

// hold stops the clock of those that have been asked: nobody can answer while the
// link is down.
func (p *peers) hold(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := range p.open {
		if r := p.byID[at.id]; r != nil && r.sequences[at.bucket] != nil && r.sequences[at.bucket].open() {
			r.sequences[at.bucket].since = now
		}
	}
}

// arrivedLocked ends the wait for one peer, and reports whether it was the last.
func (p *peers) arrivedLocked(r *peer) bool {
	r.awaited = false
	p.awaited--
	return p.awaited == 0
}

// await begins the wait for all that were here at the time lost.
func (p *peers) await(lost time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awaited = 0
	for _, r := range p.byID {
		r.awaited = !r.left && lost.Sub(r.heard) < silence*p.beat
		if r.awaited {
			p.awaited++
		}
	}
}

// giveUp ends the wait for all.
func (p *peers) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.byID {
		r.awaited = false
	}
	p.awaited = 0
}

func (p *peers) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.awaited > 0
}

// sweep returns the names of those that have gone silent, and forgets those that
// have been for long. It is called with each beat. If it comes late this node, or all
// of a busy host, stood still meanwhile: what others have said may wait to be read, so
// that time is no silence of theirs.
func (p *peers) sweep(now time.Time) (gone []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late := now.Sub(p.swept) - p.beat; late > 0 && !p.swept.IsZero() {
		for _, r := range p.byID {
			r.heard = r.heard.Add(min(late, now.Sub(r.heard)))
		}
	}
	p.swept = now
	forget := max(memory*p.beat, p.window)                       // the wait for what is missing is over, and nobody takes what it has signed
	if crowded := len(p.byID) > p.most/2; crowded && !p.signed { // most of them are invented
		forget = silence * p.beat
	}
	for id, r := range p.byID {
		switch quiet := now.Sub(r.heard); {
		case quiet > forget && !r.here:
			if r.awaited {
				p.arrivedLocked(r)
			}
			p.closeLocked(r, id)
			delete(p.byID, id)
		case quiet > silence*p.beat && r.here:
			r.here = false
			p.changeLocked(r, pubsub.NodeDown)
			gone = append(gone, r.name)
		}
	}
	return gone
}

// names are those of the peers that are here.
func (p *peers) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []string{}
	for _, r := range p.byID {
		if r.here {
			all = append(all, r.name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all) // one that has just started again is there twice
}

// here are the names of the peers that are here, by id: of one that has just started
// again only the id that was heard last.
func (p *peers) here() map[uint64]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := make(map[string]uint64)
	for id, r := range p.byID {
		if other, twice := last[r.name]; r.here && (!twice || r.heard.After(p.byID[other].heard)) {
			last[r.name] = id
		}
	}
	all := make(map[uint64]string, len(last))
	for name, id := range last {
		all[id] = name
	}
	return all
}

// find is the id of the peer with that name: the one heard last.
func (p *peers) find(name string) (id uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var last time.Time
	for i, r := range p.byID {
		if r.here && r.name == name && (!ok || r.heard.After(last)) {
			id, ok, last = i, true, r.heard
		}
	}
	return id, ok
}
