package cluster

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/roost-rt/roost/pubsub"
)

// A census asks the other nodes how many subscriptions a topic has there.
type census struct {
	missing  map[uint64]string // names of the nodes that have not answered, by id
	answered int               // nodes that have
	n        int               // what they said, together
	done     chan struct{}     // closed when all have
}

// CountWith implements [pubsub.Counter].
func (l *Link) CountWith(count func(topic string) int) { l.count = count }

// Count implements [pubsub.Counter]. It asks the nodes heard of within three
// beats.
func (l *Link) Count(ctx context.Context, topic string) (n int, err error) {
	others := l.peers.here()
	number, c, err := l.begin(maps.Clone(others))
	if err != nil {
		return 0, err
	}
	e := l.envelope(ask)
	e.number, e.topic = number, topic
	for id := range others {
		l.say(&e, l.repairs(id))
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.quit:
		err = pubsub.ErrNotConnected
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.censuses, number)
	if len(c.missing) == 0 {
		return c.n, nil
	}
	return c.n, &pubsub.SilentError{Nodes: slices.Sorted(maps.Values(c.missing)), Answered: c.answered, Err: err}
}

// begin notes that there is a census of some nodes.
func (l *Link) begin(others map[uint64]string) (number uint64, c *census, err error) {
	c = &census{missing: others, done: make(chan struct{})}
	if len(others) == 0 {
		close(c.done)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != started {
		return 0, nil, pubsub.ErrNotConnected
	}
	l.lastCensus++
	l.censuses[l.lastCensus] = c
	return l.lastCensus, c, nil
}

// tell answers the census of another node.
func (l *Link) tell(question *envelope) {
	e := l.envelope(count)
	e.number = question.number
	e.payload = binary.BigEndian.AppendUint64(nil, uint64(l.count(question.topic)))
	l.say(&e, l.repairs(question.id))
}

// tally takes the answer of another node. One that leaves has no subscriptions any
// more.
func (l *Link) tally(e *envelope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for number, c := range l.censuses {
		if _, asked := c.missing[e.id]; !asked || e.kind == count && number != e.number {
			continue
		}
		delete(c.missing, e.id)
		c.answered++
		if e.kind == count {
			c.n += int(binary.BigEndian.Uint64(e.payload))
		}
		if len(c.missing) == 0 {
			close(c.done)
		}
	}
}
