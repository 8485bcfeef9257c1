package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// A Carrier transports bytes between nodes. NATS is one; package redis has
// another. One that has a method Check() error is asked by [Config.Check].
type Carrier interface {
	// Connect connects, and returns when all subjects are subscribed to. Its error says
	// how to fix the problem. It is called once, or again if it fails.
	Connect(s Session) (Conn, error)
}

// A Session is the information that a [Conn] needs about its [Link]. Any
// goroutine may call the functions, also before Connect has returned.
type Session struct {
	Node     string       // name of this node, for lists of connections
	Cluster  string       // the prefix of all subjects: "roost.default"
	Subjects []string     // to listen to from the start
	Log      *slog.Logger // never waits

	// Receive takes incoming messages: those of each subject in order, and those of all
	// subjects in order if the carrier can. It does not wait, and keeps data.
	Receive func(subject string, data []byte)

	// Down is called when the connection is lost, and Up when it is back and subscribed
	// again, with the size of the largest message it takes, or 0 for any. Up returns
	// how long the connection was down.
	Down func()
	Up   func(limit int64) (down time.Duration)
}

// A Conn is a connection that reconnects forever.
type Conn interface {
	// Publish sends data to all that listen to subject, perhaps a moment later, and in
	// order; this node may be among them. It may wait for the network. It fails with
	// pubsub.ErrTooLarge, or with ErrDown while the connection is lost. With these two
	// nothing was sent; with any other error data may have been sent. It keeps data,
	// which is not changed.
	Publish(subject string, data []byte) error

	// Listen listens to further subjects. After it has returned, messages arrive that
	// others publish once they have received one published here. It may wait for the
	// network. If it fails, it is done when the connection is back.
	Listen(subjects []string) error

	// Ignore stops listening to some subjects. Messages that arrive all the same are
	// dropped.
	Ignore(subjects []string) error

	// Flush waits until all published messages have left.
	Flush(timeout time.Duration) error

	// Renew gives up the connection and connects again. It does not wait.
	Renew() error

	// Dropped returns how many messages for a subject could not be received fast
	// enough.
	Dropped(subject string) int

	// Limit returns the limit that was given to Session.Up.
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
	here := l.interest.all()
	l.peers.listening(here, time.Now()) // before any table comes
	l.conn, err = carrier.Connect(Session{
		Node:     l.cfg.Node,
		Cluster:  l.prefix(),
		Subjects: append(l.subjectsOf(here), l.all, l.subject(l.id), l.repairs(l.id)),
		Log:      l.log,
		Receive:  l.inbound.put,
		Down:     l.wentDown,
		Up:       l.cameUp,
	})
	if err != nil {
		return err
	}
	l.limit.CompareAndSwap(0, l.conn.Limit()) // Up may have told a later one
	if err := tooSmall(l.limit.Load()); err != nil {
		l.conn.Close()
		return err
	}
	return nil
}

// leastLimit is how many bytes a carrier has to take at once: the longest name of a node,
// and some rows.
const leastLimit = 1 << 10

// tooSmall returns an error for a limit with which nodes cannot work.
func tooSmall(limit int64) error {
	if limit == 0 || limit >= leastLimit {
		return nil
	}
	return fmt.Errorf("cluster: the server takes messages of %d bytes at most: let it take %d or more, better 8 MiB (max_payload of NATS, redis.Config.MaxMessage)", limit, leastLimit)
}

// room is how many bytes of rows or of buckets there may be in an envelope.
func (l *Link) room() int {
	limit := l.limit.Load()
	if limit == 0 {
		return math.MaxInt
	}
	e := l.envelope(pulse)
	return int(limit) - len(e.encode()) - l.seal.size() - binary.MaxVarintLen64
}

func (l *Link) wentDown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.lost = false, time.Now()
}

func (l *Link) cameUp(limit int64) (down time.Duration) {
	defer l.outbox.nudge()
	l.limit.Store(limit)
	if err := tooSmall(limit); err != nil {
		l.log.Error("nodes do not hear each other", "err", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = true
	l.ups++
	return time.Since(l.lost)
}
