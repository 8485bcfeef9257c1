package cluster

import (
	"slices"
	"sync"
	"time"
)

const (
	silence  = 3    // beats without a word until a node counts as gone
	memory   = 100  // beats until it is forgotten, and what it missed with it
	maxPeers = 4096 // further ones are heard, but not kept
)

// A peer is another node, or what was one before it started again.
type peer struct {
	name    string
	heard   time.Time
	here    bool // heard lately
	left    bool // has said goodbye
	awaited bool // was here when the link was lost, and not heard since
	sequence
}

// peers are the other nodes by id.
type peers struct {
	beat     time.Duration // immutable
	maxWait  time.Duration // immutable; for the answer to a question
	maxBytes int           // immutable; of broadcasts held for their turn

	mu      sync.Mutex // guards the rest
	byID    map[uint64]*peer
	awaited int // how many are
	bytes   int // of broadcasts held
}

// heard is what an envelope told about its sender.
type heard struct {
	came bool // it was not here before
	left bool // it was, and said goodbye
	all  bool // nobody is awaited any more
	due  bool // it is a broadcast to deliver now
	news
}

// news are what there is to do for the broadcasts of a peer, in this order.
type news struct {
	node  string     // whose they are
	lost  uint64     // so many will not come any more
	ready []envelope // these are to be delivered
	asks  bool       // and this is to be asked
	question
}

// hear takes note of an envelope. Numbers tell what is missing; zero tells
// nothing, and so does the first one of a node.
func (p *peers) hear(e *envelope, now time.Time) (h heard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.byID[e.id]
	if r == nil {
		if e.kind == leave || len(p.byID) == maxPeers {
			return h
		}
		r = &peer{name: e.node}
		p.byID[e.id] = r
	}
	switch {
	case r.left && !e.kind.toAll(): // sent before the goodbye, which has overtaken it
		return h
	case r.left:
		*r = peer{name: r.name}
	}
	h.came, r.here, r.heard = !r.here, true, now
	if r.awaited {
		h.all = p.arrivedLocked(r)
	}
	h.node = r.name
	before := r.bytes
	defer func() { p.bytes += r.bytes - before }()
	switch {
	case e.inOrder():
		h.due = r.take(e, p.maxBytes-p.bytes+r.bytes, now)
		h.ready, _ = r.skip(r.next)
	case e.kind == have:
		v := verdictOf(e)
		h.ready, h.lost = r.judge(&v, now)
	}
	if e.kind == leave { // nobody is left to ask
		h.came, h.left = false, !h.came
		h.ready, h.lost = r.skip(r.end)
		p.byID[e.id] = &peer{name: r.name, heard: now, left: true}
		return h
	}
	if h.question, h.asks = r.ask(now); h.asks {
		h.id = e.id
	}
	return h
}

// chase looks after a peer whose broadcasts are missing: it is asked again, or the
// wait is over.
func (p *peers) chase(id uint64, now time.Time) (n news) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.byID[id]
	if r == nil {
		return n
	}
	n.node = r.name
	before := r.bytes
	if r.open() && now.Sub(r.since) > p.maxWait {
		n.ready, n.lost = r.giveUp()
	}
	p.bytes += r.bytes - before
	if n.question, n.asks = r.ask(now); n.asks {
		n.id = id
	}
	return n
}

// troubled are the peers whose broadcasts are missing.
func (p *peers) troubled() (ids []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, r := range p.byID {
		if r.open() {
			ids = append(ids, id)
		}
	}
	return ids
}

// hold stops the clock of those that have been asked: nobody can answer while the
// link is down.
func (p *peers) hold(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.byID {
		r.since = now
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
// have been for long.
func (p *peers) sweep(now time.Time) (gone []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, r := range p.byID {
		switch quiet := now.Sub(r.heard); {
		case quiet > max(memory*p.beat, 2*p.maxWait): // the wait for what is missing is over
			if r.awaited {
				p.arrivedLocked(r)
			}
			p.bytes -= r.bytes
			delete(p.byID, id)
		case quiet > silence*p.beat && r.here:
			r.here = false
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
