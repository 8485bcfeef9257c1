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
	next    uint64 // number of its next broadcast, or 0 if not known
	here    bool   // heard lately
	awaited bool   // was here when the link was lost, and not heard since
}

// peers are the other nodes by id.
type peers struct {
	beat time.Duration // immutable

	mu      sync.Mutex // guards the rest
	byID    map[uint64]*peer
	awaited int // how many are
}

// heard is what an envelope told about its sender.
type heard struct {
	came   bool   // it was not here before
	left   bool   // it was, and said goodbye
	stale  bool   // this broadcast has been missed or delivered already
	missed uint64 // how many before this one did not arrive
	all    bool   // nobody is awaited any more
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
	h.came, r.here, r.heard = !r.here, true, now
	if r.awaited {
		h.all = p.arrivedLocked(r)
	}
	if e.number != 0 {
		switch {
		case r.next == 0:
		case e.number < r.next:
			h.stale = true
			return h
		default:
			h.missed = e.number - r.next
		}
		r.next = e.number
		if e.kind == broadcast {
			r.next++
		}
	}
	if e.kind == leave {
		h.came, h.left = false, !h.came
		delete(p.byID, e.id)
	}
	return h
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
		r.awaited = lost.Sub(r.heard) < silence*p.beat
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
		case quiet > memory*p.beat:
			if r.awaited {
				p.arrivedLocked(r)
			}
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
