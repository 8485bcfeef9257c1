package presence

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub/tracker"
	"github.com/roost-rt/roost/server/phx"
)

var (
	// ErrAlreadyTracked is returned by Track for a key that the channel already tracks
	// on the topic.
	ErrAlreadyTracked = errors.New("presence: already tracked")

	// ErrNotTracked is returned by Update for a key that the channel does not track on
	// the topic.
	ErrNotTracked = errors.New("presence: not tracked")

	// ErrTooMany is returned by Track when a channel has Config.MaxPerChannel
	// presences.
	ErrTooMany = errors.New("presence: too many of one channel")

	// ErrOtherEndpoint is returned when a Presence is attached to one endpoint and used
	// with another.
	ErrOtherEndpoint = errors.New("presence: attached to another endpoint")
)

// A Presence tracks who is on the topics of one endpoint and of the others in
// its cluster. It may be used by any goroutine.
type Presence struct {
	cfg     Config
	invalid error          // what is wrong with cfg
	end     phx.EndWatcher // one for all channels

	mu      sync.Mutex // guards the rest; not held while the application or the Logger is called
	ep      *phx.Endpoint
	state   *tracker.State // or nil, if there are no other nodes
	topics  map[string]*topic
	local   map[*phx.Channel][]tracked // until the channel ends
	seated  map[*phx.Channel]struct{}  // channels that are counted on their own topic
	seats   map[*phx.Channel][]*topic  // all other presences that are only counted
	guests  map[*phx.Channel][]*topic  // the crowds of other topics that a channel is in
	counts  map[*topic]bool            // topics whose own count the other nodes have yet to hear
	dirty   []*topic                   // topics with something to tell clients
	nextDue time.Time                  // when tellClients looks at them without being woken
	unheard time.Time                  // when this node said something that it has yet to hear itself; or zero
	closed  bool

	entries          int    // presences on all topics
	diffs, diffBytes uint64 // that clients were told

	wake    chan struct{} // a topic is dirty
	changed chan struct{} // there is something to tell the other nodes
	stop    chan struct{}
	ended   sync.WaitGroup
	cancel  func() // of the subscription to what other nodes say
}

// tracked is a presence of a channel of this node.
type tracked struct{ topic, key, ref string }

// New returns a [Presence], to be attached to an endpoint.
func New(cfg Config) *Presence {
	p := &Presence{
		cfg:     cfg.withDefaults(),
		invalid: cfg.check(),
		topics:  make(map[string]*topic),
		local:   make(map[*phx.Channel][]tracked),
		seated:  make(map[*phx.Channel]struct{}),
		seats:   make(map[*phx.Channel][]*topic),
		guests:  make(map[*phx.Channel][]*topic),
		counts:  make(map[*topic]bool),
		wake:    make(chan struct{}, 1),
		changed: make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	p.end = (*watcher)(p)
	return p
}

// Attach begins to inform the clients of an endpoint, and to listen to the
// other nodes. The first Track calls it; List needs it on a node that has never
// tracked anyone. It fails with [ErrOtherEndpoint] if it is attached to another
// endpoint, with [phx.ErrClosed] after Close, and if the [Config] is invalid.
func (p *Presence) Attach(ep *phx.Endpoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.attachLocked(ep)
}

func (p *Presence) attachLocked(ep *phx.Endpoint) error {
	switch {
	case p.invalid != nil:
		return p.invalid
	case p.closed:
		return phx.ErrClosed
	case p.ep == ep:
		return nil
	case p.ep != nil:
		return ErrOtherEndpoint
	}
	p.ep = ep
	p.ended.Go(p.tellClients)
	if ep.Node() != "" {
		p.state = tracker.New(tracker.Replica{Node: ep.Node(), Start: time.Now().UnixNano()})
		p.cancel = ep.Subscribe(p.wire(), p.hear)
		p.ended.Go(p.tellNodes)
	}
	return nil
}

// Close detaches it: clients are no longer informed, and the other nodes hear
// that this one's presences have left. Call it before the endpoint's Shutdown,
// after which no node hears anything. Without Close, the others would see them
// leave only after Config.DownAfter, which spares users who reconnect elsewhere
// meanwhile. Fetch and Changed must not call it: it waits for them.
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

// Track adds a presence of the channel to its topic, until Untrack or the end
// of the channel. The meta must be a JSON object, or nil; it gets a phx_ref,
// which Track returns. It fails with [ErrAlreadyTracked] and [ErrTooMany], for
// a key that is too long or not UTF-8, for a meta that is too long or not an
// object, and as Attach does.
//
// On a topic that [Config.CountOnly] selects, the channel is counted: neither
// key nor meta is kept, the ref is "", and each Track counts until the end of
// the channel.
//
// On a topic that [Config.SampleOnly] selects, what clients see beyond
// Config.MaxFull is a sample of presences, not of keys, and so is what List and
// Get return, on all nodes; Count and presence_count are of presences. Who is
// in the sample is random, and stays in it until they leave, also after an Update;
// when some leave, nobody takes their place until about half of all have left.
func (p *Presence) Track(ch *phx.Channel, key string, meta any) (ref string, err error) {
	return p.TrackOn(ch, ch.Topic(), key, meta)
}

// TrackOn is Track on a topic other than the channel's own.
func (p *Presence) TrackOn(ch *phx.Channel, topic, key string, meta any) (ref string, err error) {
	if p.countOnly(topic) {
		return "", p.add(ch, func() error {
			p.sitLocked(ch, topic)
			return nil
		})
	}
	body, err := encodeMeta(meta, p.cfg.MaxMeta)
	if err == nil {
		err = p.checkKey(key)
	}
	if err != nil {
		return "", err
	}
	ref = newRef()
	sample := p.sampleOnly(topic)
	err = p.add(ch, func() error {
		if sample {
			return p.enterLocked(ch, p.topicLocked(topic), row{ref, key, body})
		}
		if p.findLocked(ch, topic, key) >= 0 {
			return ErrAlreadyTracked
		}
		p.local[ch] = append(p.local[ch], tracked{topic, key, ref})
		p.putLocked(tracker.Entry{Topic: topic, Key: key, Ref: ref, Meta: body.with(ref, "")})
		return nil
	})
	if err != nil {
		return "", err
	}
	return ref, nil
}

// add adds a presence to a channel, and has it end with the channel.
func (p *Presence) add(ch *phx.Channel, addLocked func() error) error {
	p.mu.Lock()
	err := p.attachLocked(ch.Socket().Endpoint())
	if err == nil && p.ofChannelLocked(ch) >= p.cfg.MaxPerChannel {
		err = ErrTooMany
	}
	if err == nil {
		err = addLocked()
	}
	p.mu.Unlock()
	if err == nil {
		ch.AtEnd(p.end) // told at once, if it has ended
	}
	return err
}

// ofChannelLocked is how many presences a channel has.
func (p *Presence) ofChannelLocked(ch *phx.Channel) int {
	n := len(p.local[ch]) + len(p.seats[ch])
	if _, seated := p.seated[ch]; seated {
		n++
	}
	for _, t := range p.crowdsLocked(ch) {
		n += t.crowd[ch].len()
	}
	return n
}

// A watcher is a Presence as a phx.EndWatcher.
type watcher Presence

// ChannelEnded ends all presences of a channel.
func (w *watcher) ChannelEnded(ch *phx.Channel) {
	p := (*Presence)(w)
	p.UntrackAll(ch)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.standLocked(ch)
}

// Update replaces a presence's meta. Clients see the old one leave and the new
// one join, in one diff. It returns the new phx_ref. It fails with
// [ErrNotTracked], and with Track's errors for an invalid meta.
func (p *Presence) Update(ch *phx.Channel, key string, meta any) (ref string, err error) {
	return p.UpdateOn(ch, ch.Topic(), key, meta)
}

// UpdateOn is Update on a topic other than the channel's own.
func (p *Presence) UpdateOn(ch *phx.Channel, topic, key string, meta any) (ref string, err error) {
	body, err := encodeMeta(meta, p.cfg.MaxMeta)
	if err != nil {
		return "", err
	}
	sample := p.sampleOnly(topic)
	p.mu.Lock()
	defer p.mu.Unlock()
	if sample {
		return p.alterLocked(ch, p.topics[topic], key, body)
	}
	ref = newRef()
	i := p.findLocked(ch, topic, key)
	if i < 0 {
		return "", ErrNotTracked
	}
	t := &p.local[ch][i]
	p.putLocked(tracker.Entry{Topic: topic, Key: key, Ref: ref, Meta: body.with(ref, t.ref)}) // before the other goes, so that the key stays
	p.dropLocked(t.entry())
	t.ref = ref
	return ref, nil
}

// Untrack ends a presence of the channel on its topic, if there is one.
func (p *Presence) Untrack(ch *phx.Channel, key string) { p.UntrackOn(ch, ch.Topic(), key) }

// UntrackOn is Untrack on a topic other than the channel's own.
func (p *Presence) UntrackOn(ch *phx.Channel, topic, key string) {
	sample := p.sampleOnly(topic)
	p.mu.Lock()
	defer p.mu.Unlock()
	if sample {
		p.exitLocked(ch, p.topics[topic], key)
	} else if i := p.findLocked(ch, topic, key); i >= 0 {
		p.dropLocked(p.local[ch][i].entry())
		if p.local[ch] = slices.Delete(p.local[ch], i, i+1); len(p.local[ch]) == 0 {
			delete(p.local, ch)
		}
	}
}

// UntrackAll ends all presences of the channel except those that are only
// counted.
func (p *Presence) UntrackAll(ch *phx.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.local[ch] {
		p.dropLocked(t.entry())
	}
	delete(p.local, ch)
	for _, t := range p.crowdsLocked(ch) {
		for w := range t.crowd[ch].all() {
			p.exitLocked(ch, t, w.key)
		}
	}
}

// findLocked is the index of a presence among the channel's, or -1.
func (p *Presence) findLocked(ch *phx.Channel, topic, key string) int {
	return slices.IndexFunc(p.local[ch], func(t tracked) bool { return t.key == key && t.topic == topic })
}

func (p *Presence) putLocked(e tracker.Entry) {
	if p.state != nil {
		p.state.Put(e)
		p.changedLocked()
	}
	p.applyLocked(tracker.Step{Entry: e, Joined: true})
}

func (p *Presence) dropLocked(e tracker.Entry) {
	if p.state != nil {
		p.state.Drop(e.Ref)
		p.changedLocked()
	}
	p.applyLocked(tracker.Step{Entry: e})
}

func (t tracked) entry() tracker.Entry {
	return tracker.Entry{Topic: t.topic, Key: t.key, Ref: t.ref}
}

// applyLocked applies a step to its topic on this node.
func (p *Presence) applyLocked(s tracker.Step) { p.settleLocked(p.stepLocked(s)) }

// stepLocked applies a step to its topic, which must be settled after it.
func (p *Presence) stepLocked(s tracker.Step) *topic {
	t := p.topicLocked(s.Topic)
	before := t.n
	t.apply(s, p.cfg.MaxMetas)
	p.entries += t.n - before
	return t
}

// settleLocked has clients see, and other nodes know, of a topic as many as its size
// wants, and clients told what is new.
func (p *Presence) settleLocked(t *topic) {
	t.resample(p.cfg.MaxFull, p.cfg.Sample)
	if t.sampled {
		p.shareLocked(t)
	}
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

// countOnly reports whether the topic is only counted.
func (p *Presence) countOnly(topic string) bool {
	return p.cfg.CountOnly != nil && p.cfg.CountOnly(topic)
}

// sitLocked counts a channel on a topic, until it ends. One of a million is counted on
// its own topic, once, which takes 8 bytes beside the room that maps leave.
func (p *Presence) sitLocked(ch *phx.Channel, name string) {
	t := p.topicLocked(name)
	if _, seated := p.seated[ch]; !seated && name == ch.Topic() {
		p.seated[ch] = struct{}{}
	} else {
		p.seats[ch] = append(p.seats[ch], t)
	}
	p.addLocked(t, 1)
}

// standLocked ends all of a channel's presences that are only counted.
func (p *Presence) standLocked(ch *phx.Channel) {
	if _, seated := p.seated[ch]; seated {
		p.addLocked(p.topicLocked(ch.Topic()), -1)
		delete(p.seated, ch)
	}
	for _, t := range p.seats[ch] {
		p.addLocked(t, -1)
	}
	delete(p.seats, ch)
}

func (p *Presence) addLocked(t *topic, n int) {
	t.own += n
	t.n += n
	p.entries += n
	if p.state != nil {
		p.counts[t] = true
		p.changedLocked()
	}
	p.settleLocked(t)
}

// List returns everyone on a topic, by key: all keys, not a sample. For a topic
// that is only counted it is empty; for one of Config.SampleOnly see Track.
func (p *Presence) List(topic string) map[string]*Entry {
	p.mu.Lock()
	var keys map[string][]meta
	if t := p.topics[topic]; t != nil {
		keys = maps.Clone(t.keys)
		for key := range t.hidden {
			keys[key] = t.all(key)
		}
	}
	p.mu.Unlock()
	all := entries(keys)
	p.fetch(topic, all)
	return all
}

// Get returns the presences of one key, or nil if there are none.
func (p *Presence) Get(topic, key string) *Entry {
	p.mu.Lock()
	all := map[string]*Entry{}
	if t := p.topics[topic]; t != nil && t.keys[key] != nil {
		all[key] = entryOf(t.all(key))
	}
	p.mu.Unlock()
	p.fetch(topic, all)
	return all[key]
}

// Count returns how many keys are on a topic, or how many presences on one that
// Config.CountOnly or SampleOnly selects.
func (p *Presence) Count(topic string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.topics[topic]; t != nil {
		return t.count()
	}
	return 0
}
