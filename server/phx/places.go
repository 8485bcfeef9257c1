package phx

import (
	linked "container/list"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// places are the connections that Config.MaxHTTP allows. A connection has its place
// to itself while it has a request. In between it is idle, and has to go when another
// needs the place.
//
// No client has more places than are free: one alone at most half of them, each of
// ten a tenth or so, and always there are some for who comes next.
type places struct {
	max  int
	open atomic.Int64 // connections; changed under mu

	mu    sync.Mutex // guards the rest, and the place of every detached
	conns map[*detached]struct{}
	idle  linked.List        // of those without a request, the longest idle first
	busy  map[netip.Addr]int // how many have a request, by client
	until time.Time          // bodies may come, or zero
}

// A place is one connection's share of the places.
type place struct {
	client netip.Addr      // the household that it counts for; not valid if it counts for none, as a proxy's
	idle   *linked.Element // nil while there is a request
	visit  visit           // the request that there is or was
	body   *timedBody      // its body, or nil
}

// A visit is a request as Shutdown names it when it no longer waits for it.
type visit struct {
	remote, method, path string
	since                time.Time
}

func newPlaces(n int) *places {
	return &places{max: n, conns: make(map[*detached]struct{}), busy: make(map[netip.Addr]int)}
}

// enter takes a place for a new connection and its first request, if there is one
// for this client. It never waits.
func (p *places) enter(d *detached, client netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.takeLocked(d, client) {
		return false
	}
	if len(p.conns) == p.max { // not all are busy
		idlest := p.idle.Front().Value.(*detached)
		p.leaveLocked(idlest)
		idlest.dismiss()
	}
	p.conns[d] = struct{}{}
	p.open.Add(1)
	return true
}

// begin is called for each request. Already the first may turn out to be another
// client's. It reports whether the client may have the place.
func (p *places) begin(d *detached, client netip.Addr, v visit) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, here := p.conns[d]; !here { // dismissed at the last moment
		return false
	}
	p.restLocked(d)
	d.place.visit, d.place.body = v, nil
	return p.takeLocked(d, client)
}

// attend is told of the body of a request.
func (p *places) attend(d *detached, b *timedBody) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d.place.body, b.end = b, p.until
}

// hurry leaves clients only so much time for the rest of their bodies, and for each
// part of an answer. No one enters any more.
func (p *places) hurry(patience time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(patience)
	for d := range p.conns {
		if d.place.visit.method == "" || d.hijacked.Load() { // the loop may still have it
			continue
		}
		if d.hurry(patience); d.place.idle == nil && d.place.body != nil {
			d.place.body.hurry(p.until)
		}
	}
}

// end is for when a request has been answered, and the connection is kept.
func (p *places) end(d *detached) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, here := p.conns[d]; here {
		p.restLocked(d)
	}
}

// leave gives the place of a connection back. It may be called twice.
func (p *places) leave(d *detached) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, here := p.conns[d]; here {
		p.leaveLocked(d)
	}
}

func (p *places) leaveLocked(d *detached) {
	p.restLocked(d)
	p.idle.Remove(d.place.idle)
	delete(p.conns, d)
	p.open.Add(-1)
}

// takeLocked makes an idle connection, or a new one, busy for a client.
func (p *places) takeLocked(d *detached, client netip.Addr) bool {
	free := p.max - (len(p.conns) - p.idle.Len())
	if free == 0 || client.IsValid() && p.busy[client] >= free {
		return false
	}
	if d.place.idle != nil {
		p.idle.Remove(d.place.idle)
		d.place.idle = nil
	}
	d.place.client = client
	p.busy[client]++
	return true
}

// restLocked makes a connection idle.
func (p *places) restLocked(d *detached) {
	if d.place.idle != nil {
		return
	}
	d.place.idle = p.idle.PushBack(d)
	if p.busy[d.place.client]--; p.busy[d.place.client] == 0 {
		delete(p.busy, d.place.client)
	}
}

// stillBusy says which requests are not waited for any longer: how many, and which
// of them has been there for the longest time.
func (p *places) stillBusy(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, first := 0, visit{}
	for d := range p.conns {
		v := d.place.visit
		if d.place.idle != nil || d.hijacked.Load() || v.method == "" { // the last is for net/http to take
			continue
		}
		if n++; n == 1 || v.since.Before(first.since) {
			first = v
		}
	}
	if n == 0 {
		return err
	}
	return fmt.Errorf("%d requests to Config.HTTP have not ended; %s %.200q of %s came %v ago: %w",
		n, first.method, first.path, first.remote, time.Since(first.since).Round(time.Millisecond), err)
}

// close closes all connections.
func (p *places) close() {
	p.mu.Lock()
	conns := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, d := range conns {
		d.Close()
	}
}
