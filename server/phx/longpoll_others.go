package phx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/roost-rt/roost/pubsub"
)

const (
	// maxPart is how much of a body goes in one message between nodes, in bytes.
	maxPart = 64 << 10

	// maxCrossing is how many bytes of large bodies a node may be sending for a mount:
	// broadcasts need the way to the others, too. One always may.
	maxCrossing = 16 << 20

	// maxTaken is about how many bytes of messages go to another node in one answer.
	maxTaken = 1 << 20
)

// others are the other nodes of the cluster, for the long-poll sessions of a mount
// (spec §3.4). A request for a session of another node goes there in parcels, and the
// answer comes back the same way: the node of the session keeps all of its state, the
// node of the client no more than the request.
//
// The node of the session takes an answer back unless it has reached the client. The
// node of the client says so if it could not write the answer, or if the connection ends
// before the client has confirmed it. It is asked when the client polls some other way.
//
// Any parcel may be lost. So the node of the client sends a request again until it
// hears something, and the node of the session takes it once: it knows requests by
// their numbers. It asks what has become of an answer until it knows. If it cannot know,
// because a node is gone or out of reach for too long, the client is told: a POST is
// answered 408, and a session ends if its client may or may not have read an answer.
type others struct {
	*pollSessions // immutable
	topic         string
	handle        pubsub.Subscription
	start         uint64 // of requests

	mu       sync.Mutex // guards the rest; no other lock is taken while it is held
	last     uint64     // n of the last request
	asked    map[uint64]*forwarded
	crossing int // bytes; see maxCrossing
	coming   map[requestID]*comingPost
	returned outcomes   // polls of this node whose answers, if there were any, their clients have not got
	taken    takenPosts // of other nodes
}

// meet makes the sessions of other nodes known, if there are any.
func (p *pollSessions) meet() {
	if p.cfg.Adapter == nil {
		return
	}
	// Clients choose topics, too: this one only knows who has the secret.
	mac := hmac.New(sha256.New, []byte(p.cfg.Secret))
	mac.Write([]byte(pollSalt + p.path))
	p.others = &others{
		pollSessions: p,
		topic:        "phx:lp:" + hex.EncodeToString(mac.Sum(nil)[:16]),
		start:        rand.Uint64(),
		asked:        make(map[uint64]*forwarded),
		coming:       make(map[requestID]*comingPost),
		taken:        takenPosts{of: make(map[uint64]*outcomes)},
	}
	p.pubsub.Subscribe(p.others.topic, p.others)
}

// inspect is the gate for messages of other nodes. Parcels are not for clients.
func (ep *Endpoint) inspect(m *pubsub.Message) error {
	for _, p := range ep.polls {
		if p.others != nil && p.others.topic == m.Topic {
			return nil
		}
	}
	return ep.services.inspect(m)
}

// Subscription returns the subscription to the topic; see pubsub.Subscriber.
func (o *others) Subscription() *pubsub.Subscription { return &o.handle }

// Deliver takes parcels of other nodes.
func (o *others) Deliver(b *pubsub.Batch) {
	for m := range b.For(o) {
		p, err := decodeParcel(m.Payload)
		if err != nil {
			o.log.Warn("long polling: cannot read a message of another node: does it run the same version?", "err", err)
			continue
		}
		switch p.kind {
		case parcelPoll:
			o.takePoll(&p)
		case parcelPost:
			o.takePost(&p)
		case parcelBack, parcelKept:
			if s := o.byIDOf(p.session); s != nil {
				s.settled(p.request, p.kind == parcelBack)
			}
		default:
			o.hear(&p)
		}
	}
}

// send sends a parcel, with a body in as many as it needs. It does not wait.
func (o *others) send(node string, p parcel, body []byte) error {
	p.node, p.size = o.pubsub.Node(), len(body)
	for {
		n := min(len(body), maxPart)
		p.part, body = body[:n], body[n:]
		err := o.pubsub.PublishTo(node, &pubsub.Message{Topic: o.topic, Event: "parcel", Payload: p.encode(), Binary: true})
		if err != nil || len(body) == 0 {
			o.note(node, err)
			return err
		}
		p.at += n
	}
}

// note logs why something was not sent.
func (o *others) note(node string, err error) {
	switch {
	case err == nil:
	case errors.Is(err, pubsub.ErrUnknownNode), errors.Is(err, pubsub.ErrNotConnected): // it has ended, or we do
		o.log.Debug("long polling: not sent to another node", "peer", node, "err", err)
	default:
		o.log.Warn("long polling: not sent to another node", "peer", node, "err", err)
	}
}

// leave ends the polls that wait for other nodes, when this one drains: their
// sessions live on.
func (o *others) leave() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.asked {
		f.conn.Post(f.leave)
	}
}
