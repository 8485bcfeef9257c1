package swarm

import (
	"net"
	"sync"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/poller"
)

// lagEvery is how often a process looks how long its event loop lets a connection
// wait; where timers are slack, twice their slack.
const lagEvery = 20 * time.Millisecond

// wakes is how late a timer of Go's may be beside the slack: it counts milliseconds.
const wakes = 2 * time.Millisecond

// A gauge is a connection to this process itself. Bytes written at one end wait for the
// event loop in the same queue as those from servers.
type gauge struct {
	fleet *fleet
	end   net.Conn // that is written to

	mu      sync.Mutex
	written []int64 // when each byte was due that was not read yet, order.Now
}

// watch measures until over is closed. That it cannot is no reason to end a
// run: then the lag is not measured.
func (s *sockets) watch(over <-chan struct{}) {
	g := &gauge{fleet: s.fleet}
	var err error
	if g.end, err = s.poller.Pipe(func(*poller.Conn) poller.Handler { return g }); err != nil {
		return
	}
	defer g.end.Close()
	probe(over, g.write)
}

// probe calls write at regular moments, with the one that was due, until over is
// closed.
func probe(over <-chan struct{}, write func(due int64)) {
	slack := time.Duration(proc.TimerSlack())
	every := max(lagEvery, 2*slack)
	clock := time.NewTicker(every)
	defer clock.Stop()
	for due := order.Now() + int64(every); ; {
		select {
		case <-clock.C:
		case <-over:
			return
		}
		// A process that stood still has missed some: each counts as if it had not.
		for now, allowed := order.Now(), int64(slack+wakes); due <= now; due += int64(every) {
			write(due + min(allowed, now-due))
		}
	}
}

// mostWritten is how many bytes may wait: the socket takes some 250, and then
// writing would wait for the loop, too.
const mostWritten = 100

// write writes a byte that was due at a moment.
func (g *gauge) write(due int64) {
	g.mu.Lock()
	full := len(g.written) == mostWritten
	if full { // the loop stands still: this one has at least as long to wait
		due = g.written[0]
	} else {
		g.written = append(g.written, due)
	}
	g.mu.Unlock()
	if full {
		g.fleet.lagged(order.Now() - due)
		return
	}
	_, _ = g.end.Write([]byte{0}) // if it fails, the poller has closed: there is nothing more to measure
}

// Data is called when the loop has come to what was written.
func (g *gauge) Data(_ *poller.Conn, data []byte) {
	now := order.Now()
	g.mu.Lock()
	read := g.written[:min(len(data), len(g.written))]
	g.written = g.written[len(read):]
	g.mu.Unlock()
	for _, due := range read {
		g.fleet.lagged(now - due)
	}
}

// lagged notes how long a connection waited for the event loop.
func (f *fleet) lagged(ns int64) {
	f.mu.Lock()
	f.lag.Add(ns)
	f.mu.Unlock()
}

// Timeout and Closed have nothing to do: there is no deadline, and no client.
func (*gauge) Timeout(*poller.Conn)       {}
func (*gauge) Closed(*poller.Conn, error) {}
