package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
)

const (
	// What may wait to be written at once. Beyond 2,000 messages rueidis would take
	// another connection.
	maxBatch      = 1000
	maxBatchBytes = 1 << 20

	firstWait = 100 * time.Millisecond // before the first attempt to connect again
	lastWait  = 2 * time.Second        // before later ones
)

// A conn keeps a line to Redis, and replaces it when it is lost. One goroutine does
// that, and writes.
type conn struct {
	cluster.Session
	cfg     Config
	options rueidis.ClientOption
	running sync.WaitGroup  // the goroutines of the conn
	ctx     context.Context // done when the conn closes
	close   context.CancelFunc

	mu       sync.Mutex // guards the rest
	changed  *sync.Cond
	subjects map[string]bool // to listen to
	line     *line           // nil while there is none
	batch    []letter
	bytes    int  // of batch
	writing  bool // what was batch before
}

// A letter waits to be written.
type letter struct {
	subject string
	data    []byte
}

// Connect implements [cluster.Carrier].
func (c *Carrier) Connect(s cluster.Session) (cluster.Conn, error) {
	options, err := c.cfg.options(s.Node)
	if err != nil {
		return nil, err
	}
	n := &conn{Session: s, cfg: c.cfg, options: options, subjects: make(map[string]bool)}
	n.changed = sync.NewCond(&n.mu)
	n.ctx, n.close = context.WithCancel(context.Background())
	for _, subject := range s.Subjects {
		n.subjects[subject] = true
	}
	if n.line, err = n.dial(); err != nil {
		n.close()
		return nil, explain(&options, &s, err)
	}
	n.running.Go(n.keep)
	return n, nil
}

// keep keeps the conn connected until it closes.
func (n *conn) keep() {
	for l := n.line; l != nil; {
		err := l.listen(n.all()) // what came while it was dialed
		if err == nil {
			err = n.carry(l)
		}
		n.setLine(nil)
		l.hangUp()
		if n.ctx.Err() != nil {
			return
		}
		n.Down()
		n.Log.Warn("link to Redis lost; messages to other nodes wait", "err", err)
		if l = n.again(); l != nil {
			n.setLine(l)
			n.Log.Info("link to Redis is back", "down", n.Up(n.Limit()))
		}
	}
}

// again connects again, or returns nil when the conn closes.
func (n *conn) again() *line {
	for attempt := 0; ; attempt++ {
		select {
		case <-time.After(backoff(attempt)):
		case <-n.ctx.Done():
			return nil
		}
		l, err := n.dial()
		if err == nil {
			return l
		}
		n.Log.Debug("not connected to Redis", "err", err)
	}
}

// backoff is the time before an attempt to connect; the first is number 0. It is
// spread out so that not all nodes fall upon a server that has just started.
func backoff(attempt int) time.Duration {
	d := min(firstWait<<min(attempt, 10), lastWait)
	return d/2 + rand.N(d/2)
}

func (n *conn) setLine(l *line) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.line, n.batch, n.bytes, n.writing = l, nil, 0, false
	n.changed.Broadcast()
}

// carry writes what is published until the line is lost.
func (n *conn) carry(l *line) error {
	stop := context.AfterFunc(l.ctx, func() { n.wake() })
	defer stop()
	for {
		batch := n.next(l)
		if batch == nil {
			return context.Cause(l.ctx)
		}
		if err := l.write(batch); err != nil {
			return err
		}
	}
}

// next waits for letters. It returns nil when the line is lost.
func (n *conn) next(l *line) (batch []letter) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writing = false
	n.changed.Broadcast()
	for len(n.batch) == 0 && l.ctx.Err() == nil {
		n.changed.Wait()
	}
	if l.ctx.Err() != nil {
		return nil
	}
	batch, n.batch, n.bytes, n.writing = n.batch, nil, 0, true
	n.changed.Broadcast()
	return batch
}

func (n *conn) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changed.Broadcast()
}

// Publish implements [cluster.Conn].
func (n *conn) Publish(subject string, data []byte) error {
	if len(data) > n.cfg.MaxMessage {
		return fmt.Errorf("%w: %d bytes", pubsub.ErrTooLarge, len(data))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.line != nil && len(n.batch) > 0 && (len(n.batch) == maxBatch || n.bytes+len(data) > maxBatchBytes) {
		n.changed.Wait()
	}
	if n.line == nil {
		return cluster.ErrDown
	}
	n.batch = append(n.batch, letter{subject, data})
	n.bytes += len(data)
	n.changed.Broadcast()
	return nil
}

// Flush implements [cluster.Conn].
func (n *conn) Flush(timeout time.Duration) error {
	end := time.Now().Add(timeout)
	defer time.AfterFunc(timeout, n.wake).Stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.line != nil && (n.writing || len(n.batch) > 0) && time.Now().Before(end) {
		n.changed.Wait()
	}
	switch {
	case n.line == nil:
		return cluster.ErrDown
	case n.writing || len(n.batch) > 0:
		return errors.New("no answer of Redis in time")
	}
	return nil
}

// Renew implements [cluster.Conn].
func (n *conn) Renew() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.line != nil {
		n.line.lose(errors.New("given up"))
	}
	return nil
}

// Limit implements [cluster.Conn].
func (n *conn) Limit() int64 { return int64(n.cfg.MaxMessage) }

// Listen implements [cluster.Conn].
func (n *conn) Listen(subjects []string) error {
	l := n.note(subjects, true)
	if l == nil {
		return cluster.ErrDown
	}
	return l.listen(subjects)
}

// Ignore implements [cluster.Conn].
func (n *conn) Ignore(subjects []string) error {
	l := n.note(subjects, false)
	if l == nil {
		return nil
	}
	return l.ignore(subjects)
}

// note keeps what to listen to on each line, and returns the one that there is.
func (n *conn) note(subjects []string, listens bool) *line {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, subject := range subjects {
		if listens {
			n.subjects[subject] = true
		} else {
			delete(n.subjects, subject)
		}
	}
	return n.line
}

// Dropped implements [cluster.Conn]. The Link takes everything.
func (n *conn) Dropped(string) int { return 0 }

// Close implements [cluster.Conn].
func (n *conn) Close() {
	n.close()
	n.running.Wait()
}
