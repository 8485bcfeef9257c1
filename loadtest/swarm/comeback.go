package swarm

import (
	"errors"
	"net/netip"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// leftLocked counts a client that was cut off, or did not get back in, and has
// it try.
func (f *fleet) leftLocked(c *client, was phase) {
	if was == joined {
		f.counts.Left++
		c.absentLocked(0, leastCutOff)
	} else {
		f.counts.Retries++
	}
	a := c.lastAbsenceLocked()
	wait := backoff(a.tries)
	a.tries++
	time.AfterFunc(wait, func() { f.redial(c) })
}

// redial makes another connection for a client that has none: no loop touches
// it, but who looks for one that can send does.
func (f *fleet) redial(c *client) {
	f.mu.Lock()
	stopping := f.stopping
	if !stopping {
		*c = client{group: c.group, number: c.number, joinedOnce: true}
	}
	f.mu.Unlock()
	if !stopping {
		f.dial(c, f.now())
	}
}

// returnedLocked counts a client that has joined again.
func (f *fleet) returnedLocked(c *client, now int64) {
	f.counts.Returned++
	c.backLocked(now)
	switch {
	case f.churning != nil:
		order.Observe(f.churning.joins, now-c.dialed)
	case f.comebacks != nil:
		order.Observe(f.comebacks, now-f.departed)
	}
}

// depart marks the moment from which the way back is measured: the order to drain, or
// the kill, for all clients, though they are cut off one by one.
func (f *fleet) depart(at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.departed, f.comebacks = at, order.NewHistogram(3)
}

// move sends the clients of a server elsewhere.
func (f *fleet) move(m order.Move) error {
	to, err := parseAddrs(m.To)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.groups {
		if g.remotes[0].String() == m.From {
			g.remotes = to
		}
	}
	return nil
}

// parseAddrs reads the addresses of a server. There must be at least one.
func parseAddrs(texts []string) (addrs []netip.AddrPort, err error) {
	for _, text := range texts {
		addr, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, errors.New("no address to connect to")
	}
	return addrs, nil
}

// remote is where a client connects to.
func (f *fleet) remote(c *client) netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	to := c.group.remotes
	return to[int(c.number)%len(to)]
}

// halted tells what was measured since the last time.
func (f *fleet) halted() *order.Halted {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &order.Halted{}
	if f.echoing != nil {
		h.Latency, h.Raw = order.Encode(f.echoing.latency), order.Encode(f.echoing.raw)
		h.First, h.Last = f.echoing.firstAnswer, f.echoing.lastAnswer
	}
	if f.comebacks != nil {
		h.Latency = order.Encode(f.comebacks)
		f.comebacks = nil
	}
	if f.churning != nil {
		h.Latency, h.Leave = order.Encode(f.churning.joins), order.Encode(f.churning.leaves)
	}
	return h
}

// backoff is how long a client waits before it tries to come back, the first
// time with tries 0: as the official client does.
func backoff(tries int) time.Duration {
	steps := [...]time.Duration{10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000}
	return steps[min(tries, len(steps)-1)] * time.Millisecond
}
