package phxtest

import (
	"context"
	"errors"
)

// syncEvent is broadcast on a topic to see that what was broadcast before has
// arrived: big topics are served by a pool of their own.
const syncEvent = "phxtest_sync"

type syncPayload struct {
	N int64 `json:"n"`
}

// settle waits until the endpoint is quiet and what it sent to the channel is in
// the inbox. It is quiet after a round in which no callback began or ended: had one
// been running or waiting for its turn, also for a broadcast on its way, flush
// would have seen to its end. Then what is left is to read: a reply is sent only
// after the callback's end.
func (ch *Channel) settle() error {
	c := ch.client
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	a := c.endpoint.activity
	for ctx.Err() == nil {
		before := a.count.Load()
		if err := ch.sync(); err != nil {
			return err
		}
		if err := a.flush(ctx); err != nil {
			return err
		}
		if a.count.Load() == before {
			return ch.sync()
		}
	}
	return errors.New("callbacks cause callbacks and have not come to an end")
}

// sync reads all that has been sent to the channel's client.
func (ch *Channel) sync() error {
	c := ch.client
	if ch.ended {
		return c.heartbeat()
	}
	n := c.endpoint.syncs.Add(1)
	if err := c.endpoint.Broadcast(ch.topic, syncEvent, syncPayload{n}); err != nil {
		return err
	}
	err := c.await(func() bool { return c.synced >= n || ch.ended })
	if c.closed != nil { // then, too, all is read
		return nil
	}
	return err
}
