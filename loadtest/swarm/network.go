package swarm

import (
	"fmt"
	"sort"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// A network carries the connections of a fleet's clients, and has the event loop that
// drives them.
type network interface {
	// dial begins a client's connection. On the loop opened follows, then data and
	// timeout, and closed at last, unless the client has ended it before. An error is
	// one of this machine: then there is no connection.
	dial(c *client) error

	// connLocked is the connection of a client that has one.
	connLocked(c *client) connection

	// stall stops reading for a client that has just joined. Its heartbeats go on: without
	// them the server would take it for dead, but a slow client must be cut off only for
	// the bytes that it leaves unread. No more is heard of it. Loop only.
	stall(c *client, conn connection) error

	// resume reads what there is for the clients that were stalled, and counts those
	// that the server has cut off. It waits for that.
	resume()

	// link returns the faults between it and the servers so far.
	link() order.Link

	// watch measures how late the loop is until over is closed.
	watch(over <-chan struct{})

	// close ends all connections, and returns when no client is touched any more.
	close()
}

// newNetwork makes the one that the fleet's orders ask for.
func newNetwork(f *fleet) (network, error) {
	switch f.orders.TCP {
	case "", order.KernelTCP:
		return newSockets(f)
	case order.TUN, order.BPF:
		return newVirtual(f)
	}
	return nil, fmt.Errorf("TCP %q: unknown here", f.orders.TCP)
}

// A connection is the TCP of one client: a *poller.Conn, with the methods that it has.
type connection interface {
	Send(b []byte) error
	SendShared(b []byte) error   // b must never change
	SetDeadline(d time.Duration) // until timeout is called; loop only
	Kill(err error)              // closed may follow
	Post(task func()) bool       // has the loop run task; false if the loop has ended
}

// connLocked is the client's connection, or nil.
func (c *client) connLocked() connection {
	if !c.linked {
		return nil
	}
	return c.group.fleet.network.connLocked(c)
}

// place returns the client's place among those of the process.
func (c *client) place() int { return c.group.place + int(c.number-c.group.first) }

// places is how many clients there are.
func (f *fleet) places() (n int) {
	for _, g := range f.groups {
		n += len(g.clients)
	}
	return n
}

// client is the one at a place.
func (f *fleet) client(place int) *client {
	i := sort.Search(len(f.groups), func(i int) bool { return f.groups[i].place > place }) - 1
	return &f.groups[i].clients[place-f.groups[i].place]
}
