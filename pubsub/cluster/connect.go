package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// With a hundred nodes on one host NATS may take seconds to answer: a link that
	// is given up for that makes more work for all. What a dead one loses for so
	// long is sent again.
	dialTimeout  = 5 * time.Second  // for connection, TLS and credentials
	writeTimeout = 10 * time.Second // then the link counts as lost
	pingEvery    = 10 * time.Second
	maxPings     = 2 // without an answer; with the next one, after 30 s at most, the link counts as lost

	firstWait = 100 * time.Millisecond // before the first attempt to reconnect
	lastWait  = 2 * time.Second        // before later ones
)

// connect opens the connection to NATS and subscribes to what is for this node.
func (l *Link) connect() error {
	credentials, err := l.cfg.Credentials.options()
	if err != nil {
		return err
	}
	options := append([]nats.Option{
		nats.Name("roost " + l.cfg.Node),
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
		nats.DisconnectErrHandler(l.wentDown),
		nats.ReconnectHandler(l.cameUp),
		nats.ErrorHandler(l.complain),
		nats.ClosedHandler(func(*nats.Conn) { close(l.hungUp) }),
	}, append(credentials, l.cfg.Options...)...)
	l.hungUp = make(chan struct{})
	l.mu.Lock()
	l.up, l.ups = true, 1 // before any call of the handlers
	l.mu.Unlock()
	conn, err := nats.Connect(l.cfg.URL, options...)
	if err != nil {
		return l.explain(err)
	}
	l.conn = conn
	l.limit.Store(conn.MaxPayload())
	if err := l.listen(); err != nil {
		l.disconnect()
		return l.explain(err)
	}
	return nil
}

// listen returns when the server has taken all subscriptions or refused one.
func (l *Link) listen() (err error) {
	if _, err = l.subscribe(l.all); err != nil {
		return err
	}
	if l.toUs, err = l.subscribe(l.subject(l.id)); err != nil {
		return err
	}
	if _, err = l.subscribe(l.repairs(l.id)); err != nil {
		return err
	}
	if err = l.conn.FlushTimeout(dialTimeout); err != nil {
		return err
	}
	return l.conn.LastError()
}

func (l *Link) subscribe(subject string) (*nats.Subscription, error) {
	sub, err := l.conn.Subscribe(subject, l.receive)
	if err != nil {
		return nil, err
	}
	l.readers.Add(1)
	sub.SetClosedHandler(func(string) { l.readers.Done() })
	return sub, sub.SetPendingLimits(-1, l.cfg.MaxInbound)
}

// disconnect returns when nothing is received any more.
func (l *Link) disconnect() {
	l.conn.Close()
	l.readers.Wait()
	<-l.hungUp
}

// explain says what to do about an error of Start.
func (l *Link) explain(err error) error {
	where, _ := l.cfg.where()
	advice := "is one running there? Start it, or correct Config.URL"
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		advice = "put user and password or a token into Config.URL, or the names of their files into Config.Credentials"
	case errors.Is(err, nats.ErrPermissionViolation):
		advice = fmt.Sprintf("let this user publish and subscribe to roost.%s.>", l.cfg.Cluster)
	}
	return fmt.Errorf("cluster: NATS server %s: %w: %s", where, err, advice)
}

// backoff is the time before an attempt to reconnect; the first is number 1. It is spread out so
// that not all nodes fall upon a NATS server that has just started.
func backoff(attempts int) time.Duration {
	d := min(firstWait<<min(attempts-1, 10), lastWait)
	return d/2 + rand.N(d/2)
}

// setUp notes that the link came up or was lost.
func (l *Link) setUp(up bool) (down time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = up
	if !up {
		l.lost = time.Now()
		return 0
	}
	l.ups++
	return time.Since(l.lost)
}

func (l *Link) wentDown(_ *nats.Conn, err error) {
	l.setUp(false)
	if err != nil { // else we have closed it
		l.log.Warn("link to NATS lost; messages to other nodes wait", "err", err)
	}
}

func (l *Link) cameUp(conn *nats.Conn) {
	l.limit.Store(conn.MaxPayload())
	down := l.setUp(true)
	l.outbox.nudge()
	l.log.Info("link to NATS is back", "server", conn.ConnectedUrlRedacted(), "down", down)
}

func (l *Link) complain(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		l.log.Warn("messages of other nodes come faster than they are delivered here", "err", err)
		return
	}
	l.log.Error("NATS", "err", err)
}
