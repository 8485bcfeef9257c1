package cluster

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/asynclog"
)

// A Link connects this node to the others: the [pubsub.Adapter] over NATS, or
// another [Carrier]. It reconnects forever.
type Link struct {
	cfg      Config       // immutable, with defaults
	log      *slog.Logger // its handler never waits
	endLog   func()
	id       uint64          // of this start of the node
	all      string          // subject of all nodes
	buckets  [buckets]string // subjects of those who listen to a bucket
	seal     *seal           // nil if nothing is signed
	outbox   *outbox
	inbound  *inbound
	interest *interest
	peers    *peers
	turnover turnover
	counts   counts
	limit    atomic.Int64  // bytes that the carrier takes at once; 0 is any number
	chases   chan struct{} // holds one token when something is missing that was not

	// Set by Start.
	deliver func(*pubsub.Message) error
	gap     func(pubsub.Gap)
	count   func(topic string) int // set by CountWith
	watch   func(pubsub.NodeEvent) // set by WatchWith
	conn    Conn
	readers sync.WaitGroup // goroutines that call deliver or conn, besides the sending one

	receiving sync.Mutex // held while broadcasts are put in order and delivered; before all other locks

	telling sync.Mutex // held while watch is called; before all other locks but receiving
	forgery sync.Once  // said
	crowd   sync.Once  // likewise
	closing sync.Once
	quit    chan struct{} // closed by Close: send what waits, then end
	ended   chan struct{} // closed when the sending goroutine has

	mu        sync.Mutex // guards the rest; no other lock is taken while it is held
	state     state
	up        bool
	ups       uint64     // times the link came up
	lost      time.Time  // when it was lost last
	asked     []uint64   // nodes that wait for an answer
	seekers   []seeker   // likewise, for some buckets
	questions []question // of nodes that miss broadcasts

	censuses   map[uint64]*census // that wait for answers, by number
	lastCensus uint64             // the number of the last one
}

// A state is where a Link is in its life.
type state int

const (
	fresh state = iota
	starting
	started
	closed
)

// logPatience is how long Close waits for Config.Logger to take the last lines.
const logPatience = time.Second

// counts are for pubsub.AdapterStats.
type counts struct{ published, dropped, received, repaired, missed, gaps, invalid, forged atomic.Uint64 }

// New returns a Link that does nothing until it is started.
func New(cfg Config) *Link {
	cfg = cfg.withDefaults()
	log, closeLog := asynclog.Wrap(cfg.Logger, asynclog.Config{})
	l := &Link{
		cfg:    cfg,
		log:    log.With("cluster", cfg.Cluster, "node", cfg.Node),
		endLog: func() { _ = closeLog(logPatience) }, // what it could not write it cannot tell
		id:     rand.Uint64(),
		outbox: newOutbox(cfg.MaxPending, cfg.MaxKept),
		peers: &peers{
			beat: cfg.Beat, maxWait: cfg.MaxWait, maxBytes: cfg.MaxInbound,
			window: 2 * (2*cfg.MaxWait + skew), signed: cfg.Secret != "", most: maxPeers,
			byID: make(map[uint64]*peer), ears: make(map[uint16]ear), open: make(map[place]struct{}),
		},
		seal:     newSeal(cfg.Secret, cfg.MaxWait),
		interest: newInterest(),
		chases:   make(chan struct{}, 1),
		quit:     make(chan struct{}),
		ended:    make(chan struct{}),

		count:    func(string) int { return 0 },
		watch:    func(pubsub.NodeEvent) {},
		censuses: make(map[uint64]*census),
	}
	l.all, l.buckets = l.prefix()+".all", subjectsOfBuckets(l.prefix())
	l.inbound = newInbound(l, cfg.MaxInbound)
	return l
}

// prefix is what all subjects of the cluster begin with.
func (l *Link) prefix() string { return "roost." + l.cfg.Cluster }

// subject is that of one node.
func (l *Link) subject(id uint64) string { return fmt.Sprintf("%s.node.%016x", l.prefix(), id) }

// repairs is the subject of questions to one node, and of what it asked for.
func (l *Link) repairs(id uint64) string {
	return fmt.Sprintf("%s.repair.%016x", l.prefix(), id)
}

// WatchWith implements [pubsub.Watcher].
func (l *Link) WatchWith(told func(pubsub.NodeEvent)) { l.watch = told }

// tellChanges tells of nodes that have come or gone, in that order.
func (l *Link) tellChanges() {
	l.telling.Lock()
	defer l.telling.Unlock()
	for _, e := range l.peers.takeEvents() {
		l.watch(e)
	}
}

// Node implements [pubsub.Adapter].
func (l *Link) Node() string { return l.cfg.Node }

// Start implements [pubsub.Adapter]. It fails if no server can be reached now,
// and may then be called again. If a server is lost later, the Link waits for
// it.
func (l *Link) Start(deliver func(*pubsub.Message) error, gap func(pubsub.Gap)) error {
	if err := l.cfg.check(); err != nil {
		return err
	}
	if !l.enter(starting, fresh) {
		return fmt.Errorf("cluster: a Link is started once: %w", pubsub.ErrNotConnected)
	}
	l.deliver, l.gap = deliver, gap
	if err := l.connect(); err != nil {
		l.enter(fresh, starting)
		return err
	}
	l.enter(started, starting)
	l.outbox.setOpen(true)
	go l.send()               // Close waits for it
	l.readers.Go(l.lookAfter) // Close waits for it, and for the next ones
	l.readers.Go(l.follow)
	for _, in := range l.inbound.all() {
		l.readers.Go(func() { in.empty(l.receive) })
	}
	return nil
}

// enter goes from one state to another, if it is in that one.
func (l *Link) enter(to, from state) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != from {
		return false
	}
	l.state = to
	return true
}

func (l *Link) isUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// Broadcast implements [pubsub.Adapter].
func (l *Link) Broadcast(m *pubsub.Message) error {
	b := bucketOf(m.Topic)
	return l.post(letter{kind: broadcast, bucket: b, subject: l.buckets[b]}, m)
}

// Send implements [pubsub.Adapter].
func (l *Link) Send(node string, m *pubsub.Message) error {
	id, ok := l.peers.find(node)
	if !ok {
		return fmt.Errorf("send to node %q: %w", node, pubsub.ErrUnknownNode)
	}
	return l.post(letter{kind: direct, subject: l.subject(id)}, m)
}

func (l *Link) post(to letter, m *pubsub.Message) error {
	if !utf8.ValidString(m.Topic) || !utf8.ValidString(m.Event) { // no node would take it
		return fmt.Errorf("%q %q: %w: topic and event must be UTF-8", m.Topic, m.Event, pubsub.ErrInvalid)
	}
	e := l.envelope(to.kind)
	e.topic, e.event, e.binary, e.payload = m.Topic, m.Event, m.Binary, m.Payload
	to.data, to.since = e.encode(), time.Now()
	if limit, size := l.limit.Load(), len(to.data)+l.seal.size(); limit > 0 && int64(size) > limit {
		return fmt.Errorf("%s %s: %w: it has %d bytes and %d are taken: for NATS raise max_payload there",
			m.Topic, m.Event, pubsub.ErrTooLarge, size, limit)
	}
	taken, err := l.outbox.put(to, l.isUp())
	if err == nil && !taken {
		l.counts.dropped.Add(1) // logged with the next beat
	}
	return err
}

// envelope is an empty one of this node.
func (l *Link) envelope(k kind) envelope { return envelope{kind: k, id: l.id, node: l.cfg.Node} }

// Stats implements [pubsub.Adapter].
func (l *Link) Stats() pubsub.AdapterStats {
	s := pubsub.AdapterStats{
		Peers:     l.peers.names(),
		Pending:   l.outbox.pending(),
		Published: l.counts.published.Load(),
		Dropped:   l.counts.dropped.Load(),
		Received:  l.counts.received.Load(),
		Repaired:  l.counts.repaired.Load(),
		Missed:    l.counts.missed.Load(),
		Gaps:      l.counts.gaps.Load(),
		Invalid:   l.counts.invalid.Load(),
		Forged:    l.counts.forged.Load(),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Connected = l.up && l.state == started
	s.Reconnects = max(l.ups, 1) - 1
	return s
}

// Close implements [pubsub.Adapter]. It takes up to 15 s when the server does
// not answer, and 1 s when Config.Logger does not take the last lines. It must
// not overlap with Start.
func (l *Link) Close() {
	l.closing.Do(func() {
		defer l.endLog()
		if l.enter(closed, fresh) || !l.enter(closed, started) {
			return
		}
		l.outbox.setOpen(false)
		close(l.quit)
		<-l.ended
		l.conn.Close()
		for _, in := range l.inbound.all() {
			in.close()
		}
		l.readers.Wait()
	})
}
