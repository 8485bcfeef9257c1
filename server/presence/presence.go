package presence

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub/tracker"
	"github.com/roost-rt/roost/server/phx"
)

var (
	// ErrAlreadyTracked is returned by Track for a key that the channel tracks on the
	// topic already.
	ErrAlreadyTracked = errors.New("presence: already tracked")

	// ErrNotTracked is returned by Update for a key that the channel does not track on
	// the topic.
	ErrNotTracked = errors.New("presence: not tracked")

	// ErrOtherEndpoint is returned where a Presence is attached to one endpoint and
	// used with another.
	ErrOtherEndpoint = errors.New("presence: attached to another endpoint")
)

// A Presence is who is on the topics of one endpoint, and of the others of its
// cluster. It may be used by any goroutine.
type Presence struct {
	cfg Config

	mu     sync.Mutex // guards the rest
	ep     *phx.Endpoint
	state  *tracker.State
	topics map[string]*topic
	local  map[*phx.Channel][]tracked
	counts map[*topic]bool // whose own count the other nodes have yet to hear
	dirty  []*topic        // with something to tell clients
	closed bool

	wake    chan struct{} // something is dirty
	changed chan struct{} // something that the other nodes have yet to hear
	stop    chan struct{}
	ended   sync.WaitGroup
	cancel  func() // of the subscription to what other nodes say
}

// tracked is a presence of a channel of this node.
type tracked struct{ topic, key, ref string }

// New returns a Presence, to be attached to an endpoint.
func New(cfg Config) *Presence {
	return &Presence{
		cfg:     cfg.withDefaults(),
		topics:  make(map[string]*topic),
		local:   make(map[*phx.Channel][]tracked),
		counts:  make(map[*topic]bool),
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
}

// Attach begins to tell the clients of an endpoint, and to listen to the other
// nodes. The first Track does so by itself; List of a node that never tracked anybody
// needs it. It fails with ErrOtherEndpoint if there is another endpoint.
func (p *Presence) Attach(ep *phx.Endpoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.attachLocked(ep)
}

func (p *Presence) attachLocked(ep *phx.Endpoint) error {
	switch {
	case p.closed:
		return phx.ErrClosed
	case p.ep == ep:
		return nil
	case p.ep != nil:
		return ErrOtherEndpoint
	}
	p.ep = ep
	p.state = tracker.New(tracker.Replica{Node: ep.Node(), Start: time.Now().UnixNano()})
	p.ended.Go(p.tellClients)
	if ep.Node() != "" {
		p.cancel = ep.Subscribe(p.wire(), p.hear)
		p.ended.Go(p.tellNodes)
	}
	return nil
}

// Close ends it: clients are told nothing any more, and the other nodes hear that
// this one's presences have left. Call it before the endpoint's Shutdown, after which
// nobody hears anything: the others would see them leave after Config.DownAfter only,
// which spares those who come back elsewhere meanwhile.
func (p *Presence) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	cancel := p.cancel
	p.mu.Unlock()
	close(p.stop)
	if cancel != nil {
		cancel()
	}
	p.ended.Wait()
}

// Track adds a presence of the channel to its topic, until Untrack or the end of the
// channel. The meta must be JSON for an object, or nil; it gets a phx_ref, which is
// returned. It fails with ErrAlreadyTracked, and for a key or a meta that is too long
// or no object.
//
// On a topic that Config.CountOnly picks, the channel is counted: neither key nor meta
// is kept, the ref is "", and each Track counts until the end of the channel.
func (p *Presence) Track(ch *phx.Channel, key string, meta any) (ref string, err error) {
	return p.TrackOn(ch, ch.Topic(), key, meta)
}

// TrackOn is Track on another topic than the channel's own.
func (p *Presence) TrackOn(ch *phx.Channel, topic, key string, meta any) (ref string, err error) {
	if p.countOnly(topic) {
		return "", p.count(ch, topic)
	}
	ref = newRef()
	text, err := encodeMeta(meta, ref, "", p.cfg.MaxMeta)
	if err == nil {
		err = p.checkKey(key)
	}
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	first := len(p.local[ch]) == 0
	if err = p.attachLocked(ch.Socket().Endpoint()); err == nil && p.findLocked(ch, topic, key) >= 0 {
		err = ErrAlreadyTracked
	}
	if err == nil {
		p.local[ch] = append(p.local[ch], tracked{topic, key, ref})
		p.putLocked(tracker.Entry{Topic: topic, Key: key, Ref: ref, Meta: text})
	}
	p.mu.Unlock()
	if err == nil && first {
		ch.AtEnd(func() { p.UntrackAll(ch) }) // at once, if it has ended
	}
	if err != nil {
		return "", err
	}
	return ref, nil
}

// Update puts another meta in the place of a presence's. Clients see the old one
// leave and the new one join, in one diff. It returns the new phx_ref. It fails with
// ErrNotTracked, and with what Track says of a meta.
func (p *Presence) Update(ch *phx.Channel, key string, meta any) (ref string, err error) {
	return p.UpdateOn(ch, ch.Topic(), key, meta)
}

// UpdateOn is Update on another topic than the channel's own.
func (p *Presence) UpdateOn(ch *phx.Channel, topic, key string, meta any) (ref string, err error) {
	ref = newRef()
	if _, err := encodeMeta(meta, ref, ref, p.cfg.MaxMeta); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.findLocked(ch, topic, key)
	if i < 0 {
		return "", ErrNotTracked
	}
	t := &p.local[ch][i]
	text, err := encodeMeta(meta, ref, t.ref, p.cfg.MaxMeta)
	if err != nil {
		return "", err
	}
	p.putLocked(tracker.Entry{Topic: topic, Key: key, Ref: ref, Meta: text}) // before the other goes, so that the key stays
	p.dropLocked(*t)
	t.ref = ref
	return ref, nil
}

// Untrack ends a presence of the channel on its topic, if there is one.
func (p *Presence) Untrack(ch *phx.Channel, key string) { p.UntrackOn(ch, ch.Topic(), key) }

// UntrackOn is Untrack on another topic than the channel's own.
func (p *Presence) UntrackOn(ch *phx.Channel, topic, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.findLocked(ch, topic, key); i >= 0 {
		p.dropLocked(p.local[ch][i])
		p.local[ch] = slices.Delete(p.local[ch], i, i+1)
	}
}

// UntrackAll ends all presences of the channel but those that are only counted.
func (p *Presence) UntrackAll(ch *phx.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.local[ch] {
		p.dropLocked(t)
	}
	delete(p.local, ch)
}

// findLocked is the place of a presence among the channel's, or -1.
func (p *Presence) findLocked(ch *phx.Channel, topic, key string) int {
	return slices.IndexFunc(p.local[ch], func(t tracked) bool { return t.key == key && t.topic == topic })
}

func (p *Presence) putLocked(e tracker.Entry) {
	p.state.Put(e)
	p.changedLocked()
	p.applyLocked(tracker.Step{Entry: e, Joined: true})
}

func (p *Presence) dropLocked(t tracked) {
	p.state.Drop(t.ref)
	p.changedLocked()
	p.applyLocked(tracker.Step{Entry: tracker.Entry{Topic: t.topic, Key: t.key, Ref: t.ref}})
}

// applyLocked has a step seen on this node.
func (p *Presence) applyLocked(s tracker.Step) {
	t := p.topicLocked(s.Topic)
	t.apply(s)
	t.resample(p.cfg.MaxFull, p.cfg.Sample)
	p.touchLocked(t)
}

func (p *Presence) topicLocked(name string) *topic {
	t := p.topics[name]
	if t == nil {
		t = newTopic(name)
		p.topics[name] = t
	}
	return t
}

// countOnly reports whether the topic has no names.
func (p *Presence) countOnly(topic string) bool {
	return p.cfg.CountOnly != nil && p.cfg.CountOnly(topic)
}

// count counts a channel in, and out when it ends.
func (p *Presence) count(ch *phx.Channel, name string) error {
	p.mu.Lock()
	if err := p.attachLocked(ch.Socket().Endpoint()); err != nil {
		p.mu.Unlock()
		return err
	}
	t := p.topicLocked(name)
	p.addLocked(t, 1)
	p.mu.Unlock()
	ch.AtEnd(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.addLocked(t, -1)
	})
	return nil
}

func (p *Presence) addLocked(t *topic, n int) {
	t.own += n
	t.n += n
	p.counts[t] = true
	p.changedLocked()
	p.touchLocked(t)
}

// List is who is on a topic, by key: all of them, not a sample. Of a topic that is
// only counted it is empty.
func (p *Presence) List(topic string) map[string]*Entry {
	p.mu.Lock()
	all := map[string]*Entry{}
	if t := p.topics[topic]; t != nil {
		all = entries(t.keys)
	}
	p.mu.Unlock()
	p.fetch(topic, all)
	return all
}

// Get is the presences of one key, nil if there are none.
func (p *Presence) Get(topic, key string) *Entry {
	p.mu.Lock()
	all := map[string]*Entry{}
	if t := p.topics[topic]; t != nil && t.keys[key] != nil {
		all[key] = entryOf(t.keys[key])
	}
	p.mu.Unlock()
	p.fetch(topic, all)
	return all[key]
}

// Count is how many keys are on a topic, or how many presences if they are only
// counted.
func (p *Presence) Count(topic string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.topics[topic]; t != nil {
		return t.count()
	}
	return 0
}

// PushState pushes presence_state to the channel's client, and presence_count where
// that says more. The client needs it after each join, the later ones of one channel
// too: until it comes, diffs wait there. So it belongs in ChannelType.Joined.
func (p *Presence) PushState(ch *phx.Channel) error {
	if err := p.Attach(ch.Socket().Endpoint()); err != nil {
		return err
	}
	state, count, sampled := p.stateOf(ch.Topic())
	if state != nil {
		if err := ch.Push("presence_state", state); err != nil {
			return err
		}
	}
	if sampled {
		return ch.Push("presence_count", counted{count})
	}
	return nil
}

// counted is the payload of presence_count.
type counted struct {
	Count int `json:"count"`
}

// stateOf is what a newcomer to a topic has to know. It is encoded once for all who
// come to one version of it.
func (p *Presence) stateOf(name string) (state json.RawMessage, count int, sampled bool) {
	only := p.countOnly(name)
	p.mu.Lock()
	t := p.topics[name]
	if t == nil {
		t = newTopic(name)
	}
	count, sampled = t.count(), t.level > 0 || only
	if only || t.state != nil && t.encoded == t.version {
		state = t.state
		p.mu.Unlock()
		return state, count, sampled
	}
	version := t.version
	seen := make(map[string]*Entry)
	for key, metas := range t.keys {
		if visible(key, t.level) {
			seen[key] = entryOf(metas)
		}
	}
	p.mu.Unlock()
	p.fetch(name, seen)
	state = encode(seen)
	p.mu.Lock()
	t.state, t.encoded = state, version
	p.mu.Unlock()
	return state, count, sampled
}
