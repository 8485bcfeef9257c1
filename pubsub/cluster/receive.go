package cluster

import (
	"errors"
	"slices"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

// overloadPause is the time between two attempts to deliver.
const overloadPause = 5 * time.Millisecond

// receive takes what comes, each inbox in a goroutine of its own.
func (l *Link) receive(in *inbox, data []byte) {
	e, err := l.read(in, data)
	switch {
	case errors.Is(err, errForged):
		l.forged()
		return
	case err != nil:
		l.counts.invalid.Add(1) // logged with the next beat
		return
	case e.id == l.id:
		return // some carriers bring back what this node has sent
	}
	if e.kind.inTurn() {
		l.receiving.Lock()
		defer l.receiving.Unlock()
	}
	h := l.hear(&e)
	switch {
	case h.replay:
		l.forged()
		return
	case h.deaf && e.kind != direct:
		l.counts.invalid.Add(1)
		l.crowd.Do(func() {
			l.log.Error("further nodes are not heard: there are too many, or somebody invents them", "most", maxPeers,
				"fix", "let nobody else publish, or give all nodes the same Config.Secret")
		})
		return
	case e.kind == direct:
		l.deliverHere(&e)
	case h.due:
		l.deliverHere(&e)
		if in == &l.inbound.repairs {
			l.counts.repaired.Add(1)
		}
	case e.kind == join || e.kind == whole || e.kind == again || e.kind == seek:
		l.note(&e)
	case e.kind == ask:
		l.tell(&e)
	case e.kind == count || e.kind == leave:
		l.tally(&e)
	case h.behind:
		w := l.envelope(whole)
		l.say(&w, l.subject(e.id))
	}
	l.catchUp(&h.news)
}

// errForged is returned for what nobody has signed who knows the secret, or long ago.
var errForged = errors.New("not signed")

// read reads an envelope that came into an inbox.
func (l *Link) read(in *inbox, data []byte) (e envelope, err error) {
	if l.seal == nil {
		return decode(data)
	}
	end := len(data) - sealSize
	if end < headSize || data[2]&flagSigned == 0 {
		return e, errForged
	}
	data[2] &^= flagSigned
	e, err = decode(data[:end:end])
	data[2] |= flagSigned
	subject := l.all
	switch {
	case err != nil:
		return e, err
	case e.kind == broadcast: // also if it is sent again
		subject = l.buckets[e.bucket]
	case in == &l.inbound.direct:
		subject = l.inbound.toThis
	case in == &l.inbound.repairs:
		subject = l.inbound.again
	}
	serial, ok := l.seal.verify(subject, data)
	if !ok {
		return e, errForged
	}
	e.serial = serial
	return e, nil
}

// forged counts what is not from a node of this cluster, or was sent again. That is said once.
func (l *Link) forged() {
	l.counts.forged.Add(1)
	l.forgery.Do(func() {
		l.log.Error("messages between nodes are dropped: not signed with the secret of this cluster, sent again, or by a clock that is wrong",
			"fix", "give all nodes the same Config.Secret and the time, and let nobody else publish")
	})
}

// hear takes note of the sender, and logs what is new.
func (l *Link) hear(e *envelope) heard {
	h := l.peers.hear(e, time.Now())
	switch {
	case h.came && e.node == l.cfg.Node:
		l.log.Error("another node has the same name; give each its own Config.Node")
	case h.came:
		l.log.Debug("node has come", "peer", e.node)
		l.turnover.note(e.node, &l.turnover.came)
	case h.left:
		l.log.Debug("node has left", "peer", e.node)
		l.turnover.note(e.node, &l.turnover.left)
	}
	if h.came || h.left {
		l.tellChanges()
	}
	if h.all {
		l.outbox.nudge()
	}
	if h.opens {
		select {
		case l.chases <- struct{}{}:
		default:
		}
	}
	return h
}

// note keeps for the sending goroutine what another node wants to know.
func (l *Link) note(e *envelope) {
	l.mu.Lock()
	switch e.kind {
	case join, whole:
		put(&l.asked, e.id, func(id uint64) bool { return id == e.id })
	case again:
		put(&l.questions, questionOf(e), func(q question) bool { return q.id == e.id && q.bucket == e.bucket })
	case seek:
		put(&l.seekers, seeker{e.id, e.number, e.seeks}, func(n seeker) bool { return n.id == e.id && n.number == e.number })
	}
	l.mu.Unlock()
	l.outbox.nudge()
}

// put adds something to a queue, in place of the same that waits there. What there is no
// room for the other node will want again.
func put[T any](queue *[]T, v T, same func(T) bool) {
	if i := slices.IndexFunc(*queue, same); i >= 0 {
		(*queue)[i] = v
	} else if len(*queue) < maxPeers {
		*queue = append(*queue, v)
	}
}

// catchUp does what there is to do for broadcasts that did not come in order.
func (l *Link) catchUp(n *news) {
	if n.lost > 0 {
		l.missed(n.node, n.lost)
	}
	for i := range n.ready {
		l.deliverHere(&n.ready[i])
	}
	if n.asks {
		e := l.envelope(again)
		n.question.put(&e)
		l.say(&e, l.repairs(n.id))
	}
}

// missed counts messages of a node that will not come any more, and tells of them.
func (l *Link) missed(node string, messages uint64) {
	l.counts.gaps.Add(1)
	l.counts.missed.Add(messages) // logged with the next beat
	l.gap(pubsub.Gap{Node: node, Messages: messages})
}

// lookAfter asks again for what is missing, until the link closes. While nothing is, it
// sleeps: a hundred nodes on one host would spend a tenth of a processor on looking.
func (l *Link) lookAfter() {
	step := min(settle, l.cfg.Beat)
	next := time.NewTimer(step)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-l.chases:
		case <-l.quit:
			return
		}
		if l.chase() {
			next.Reset(step)
		}
	}
}

// chase reports whether something is missing still.
func (l *Link) chase() bool {
	if !l.isUp() {
		l.peers.hold(time.Now())
	} else {
		for _, at := range l.peers.troubled() {
			l.receiving.Lock()
			n := l.peers.chase(at, time.Now())
			l.catchUp(&n)
			l.receiving.Unlock()
		}
	}
	return len(l.peers.troubled()) > 0
}

func (l *Link) deliverHere(e *envelope) {
	m := &pubsub.Message{Topic: e.topic, Event: e.event, Payload: e.payload, Binary: e.binary}
	switch err := l.deliverInTime(m); {
	case err == nil:
		l.counts.received.Add(1)
	case errors.Is(err, pubsub.ErrInvalid):
		l.counts.invalid.Add(1) // logged with the next beat, as is
	default:
		l.missed(e.node, 1)
	}
}

// deliverInTime delivers m when this node has room for it, or fails after
// Config.MaxWait. What comes in that time waits: Config.MaxInbound.
func (l *Link) deliverInTime(m *pubsub.Message) error {
	err := l.deliver(m)
	for end := time.Now().Add(l.cfg.MaxWait); errors.Is(err, pubsub.ErrOverloaded) && time.Now().Before(end) && l.pause(); {
		err = l.deliver(m)
	}
	return err
}

// pause waits for a node that is overloaded. It reports false when the link closes.
func (l *Link) pause() bool {
	select {
	case <-time.After(overloadPause):
		return true
	case <-l.quit:
		return false
	}
}
