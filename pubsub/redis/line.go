package redis

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/rueidis"
)

// A line is one connection to Redis that is subscribed to all subjects. When it is
// lost, its context is done.
type line struct {
	client  rueidis.Client
	ctx     context.Context
	lose    context.CancelCauseFunc
	readers sync.WaitGroup
}

// dial returns a line when Redis has confirmed all subscriptions.
func (n *conn) dial() (*line, error) {
	client, err := rueidis.NewClient(n.options)
	if err != nil {
		return nil, err
	}
	l := &line{client: client}
	l.ctx, l.lose = context.WithCancelCause(n.ctx)
	confirmed := make(chan struct{}, len(n.Subjects))
	for _, subject := range n.Subjects {
		l.readers.Go(func() { l.read(subject, n.cfg.Sharded, n.inboxes[subject], confirmed) })
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialTimeout)
	defer cancel()
	for range n.Subjects {
		select {
		case <-confirmed:
		case <-ctx.Done():
			err := context.Cause(ctx)
			l.hangUp()
			return nil, err
		}
	}
	return l, nil
}

// read puts into a node's inbox what comes for one subject, until the line is lost.
func (l *line) read(subject string, sharded bool, in *inbox, confirmed chan<- struct{}) {
	ctx := rueidis.WithOnSubscriptionHook(l.ctx, func(s rueidis.PubSubSubscription) {
		select {
		case confirmed <- struct{}{}:
		default: // a goodbye
		}
	})
	subscribe := l.client.B().Subscribe().Channel(subject).Build()
	if sharded {
		subscribe = l.client.B().Ssubscribe().Channel(subject).Build()
	}
	err := l.client.Receive(ctx, subscribe, func(m rueidis.PubSubMessage) { in.put(m.Message) })
	if err == nil {
		err = errors.New("subscription ended by Redis")
	}
	l.lose(err)
}

// write returns when Redis has taken a batch.
func (l *line) write(batch []letter, sharded bool) error {
	commands := make([]rueidis.Completed, len(batch))
	for i, m := range batch {
		text := rueidis.BinaryString(m.data)
		if sharded {
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
