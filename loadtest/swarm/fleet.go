package swarm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/server/frame"
)

// A fleet is the clients of one process.
type fleet struct {
	orders    order.Orders
	network   network
	groups    []*group
	audiences map[int]*audience // by room; immutable

	// What all clients send. Nobody changes these bytes.
	upgrade, heartbeat []byte
	frames             frame.Config

	slots chan struct{} // as many as connects and joins may be in flight

	batched bool              // immutable; complete messages are reported by fastPath.collectAll
	seen    sighting          // loop only
	heads   map[uint32][]byte // by number of a client, the response to the upgrade that arrives in pieces; loop only
	ramped  chan struct{}     // gets one value when all have joined or failed: the next process waits for it

	look     proc.Look // session.mu
	reported *receipts // immutable; stands for all messages whose receipts were told

	mu          sync.Mutex // guards the rest; never held during a system call
	counts      order.Counts
	pending     int // clients that have neither joined nor failed
	stopping    bool
	firstDial   int64
	lastJoin    int64
	lastReceipt int64
	latency     *hdrhistogram.Histogram
	rawLatency  *hdrhistogram.Histogram
	joinLatency *hdrhistogram.Histogram
	interval    *hdrhistogram.Histogram // receipts since the last progress
	events      []order.Event           // that wait to be reported
	late, lag   order.Sample            // since the last report, as in order.Strain
	echoing     *echoing                // nil before the first ping
	departed    int64                   // when servers went down
	comebacks   *hdrhistogram.Histogram // since then; nil if not wanted
	churning    *churning               // nil unless clients leave
	absences    map[uint32][]absence    // by number of a client
}

func newFleet(o order.Orders) (*fleet, error) {
	if err := o.Target.Check(); err != nil {
		return nil, err
	}
	f := &fleet{
		orders:      o,
		upgrade:     o.Target.Request(Nonce),
		heartbeat:   heartbeatFrame(o),
		frames:      frame.Config{Client: true},
		slots:       make(chan struct{}, o.Window),
		audiences:   make(map[int]*audience),
		heads:       make(map[uint32][]byte),
		absences:    make(map[uint32][]absence),
		ramped:      make(chan struct{}, 1),
		reported:    new(receipts),
		latency:     order.NewHistogram(3),
		rawLatency:  order.NewHistogram(3),
		joinLatency: order.NewHistogram(3),
		interval:    order.NewHistogram(2),
		counts:      order.Counts{Errors: make(map[string]int64)},
	}
	for _, s := range o.Shares {
		if err := f.addGroup(s); err != nil {
			return nil, err
		}
	}
	var err error
	if f.network, err = newNetwork(f); err != nil {
		return nil, err
	}
	return f, nil
}

// clientFrame masks a text frame.
func clientFrame(text string) []byte {
	return frame.AppendMasked(nil, opText, mask, []byte(text))
}

func (f *fleet) addGroup(s order.Share) error {
	remotes, err := parseAddrs(s.Addrs)
	if err != nil {
		return fmt.Errorf("share of room %d: %w", s.Room, err)
	}
	for _, r := range remotes {
		if from := f.orders.From; len(from) > 0 && len(from.For(r.Addr())) == 0 {
			return fmt.Errorf("from: none of %s can reach %s: want addresses of the same family", from, r.Addr())
		}
	}
	g := &group{
		fleet:    f,
		room:     s.Room,
		topic:    s.Topic,
		writer:   f.orders.Writer + uint32(s.Room*f.orders.Writers),
		remotes:  remotes,
		join:     clientFrame(fmt.Sprintf(`["1",%q,%q,"phx_join",{}]`, joinRef, s.Topic)),
		leave:    clientFrame(fmt.Sprintf(`["1",%q,%q,"phx_leave",{}]`, leaveRef, s.Topic)),
		first:    uint32(s.First),
		place:    f.pending,
		clients:  make([]client, s.Count),
		tops:     make([]int32, s.Count*f.orders.Writers),
		gaps:     make(map[int][]order.Span),
		speakers: make([]*client, f.orders.Writers),
		vacant:   f.orders.Writers,
		audience: f.audience(s.Room),

		broadcastHead: fmt.Appendf(nil, `[null,null,%q,%q,`, s.Topic, f.orders.Event),
		okHead:        fmt.Appendf(nil, `",%q,"phx_reply",{"status":"ok",`, s.Topic),
	}
	for i := range g.clients {
		g.clients[i] = client{group: g, number: uint32(s.First + i)}
	}
	f.groups = append(f.groups, g)
	f.pending += s.Count
	return nil
}

// audience returns the audience of a room, which may be new.
func (f *fleet) audience(room int) *audience {
	a := f.audiences[room]
	if a == nil {
		a = &audience{fleet: f, room: room, mark: markOf(len(f.audiences)), receipts: make([]*receipts, f.orders.Writers*f.orders.Messages)}
		f.audiences[room] = a
	}
	return a
}

// connect makes all connections, as many at a time as there are slots, and
// returns when the last one was begun.
func (f *fleet) connect(ctx context.Context, pace order.Pacer) {
	n := 0
	for _, g := range f.groups {
		for i := range g.clients {
			due := pace.Due(n)
			if !f.waitUntil(ctx, due) {
				return
			}
			n++
			select {
			case f.slots <- struct{}{}:
				if pace.Interval == 0 {
					due = f.now() // only the slots set the pace
				}
				f.dial(&g.clients[i], due)
			case <-ctx.Done():
				return
			}
		}
	}
}

// dial makes one connection. The client belongs to its loop from then on. Its
// join counts from the moment intended: with a rate, what it has to wait for the
// server to let others in is a part of it.
func (f *fleet) dial(c *client, intended int64) {
	c.dialed = intended
	f.mu.Lock()
	if f.firstDial == 0 {
		f.firstDial = c.dialed
	}
	f.mu.Unlock()
	if err := f.network.dial(c); err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = fmt.Errorf("connect: %w", errno) // one kind of error for all addresses
		}
		c.closed(nil, err)
	}
}

// beaten counts the answer to a heartbeat.
func (f *fleet) beaten() {
	f.mu.Lock()
	f.counts.Beats++
	f.mu.Unlock()
}

// connected counts a finished upgrade.
func (f *fleet) connected() {
	f.mu.Lock()
	f.counts.Connected++
	f.mu.Unlock()
}

// disconnected counts the end of a connection that was upgraded.
func (f *fleet) disconnected() {
	f.mu.Lock()
	f.counts.Disconnected++
	f.mu.Unlock()
}

// fault counts an error by its kind.
func (f *fleet) fault(kind string) {
	f.mu.Lock()
	f.faultLocked(kind)
	f.mu.Unlock()
}

// maxKinds bounds the kinds of errors told apart: some have text of the server's.
const maxKinds = 100

func (f *fleet) faultLocked(kind string) {
	if _, known := f.counts.Errors[kind]; !known && len(f.counts.Errors) >= maxKinds {
		kind = "others, of too many kinds to tell apart"
	}
	f.counts.Errors[kind]++
}

// unreadable counts a message that came and is not understood: the server has
// delivered something.
func (f *fleet) unreadable(text []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Unreadable++
	if f.counts.Odd == "" {
		f.counts.Odd = channels.Excerpt(text)
	}
}

// settleLocked notes that one more client has joined or failed.
func (f *fleet) settleLocked() {
	<-f.slots
	f.pending--
	if f.pending > 0 {
		return
	}
	r := &order.Ramped{Joined: make(map[int]int64), Groups: make(map[int]int), FirstDial: f.firstDial, LastJoin: f.lastJoin}
	for _, a := range f.audiences {
		r.Joined[a.room] = a.joined
		if a.joined > 0 {
			r.Groups[a.room] = 1
		}
	}
	f.events = append(f.events, order.Event{Ramped: r})
	f.ramped <- struct{}{} // once in its life: there is room
}

// reportLocked reports the receipts of one message, and forgets them.
func (f *fleet) reportLocked(a *audience, writer, seq int) {
	place := a.receiptsOf(writer, seq)
	in := *place
	f.events = append(f.events, order.Event{Receipts: &order.Receipts{
		Voice: order.Voice{Room: a.room, Writer: writer}, Seq: seq, First: in.first, Last: in.last, Latency: in.latency,
	}})
	*place = f.reported
}

// report returns what happened since the last call.
func (f *fleet) report() []order.Event {
	used, strain := proc.OwnUsage(), f.look.Strain()
	strain.Link = f.network.link()
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, a := range f.audiences {
		a.tellLocked(now)
	}
	p := f.progressLocked(used, strain)
	p.Latency = order.Encode(f.interval)
	f.interval.Reset()
	events := append(f.events, order.Event{Progress: p})
	f.events = nil
	return events
}

// progressLocked begins a Progress. It tells each strain of the process once.
func (f *fleet) progressLocked(used order.Usage, strain order.Strain) *order.Progress {
	strain.Late, strain.Lag = f.late, f.lag
	p := &order.Progress{Counts: f.counts.Clone(), Usage: used, Strain: strain}
	f.late, f.lag = order.Sample{}, order.Sample{}
	return p
}

// now is order.Now by the coordinator's clock: all moments that clients tell and
// are told are of that one.
func (f *fleet) now() int64 { return order.Now() + f.orders.Clock }

func (f *fleet) waitUntil(ctx context.Context, t int64) bool {
	return order.WaitUntil(ctx, t-f.orders.Clock)
}
