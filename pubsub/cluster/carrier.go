package cluster

import (
	"errors"
	"log/slog"
	"time"
)

// A Carrier brings bytes from node to node. NATS is one, package redis has another.
type Carrier interface {
	// Connect connects, and returns when all subjects are subscribed to. Its error
	// says what to do. It is called once, or again if it fails.
	Connect(s Session) (Conn, error)
}

// A Session is what a Conn needs to know of its Link. The functions may be called by
// any goroutine, also before Connect has returned.
type Session struct {
	Node       string       // name of this node, for lists of connections
	Cluster    string       // what all subjects begin with: "roost.default"
	Subjects   []string     // to listen to, each in order and not behind another
	MaxInbound int          // bytes that may wait to be received, for each subject
	Log        *slog.Logger // never waits

	// Receive takes what comes, and may wait. It keeps data.
	Receive func(subject string, data []byte)

	// Down is called when the connection is lost, and Up when it is back and
	// subscribed again, with the size of the largest message that it takes, or 0 for
	// any. Up returns how long that took.
	Down func()
	Up   func(limit int64) (down time.Duration)
}

// A Conn is a connection, which connects again for ever.
type Conn interface {
	// Publish sends data to all that listen to subject, perhaps a moment later, and
	// in order; this node may be among them. It may wait for the network. It fails
	// with pubsub.ErrTooLarge; with ErrDown while the connection is lost, and has then
	// sent nothing; otherwise it may have. It keeps data, which is not changed.
	Publish(subject string, data []byte) error

	// Flush waits until all has left that was published.
	Flush(timeout time.Duration) error

	// Renew gives up the connection and connects again. It does not wait.
	Renew() error

	// Dropped is how many messages for a subject were dropped since too much waited.
	Dropped(subject string) int

	// Limit is that of Session.Up.
	Limit() int64

	// Close returns when no function of the Session is called any more.
	Close()
}

// ErrDown is returned by a Conn that has lost its connection.
var ErrDown = errors.New("connection lost")

// connect opens the connection and subscribes to what is for this node.
func (l *Link) connect() (err error) {
	carrier := l.cfg.Carrier
	if carrier == nil {
		carrier = natsCarrier{l.cfg}
	}
	l.mu.Lock()
	l.up, l.ups = true, 1 // before any call of the functions
	l.mu.Unlock()
	l.conn, err = carrier.Connect(Session{
		Node:       l.cfg.Node,
		Cluster:    l.prefix(),
		Subjects:   []string{l.all, l.subject(l.id), l.repairs(l.id)},
		MaxInbound: l.cfg.MaxInbound,
		Log:        l.log,
		Receive:    l.receive,
		Down:       l.wentDown,
		Up:         l.cameUp,
	})
	if err != nil {
		return err
	}
	l.limit.CompareAndSwap(0, l.conn.Limit()) // Up may have told a later one
	return nil
}

func (l *Link) wentDown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.lost = false, time.Now()
}

func (l *Link) cameUp(limit int64) (down time.Duration) {
	defer l.outbox.nudge()
	l.limit.Store(limit)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = true
	l.ups++
	return time.Since(l.lost)
}
