package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub"
)

const (
	// With a hundred nodes on one host NATS may take seconds to answer: a link that
	// is given up for that makes more work for all. What a dead one loses for so
	// long is sent again.
	dialTimeout  = 5 * time.Second  // for connection, TLS and credentials
	writeTimeout = 10 * time.Second // then the link counts as lost
	pingEvery    = 10 * time.Second
	rush         = 16 << 10 // messages that may come before they are put into an inbox
	maxPings     = 2        // without an answer; with the next one, after 30 s at most, the link counts as lost

	firstWait = 100 * time.Millisecond // before the first attempt to reconnect
	lastWait  = 2 * time.Second        // before later ones
)

// natsCarrier is the Carrier over NATS.
type natsCarrier struct{ cfg Config }

// A natsConn is a connection to NATS.
type natsConn struct {
	Session
	conn    *nats.Conn
	in      chan *nats.Msg // of all subjects, as the server sends them
	readers sync.WaitGroup // the goroutine that calls Receive
	hungUp  chan struct{}  // closed when the NATS client makes no more calls

	mu   sync.Mutex // guards the rest
	subs map[string]*nats.Subscription
}

// Connect implements [Carrier].
func (c natsCarrier) Connect(s Session) (Conn, error) {
	credentials, err := c.cfg.Credentials.options()
	if err != nil {
		return nil, err
	}
	n := &natsConn{Session: s, in: make(chan *nats.Msg, rush), subs: make(map[string]*nats.Subscription), hungUp: make(chan struct{})}
	options := append([]nats.Option{
		nats.Name("roost " + s.Node),
		nats.NoEcho(),
		nats.Timeout(dialTimeout),
		nats.FlusherTimeout(writeTimeout),
		nats.ReconnectOnFlusherError(),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(maxPings),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // a password may be changed on one side first
		nats.CustomReconnectDelay(backoff),
		nats.ReconnectBufSize(-1), // the outbox keeps what waits
		nats.DisconnectErrHandler(n.wentDown),
		nats.ReconnectHandler(n.cameUp),
		nats.ErrorHandler(n.complain),
		nats.ClosedHandler(func(*nats.Conn) { close(n.hungUp) }),
	}, append(credentials, c.cfg.Options...)...)
	if n.conn, err = nats.Connect(c.cfg.URL, options...); err != nil {
		return nil, c.explain(err)
	}
	if err := n.listen(); err != nil {
		n.Close()
		return nil, c.explain(err)
	}
	return n, nil
}

// listen returns when the server has taken all subscriptions or refused one.
func (n *natsConn) listen() error {
	n.readers.Go(n.read)
	if err := n.Listen(n.Subjects); err != nil {
		return err
	}
	if err := n.conn.FlushTimeout(dialTimeout); err != nil {
		return err
	}
	return n.conn.LastError()
}

// read receives what comes. That waits nowhere, so there is room in the Go channel.
func (n *natsConn) read() {
	for {
		select {
		case m := <-n.in:
			n.Receive(m.Subject, m.Data)
		case <-n.hungUp:
			return
		}
	}
}

// Listen implements [Conn]. The server has it before what is published next, and passes
// both on to other servers in that order.
func (n *natsConn) Listen(subjects []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, subject := range subjects {
		sub, err := n.conn.ChanSubscribe(subject, n.in)
		if err != nil {
			return err
		}
		n.subs[subject] = sub
	}
	return nil
}

// Ignore implements [Conn].
func (n *natsConn) Ignore(subjects []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, subject := range subjects {
		if sub := n.subs[subject]; sub != nil {
			delete(n.subs, subject)
			if err := sub.Unsubscribe(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Publish implements [Conn].
func (n *natsConn) Publish(subject string, data []byte) error {
	err := n.conn.Publish(subject, data)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %w", pubsub.ErrTooLarge, err)
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return ErrDown
	}
	return err
}

// Flush implements [Conn].
func (n *natsConn) Flush(timeout time.Duration) error { return n.conn.FlushTimeout(timeout) }

// Renew implements [Conn].
func (n *natsConn) Renew() error { return n.conn.ForceReconnect() }

// Limit implements [Conn].
func (n *natsConn) Limit() int64 { return n.conn.MaxPayload() }

// Dropped implements [Conn].
func (n *natsConn) Dropped(subject string) int {
	n.mu.Lock()
	sub := n.subs[subject]
	n.mu.Unlock()
	if sub == nil {
		return 0
	}
	dropped, err := sub.Dropped()
	if err != nil {
		return 0 // closed
	}
	return dropped
}

// Close implements [Conn].
func (n *natsConn) Close() {
	n.conn.Close()
	n.readers.Wait()
	<-n.hungUp
}

// explain says what to do about an error of Start.
func (c natsCarrier) explain(err error) error {
	where, _ := c.cfg.where()
	advice := "is one running there? Start it, or correct Config.URL"
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		advice = "put user and password or a token into Config.URL, or the names of their files into Config.Credentials"
	case errors.Is(err, nats.ErrPermissionViolation):
		advice = fmt.Sprintf("let this user publish and subscribe to roost.%s.>", c.cfg.Cluster)
	}
	return fmt.Errorf("cluster: NATS server %s: %w: %s", where, err, advice)
}

// backoff is the time before an attempt to reconnect; the first is number 1. It is spread out so
// that not all nodes fall upon a NATS server that has just started.
func backoff(attempts int) time.Duration {
	d := min(firstWait<<min(attempts-1, 10), lastWait)
	return d/2 + rand.N(d/2)
}

func (n *natsConn) wentDown(_ *nats.Conn, err error) {
	n.Down()
	if err != nil { // else we have closed it
		n.Log.Warn("link to NATS lost; messages to other nodes wait", "err", err)
	}
}

func (n *natsConn) cameUp(conn *nats.Conn) {
	down := n.Up(conn.MaxPayload())
	n.Log.Info("link to NATS is back", "server", conn.ConnectedUrlRedacted(), "down", down)
}

func (n *natsConn) complain(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		n.Log.Warn("messages of other nodes come faster than they are delivered here", "err", err)
		return
	}
	n.Log.Error("NATS", "err", err)
}
