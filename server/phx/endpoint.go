package phx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/asynclog"
)

// An Endpoint is a running server.
type Endpoint struct {
	services
	closeLog  func(patience time.Duration) error
	entrances entrances
	polls     map[*mount]*pollSessions // of those with long polling

	poller     *poller.Poller
	looking    sync.Mutex // held while someone has the loops look at all connections: one at a time
	listening  listening
	encryption *encryption // nil without TLS
	http       *httpServer
	admission  *admission
	proxies    proxies
	hosts      *hosts

	stopped sync.Once
	stopErr error // of the first Shutdown
}

// logPatience is how long the end of an endpoint waits for Config.Logger to take
// the last lines.
const logPatience = time.Second

// callbackPatience is how long it waits for callbacks that still run, Terminate among
// them.
const callbackPatience = 5 * time.Second

// Start is [New] for an endpoint that listens at [Config.Addr]: its event loop
// handles connections from their first byte.
func Start(cfg Config) (*Endpoint, error) {
	ep, err := New(cfg)
	if err != nil || ep.cfg.Addr == Off {
		return ep, err
	}
	if err := ep.listenAt(ep.cfg.Addr); err != nil {
		return nil, errors.Join(err, ep.stop(context.Background()))
	}
	return ep, nil
}

// New makes an endpoint that does not listen, whatever [Config.Addr] is: its
// connections come from Serve, from another server through ServeHTTP, and from
// Dial. Shutdown stops it.
func New(cfg Config) (*Endpoint, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("phx: configuration: %w", err)
	}
	log, closeLog := asynclog.Wrap(cfg.Logger, asynclog.Config{Rate: cfg.LogRate})
	cfg.Logger = log
	ep := &Endpoint{closeLog: closeLog, polls: make(map[*mount]*pollSessions)}
	ep.owner, ep.cfg, ep.log, ep.started = ep, cfg, log, time.Now()
	ep.listening.over = make(chan struct{})
	ep.incoming.max, ep.incoming.timeout, ep.incoming.rate = int64(cfg.IncomingMax), cfg.IncomingTimeout, cfg.IncomingRate
	if cfg.Telemetry != nil {
		ep.hooks = *cfg.Telemetry
	}
	ep.admission, ep.proxies, ep.hosts = newAdmission(&cfg), newProxies(&cfg), newHosts(&cfg)
	ep.entrances = ep.newEntrances(cfg.Mounts)
	if err := ep.start(); err != nil {
		return nil, errors.Join(err, ep.stop(context.Background()))
	}
	return ep, nil
}

func (ep *Endpoint) start() (err error) {
	cfg := ep.cfg
	if err := ep.startPools(); err != nil {
		return err
	}
	if cfg.TLS != nil {
		if ep.encryption, err = newEncryption(&cfg); err != nil {
			return err
		}
	}
	ep.pubsub = pubsub.New(pubsub.Config{
		MaxPending: cfg.MaxPending,
		Adapter:    cfg.Adapter,
		Inspect:    ep.inspect,
		Full:       ep.full,
		Gap:        func(g pubsub.Gap) { tellApart(&ep.services, ep.hooks.Gap, g) },
		Node:       func(e pubsub.NodeEvent) { tellApart(&ep.services, ep.hooks.Node, e) },
	}, ep.fanOut)
	ep.poller, err = poller.New(poller.Config{
		Loops: cfg.Loops, SendBuffer: cfg.SendBuffer, Logger: cfg.Logger,
		OutboundHigh: cfg.OutboundHigh, OutboundMax: cfg.OutboundMax, BacklogMax: cfg.BacklogMax, WriteTimeout: cfg.WriteTimeout,
	})
	if err != nil {
		return err
	}
	for _, p := range ep.polls {
		p.poller = ep.poller
		p.meet()
	}
	if err := ep.pubsub.Start(); err != nil { // before there is anybody to miss something
		return err
	}
	ep.http = newHTTPServer(ep)
	return nil
}

// Endpoint returns the endpoint that the socket is connected to.
func (s *Socket) Endpoint() *Endpoint { return s.mount.owner.(*Endpoint) }

// accept takes a new connection. Loop only.
func (ep *Endpoint) accept(c *poller.Conn, from origin) poller.Handler {
	c.CheckLoop()
	if !ep.admission.admits(ep.conns()) {
		return ep.turnAway(c)
	}
	var peer netip.AddrPort
	if len(ep.proxies.trusted) > 0 || ep.admission.perAddress.Load() > 0 || ep.encryption != nil { // else it is not needed
		peer = from.peer(c)
	}
	if ep.cfg.ProxyProtocol && ep.proxies.trust(peer.Addr()) {
		c.SetDeadline(ep.cfg.HandshakeTimeout)
		return &proxied{endpoint: ep, origin: from}
	}
	if h := ep.welcome(c, peer, from); h != nil {
		return h
	}
	return ep.turnAway(c)
}

// SetLimits replaces the limits for new connections. Open connections stay,
// even if there are too many. Connections that began without a MaxConnsPerIP
// are not counted against one that is set later. The error names a negative
// field; then nothing has changed. It may be called from any goroutine.
func (ep *Endpoint) SetLimits(l Limits) error {
	c := Config{MaxConns: l.MaxConns, MaxConnsPerIP: l.MaxConnsPerIP, AcceptRate: l.AcceptRate}
	if err := c.Check(); err != nil {
		return err
	}
	ep.admission.set(l)
	return nil
}

// conns is how many connections are open.
func (ep *Endpoint) conns() int { return ep.poller.Conns() + int(ep.http.places.open.Load()) }

// welcome counts a connection by the address that it comes from. It returns nil
// if that has too many. Loop only.
func (ep *Endpoint) welcome(c *poller.Conn, peer netip.AddrPort, from origin) poller.Handler {
	c.CheckLoop()
	v, ok := ep.enter(peer.Addr())
	if !ok {
		return nil
	}
	h := ep.acceptFrom(c, from)
	if h == nil {
		v.leave()
		return nil
	}
	h.visitor = v
	return ep.secured(c, peer.Addr(), h)
}

// enter counts a connection of a client. Proxies, whose connections are those of
// many, are not counted.
func (ep *Endpoint) enter(addr netip.Addr) (_ *visitor, ok bool) {
	if ep.proxies.trust(addr) {
		return nil, true
	}
	return ep.admission.enter(addr)
}

// householdOf is who an address, as net/http writes it, counts for. It is not valid
// for a trusted proxy, which is there for many, and for what is no address.
func (ep *Endpoint) householdOf(remote string) netip.Addr {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil || ep.proxies.trust(addr.Addr()) {
		return netip.Addr{}
	}
	return household(addr.Addr())
}

// acceptFrom returns nil if it is too late.
func (ep *Endpoint) acceptFrom(c *poller.Conn, from origin) *requests {
	if ep.draining.Load() { // it was on its way when the listener closed
		return nil
	}
	c.SetDeadline(ep.cfg.HandshakeTimeout)
	return &requests{endpoint: ep, origin: from}
}

// handlerOrNil makes no handler of a nil pointer.
func handlerOrNil(h *requests) poller.Handler {
	if h == nil {
		return nil
	}
	return h
}

// Dial connects to the endpoint without a network, for tests and for clients in
// the same process. The connection carries the same bytes as TCP would.
func (ep *Endpoint) Dial() (net.Conn, error) {
	return ep.poller.Pipe(func(c *poller.Conn) poller.Handler {
		return handlerOrNil(ep.acceptFrom(c, origin{remote: localPeer}))
	})
}

// Shutdown stops accepting and closes the sockets as [Mount.Drain] says, so
// that their clients reconnect to the next server. It returns when all are
// gone, when [Config.DrainTimeout] has passed, or when ctx is done. In the last
// two cases its error is [context.DeadlineExceeded] or ctx's, and says what had
// not ended. Callbacks have 5 s more, and it returns an error if some still
// run. It returns [asynclog.ErrNotWritten] if the logger did not take the last
// lines. It therefore always ends, even with [context.Background]. Later calls
// wait for the first and return its result.
func (ep *Endpoint) Shutdown(ctx context.Context) error {
	ep.stopped.Do(func() { ep.stopErr = ep.shutdown(ctx) })
	return ep.stopErr
}

// Draining reports whether Shutdown was called: a load balancer should no
// longer send clients here.
func (ep *Endpoint) Draining() bool { return ep.draining.Load() }

func (ep *Endpoint) shutdown(ctx context.Context) error {
	ep.draining.Store(true)
	ep.listening.stop()
	ep.http.places.hurry(ep.clientPatience(ctx))
	ep.drain(ctx)
	ctx, cancel := context.WithTimeout(ctx, ep.cfg.DrainTimeout)
	defer cancel()
	for ep.poller.Conns() > 0 || ep.polled() > 0 {
		select {
		case <-ctx.Done():
			return errors.Join(ep.stillOpen(ctx.Err()), ep.stop(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return ep.stop(ctx)
}

// clientPatience is half of the time that Shutdown has for requests: so long it
// waits for what clients do not send or read, the rest is for handlers.
func (ep *Endpoint) clientPatience(ctx context.Context) time.Duration {
	left := ep.cfg.DrainTimeout
	if end, ok := ctx.Deadline(); ok {
		left = min(left, max(time.Until(end), 0))
	}
	return left / 2
}

// stillOpen says what a drain does not wait for any longer.
func (ep *Endpoint) stillOpen(err error) error {
	n, oldest := 0, (*Socket)(nil)
	for _, s := range ep.sockets() {
		if n++; oldest == nil || s.lifetime() > oldest.lifetime() {
			oldest = s
		}
	}
	if oldest == nil {
		return fmt.Errorf("%d connections and %d sessions of long polling have not ended: %w", ep.poller.Conns(), ep.polled(), err)
	}
	return fmt.Errorf("%d sockets have not ended; that of %s at %s came %v ago: %w",
		n, oldest.RemoteAddr(), oldest.mount.Path, oldest.lifetime().Round(time.Millisecond), err)
}

// stop is the reverse of New.
func (ep *Endpoint) stop(ctx context.Context) error {
	var errs []error
	ep.listening.stop()
	if ep.http != nil {
		errs = append(errs, ep.http.Shutdown(ctx))
	}
	if ep.poller != nil {
		ep.poller.Close()
	}
	if ep.pubsub != nil {
		ep.pubsub.Close()
	}
	end := time.Now().Add(callbackPatience)
	if ep.encryption != nil {
		errs = append(errs, closePool(ep.encryption.handshakes, time.Until(end)))
	}
	for _, pool := range []*poller.Pool{ep.unpackers, ep.connects, ep.workers, ep.fanOut} {
		if pool != nil {
			errs = append(errs, closePool(pool, time.Until(end)))
		}
	}
	errs = append(errs, ep.closeLog(logPatience)) // last: the others have things to say
	return errors.Join(errs...)
}

// serveHTTP gives a connection to the HTTP handler, with what was read of it.
// Loop only.
func (ep *Endpoint) serveHTTP(c *poller.Conn, h *requests, read []byte) {
	c.CheckLoop()
	if ep.draining.Load() {
		answer(c, http.StatusServiceUnavailable, "")
		return
	}
	d := ep.http.enter(h, ep.householdOf(h.remoteAddr(c)), read)
	if d == nil {
		answer(c, http.StatusServiceUnavailable, "")
		return
	}
	var err error
	if d.Conn, err = c.Detach(); err != nil { // an answer is still on its way, or there are no descriptors: the client will ask again
		ep.http.places.leave(d)
		c.Finish(nil)
		return
	}
	ep.http.serve(d)
}
