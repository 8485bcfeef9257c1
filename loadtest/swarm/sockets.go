package swarm

import (
	"errors"
	"net"
	"net/netip"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/poller"
)

// sockets is the network of the kernel's TCP.
type sockets struct {
	fleet  *fleet
	poller *poller.Poller
	secure *secure // nil without TLS

	conns []*poller.Conn // by place, of each client the last one; guarded by fleet.mu
	slow  []net.Conn     // of clients that do not read; likewise
}

func newSockets(f *fleet) (*sockets, error) {
	s := &sockets{fleet: f, conns: make([]*poller.Conn, f.pending)}
	var err error
	if s.secure, err = newSecure(f.orders); err != nil {
		return nil, err
	}
	if s.poller, err = poller.New(pollerConfig(f.orders)); err != nil {
		s.secure.close()
		return nil, err
	}
	return s, nil
}

// pollerConfig is for what carries the clients. It has one loop: they share lines of cache,
// not locks. More loops are more processes. Clients read, however much they have to
// send: if each end waited for the other to read, neither would.
func pollerConfig(o order.Orders) poller.Config {
	c := poller.Config{Loops: 1, FreeBind: !o.From.Single()}
	if o.Queue > 0 {
		const unlimited = 1 << 40
		c.OutboundHigh, c.OutboundMax, c.BacklogMax = o.Queue, o.Queue, unlimited
	}
	return c
}

func (s *sockets) dial(c *client) error {
	remote := s.fleet.remote(c)
	return s.poller.Dial(s.source(c, remote.Addr()), remote, (*handler)(c).open)
}

// source is the address that a client connects to remote from. On loopback the whole
// of 127.0.0.0/8 is ours, and each address has ports of its own. Clients with one
// remote after the other have the same: so each source meets each remote.
func (s *sockets) source(c *client, remote netip.Addr) netip.Addr {
	o := &s.fleet.orders
	if from := o.From.For(remote); len(from) > 0 {
		return from.Of(int(c.number) / len(c.group.remotes))
	}
	if o.PerSource == 0 {
		return netip.Addr{}
	}
	return order.Loopback(int(c.number) / o.PerSource)
}

func (s *sockets) connLocked(c *client) connection { return s.conns[c.place()] }

// link is nothing: what goes wrong is the kernel's to mend, and to hide.
func (*sockets) link() order.Link { return order.Link{} }

func (s *sockets) close() {
	s.fleet.mu.Lock()
	slow := s.slow
	s.slow = nil
	s.fleet.mu.Unlock()
	for _, socket := range slow {
		socket.Close()
	}
	s.poller.Close()
	s.secure.close()
}

// A handler is a client to the poller.
type handler client

// open is called when the connection is being made.
func (h *handler) open(conn *poller.Conn) poller.Handler {
	c := (*client)(h)
	f := c.group.fleet
	s := f.network.(*sockets)
	f.mu.Lock()
	s.conns[c.place()] = conn
	f.mu.Unlock()
	c.opened(conn)
	if s.secure != nil {
		return conn.SecureClient(s.secure.config, s.secure.handshakes, h, h.secured)
	}
	c.upgrade(conn)
	return h
}

// secured counts a handshake, and goes on with the upgrade.
func (h *handler) secured(conn *poller.Conn) {
	state := conn.ConnectionState()
	f := h.group.fleet
	f.mu.Lock()
	f.counts.Secured++
	if state != nil && state.DidResume {
		f.counts.Resumed++
	}
	f.mu.Unlock()
	(*client)(h).upgrade(conn)
}

// Data is called with what the server sent.
func (h *handler) Data(conn *poller.Conn, data []byte) { (*client)(h).data(conn, data) }

// Timeout is called when the deadline has passed.
func (h *handler) Timeout(conn *poller.Conn) { (*client)(h).timeout(conn) }

// Closed is the last call for a connection.
func (h *handler) Closed(conn *poller.Conn, err error) {
	if h.phase == upgrading && errors.Is(err, poller.ErrTimeout) { // in the TLS handshake, which takes the deadline's call
		err = errJoinTimeout
	}
	(*client)(h).closed(conn, err)
}
