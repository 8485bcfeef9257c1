package cluster

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// buckets is how many subjects the topics of a cluster share. All nodes need the
	// same.
	buckets = 1024

	// lingers is for how many beats a node listens to a bucket without a topic of its
	// own: topics that come and go move no subscription.
	lingers = 6

	// gather is how long it collects buckets before it listens to further ones: a
	// thousand that come at once are a few questions to all nodes.
	gather = 20 * time.Millisecond
)

// bucketOf is the bucket of a topic: its FNV-1a hash, folded, as all nodes make it.
func bucketOf(topic string) uint16 {
	h := uint32(2166136261)
	for i := range len(topic) {
		h = (h ^ uint32(topic[i])) * 16777619
	}
	return uint16((h ^ h>>16) % buckets)
}

// An interest is which buckets this node listens to.
type interest struct {
	wake   chan struct{}         // holds one token when gains has some
	topics [buckets]atomic.Int32 // with subscribers, in each bucket

	mu    sync.Mutex           // guards the rest
	on    map[uint16]time.Time // buckets to listen to, since when
	gains map[uint16]time.Time // those of on that the carrier does not know of yet
	idle  map[uint16]time.Time // those of on without topics, since when
}

func newInterest() *interest {
	return &interest{
		wake:  make(chan struct{}, 1),
		on:    make(map[uint16]time.Time),
		gains: make(map[uint16]time.Time),
		idle:  make(map[uint16]time.Time),
	}
}

// Listen implements [pubsub.Selective]. Only the first topic of a bucket takes a lock.
func (l *Link) Listen(topic string) {
	i, b := l.interest, bucketOf(topic)
	if i.topics[b].Add(1) > 1 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.idle, b)
	if _, on := i.on[b]; on {
		return
	}
	now := time.Now()
	i.on[b], i.gains[b] = now, now
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// Ignore implements [pubsub.Selective]. The node listens a little longer.
func (l *Link) Ignore(topic string) {
	i, b := l.interest, bucketOf(topic)
	if i.topics[b].Add(-1) > 0 {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.topics[b].Load() == 0 { // else Listen was faster
		i.idle[b] = time.Now()
	}
}

// all are the buckets to listen to from the start.
func (i *interest) all() []uint16 {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.gains)
	return slices.Sorted(maps.Keys(i.on))
}

// turn returns what is to change: first the gains, with the time of their first
// subscriber, then the losses, which have had none since before a time.
func (i *interest) turn(before time.Time) (gains map[uint16]time.Time, losses []uint16) {
	i.mu.Lock()
	defer i.mu.Unlock()
	gains, i.gains = i.gains, make(map[uint16]time.Time)
	for b, since := range i.idle {
		if since.Before(before) {
			delete(i.idle, b)
			delete(i.on, b)
			losses = append(losses, b)
		}
	}
	return gains, losses
}

// follow keeps the carrier's subjects those of the buckets with subscribers, until the
// link closes.
func (l *Link) follow() {
	beats := time.NewTicker(l.cfg.Beat)
	defer beats.Stop()
	for {
		select {
		case <-l.interest.wake:
		case <-beats.C:
		case <-l.quit:
			return
		}
		gains, losses := l.interest.turn(time.Now().Add(-lingers * l.cfg.Beat))
		if len(gains) > 0 {
			l.gain(gains)
		}
		if len(losses) > 0 {
			l.lose(losses)
		}
		select {
		case <-time.After(gather):
		case <-l.quit:
			return
		}
	}
}

// gain listens to further buckets, and asks the other nodes where they are: what they
// have sent since the first subscriber came, and before the carrier brought it, they
// shall send again.
func (l *Link) gain(gains map[uint16]time.Time) {
	some := slices.Sorted(maps.Keys(gains))
	l.peers.listen(gains)
	if err := l.conn.Listen(l.subjectsOf(some)); err != nil {
		l.log.Debug("listening when the link is back", "err", err)
	}
	for some := range slices.Chunk(some, max(l.room()/2, 1)) { // a bucket has two bytes
		e := l.envelope(seek)
		e.number = l.peers.listening(some, time.Now())
		e.payload = appendBuckets(nil, some)
		l.say(&e, l.all)
	}
}

func (l *Link) lose(losses []uint16) {
	if err := l.conn.Ignore(l.subjectsOf(losses)); err != nil {
		l.log.Debug("still listening", "err", err) // until the link is lost; what comes is thrown away
	}
	l.peers.ignore(losses)
}

// subjectsOf are those of some buckets.
func (l *Link) subjectsOf(some []uint16) (all []string) {
	for _, b := range some {
		all = append(all, l.buckets[b])
	}
	return all
}

// subjectsOfBuckets are those of all buckets of a cluster.
func subjectsOfBuckets(prefix string) (all [buckets]string) {
	for b := range all {
		all[b] = fmt.Sprintf("%s.b.%d", prefix, b)
	}
	return all
}
