package cluster

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub"
)

// overloadPause is the time between two attempts to deliver.
const overloadPause = 5 * time.Millisecond

// receive takes what comes from NATS, each subject in a goroutine of its own.
func (l *Link) receive(in *nats.Msg) {
	e, err := decode(in.Data)
	if err != nil {
		l.counts.invalid.Add(1) // logged with the next beat
		return
	}
	if e.id == l.id {
		return // NoEcho knows nothing of the connection before this one
	}
	if h := l.hear(&e); h.stale {
		return
	}
	switch {
	case e.kind.carries():
		l.deliverHere(&e)
	case e.kind == join:
		l.mu.Lock()
		if len(l.asked) < maxPeers {
			l.asked = append(l.asked, e.id)
		}
		l.mu.Unlock()
		l.outbox.nudge()
	}
}

// hear takes note of the sender, and logs and counts what is new.
func (l *Link) hear(e *envelope) heard {
	h := l.peers.hear(e, time.Now())
	switch {
	case h.came && e.node == l.cfg.Node:
		l.log.Error("another node has the same name; give each its own Config.Node")
	case h.came:
		l.log.Info("node has come", "peer", e.node)
	case h.left:
		l.log.Info("node has left", "peer", e.node)
	}
	l.counts.missed.Add(h.missed)
	if h.all {
		l.outbox.nudge()
	}
	return h
}

func (l *Link) deliverHere(e *envelope) {
	m := &pubsub.Message{Topic: e.topic, Event: e.event, Payload: e.payload, Binary: e.binary}
	switch err := l.deliverInTime(m); {
	case err == nil:
		l.counts.received.Add(1)
	case errors.Is(err, pubsub.ErrInvalid):
		l.counts.invalid.Add(1) // logged with the next beat, as is
	default:
		l.counts.missed.Add(1)
	}
}

// deliverInTime delivers m when this node has room for it, or fails after
// Config.MaxWait. What comes from NATS in that time waits there: Config.MaxInbound.
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
