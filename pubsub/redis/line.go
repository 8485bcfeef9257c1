package redis

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// A line is one connection to Redis that is subscribed to all subjects. When it is
// lost, its context is done.
type line struct {
	*conn
	client  rueidis.Client
	ctx     context.Context
	lose    context.CancelCauseFunc
	readers sync.WaitGroup

	mu    sync.Mutex              // guards the rest
	reads map[string]*atomic.Bool // by subject; false once it is ignored
}

// dial returns a line when Redis has confirmed all subscriptions.
func (n *conn) dial() (*line, error) {
	client, err := n.client()
	if err != nil {
		return nil, err
	}
	l := &line{conn: n, client: client, reads: make(map[string]*atomic.Bool)}
	l.ctx, l.lose = context.WithCancelCause(n.ctx)
	if err := l.listen(n.all()); err != nil {
		l.hangUp()
		return nil, err
	}
	return l, nil
}

// client returns a connected one. If any server of a cluster will do, it uses only one:
// messages that reach a subscriber through several keep no order.
func (n *conn) client() (c rueidis.Client, err error) {
	if !n.options.ForceSingleClient {
		return rueidis.NewClient(n.options)
	}
	for _, i := range rand.Perm(len(n.options.InitAddress)) { // nodes spread over the servers
		one := n.options
		one.InitAddress = one.InitAddress[i : i+1]
		if c, err = rueidis.NewClient(one); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// all returns the subjects to listen to.
func (n *conn) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Collect(maps.Keys(n.subjects))
}

// listen returns when Redis has confirmed the subscriptions to those subjects that
// are new.
func (l *line) listen(subjects []string) error {
	confirmed, waiting := make(chan struct{}, len(subjects)), 0
	for _, subject := range subjects {
		if listens := l.add(subject); listens != nil {
			waiting++
			l.readers.Go(func() { l.read(subject, listens, confirmed) })
		}
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialTimeout)
	defer cancel()
	for range waiting {
		select {
		case <-confirmed:
		case <-ctx.Done():
			l.lose(context.Cause(ctx)) // if it was not
			return context.Cause(l.ctx)
		}
	}
	return nil
}

// add notes that a subject is read. It returns nil if it is already, or if the line is
// lost.
func (l *line) add(subject string) *atomic.Bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reads[subject] != nil {
		return nil
	}
	listens := new(atomic.Bool)
	listens.Store(true)
	l.reads[subject] = listens
	return listens
}

// ignore ends subscriptions.
func (l *line) ignore(subjects []string) error {
	var commands []rueidis.Completed
	for _, subject := range subjects {
		l.mu.Lock()
		listens := l.reads[subject]
		delete(l.reads, subject)
		l.mu.Unlock()
		if listens == nil {
			continue
		}
		listens.Store(false)
		if l.cfg.Sharded {
			commands = append(commands, l.client.B().Sunsubscribe().Channel(subject).Build())
		} else {
			commands = append(commands, l.client.B().Unsubscribe().Channel(subject).Build())
		}
	}
	for _, r := range l.client.DoMulti(l.ctx, commands...) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// read receives what comes for one subject, until it is ignored or the line is lost.
func (l *line) read(subject string, listens *atomic.Bool, confirmed chan<- struct{}) {
	ctx := rueidis.WithOnSubscriptionHook(l.ctx, func(rueidis.PubSubSubscription) {
		select {
		case confirmed <- struct{}{}:
		default: // a goodbye
		}
	})
	subscribe := l.client.B().Subscribe().Channel(subject).Build()
	if l.cfg.Sharded {
		subscribe = l.client.B().Ssubscribe().Channel(subject).Build()
	}
	err := l.client.Receive(ctx, subscribe, func(m rueidis.PubSubMessage) { l.Receive(subject, []byte(m.Message)) })
	switch {
	case err == nil && !listens.Load():
		return
	case err == nil:
		err = errors.New("subscription ended by Redis")
	}
	l.lose(err)
}

// write returns when Redis has taken a batch.
func (l *line) write(batch []letter) error {
	commands := make([]rueidis.Completed, len(batch))
	for i, m := range batch {
		text := rueidis.BinaryString(m.data)
		if l.cfg.Sharded {
			commands[i] = l.client.B().Spublish().Channel(m.subject).Message(text).Build()
		} else {
			commands[i] = l.client.B().Publish().Channel(m.subject).Message(text).Build()
		}
	}
	for _, r := range l.client.DoMulti(l.ctx, commands...) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// hangUp returns when nothing is read any more.
func (l *line) hangUp() {
	l.lose(errors.New("hung up"))
	l.client.Close()
	l.readers.Wait()
}
