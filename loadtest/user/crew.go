package user

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/script"
)

// A crew is the users of one process.
type crew struct {
	orders  order.Orders
	script  *script.Script
	targets *targets
	open    func(context.Context, *targets, *script.Script, *script.Scope) (transport, error)
	users   []*user
	writer  uint32 // that stamps of this process have

	slots   chan struct{} // as many as connects and joins may be in flight
	trial   bool          // the one user of Try: what it did not expect is kept in strays
	begin   chan struct{} // closed when users are to go through the steps
	tickets chan int64    // the moments at which rounds are due; nil if they are not paced
	active  sync.WaitGroup
	ctx     context.Context // of all users; ends with the connections
	end     context.CancelFunc

	look proc.Look // serving.mu

	mu          sync.Mutex // guards the rest
	counts      order.Counts
	meters      []meter
	sent        map[string][]int64 // when, by place; a message's number is its index and 1
	settled     order.SentAccount  // of all processes; nil until they are told
	pending     int                // users that have neither joined nor failed
	joined      int64
	firstDial   int64
	lastJoin    int64
	lastReceipt int64
	latency     *hdrhistogram.Histogram
	rawLatency  *hdrhistogram.Histogram
	joinLatency *hdrhistogram.Histogram
	interval    *hdrhistogram.Histogram // receipts and replies since the last progress
	events      []order.Event
	late, lag   order.Sample // since the last report, as in order.Strain
	stopping    bool
	strays      []string // messages that no step expects
}

func newCrew(o order.Orders) (*crew, error) {
	s, err := o.Script.Script()
	if err != nil {
		return nil, err
	}
	if o.ScriptURL != "" {
		if err := s.Retarget(o.ScriptURL); err != nil {
			return nil, err
		}
	}
	c := &crew{
		orders: o, script: s, writer: o.Writer,
		slots: make(chan struct{}, o.Window), begin: make(chan struct{}),
		counts: order.Counts{Errors: make(map[string]int64)}, meters: make([]meter, len(s.Meters)), sent: make(map[string][]int64),
		latency: order.NewHistogram(3), rawLatency: order.NewHistogram(3), joinLatency: order.NewHistogram(3), interval: order.NewHistogram(2),
	}
	c.ctx, c.end = context.WithCancel(context.Background())
	if c.targets, err = resolve(c.ctx, s, o); err != nil {
		return nil, err
	}
	c.open = dialWebSocket
	if s.Target.Transport == script.LongPoll {
		c.open = openLongPoll
	}
	c.targets.shook = func(resumed bool) {
		c.count(func(n *order.Counts) {
			n.Secured++
			if resumed {
				n.Resumed++
			}
		})
	}
	c.writer = o.Writer + uint32(o.Shares[0].First) // no other process has it
	for _, share := range o.Shares {
		for i := range share.Count {
			c.users = append(c.users, newUser(c, share.First+i+1))
		}
	}
	if s.Paced() {
		c.tickets = make(chan int64, len(c.users))
	}
	c.pending = len(c.users)
	return c, nil
}

// now is order.Now by the coordinator's clock.
func (c *crew) now() int64 { return order.Now() + c.orders.Clock }

func (c *crew) waitUntil(ctx context.Context, t int64) bool {
	return order.WaitUntil(ctx, t-c.orders.Clock)
}

// connect has all users connect and join, as many at a time as there are slots.
func (c *crew) connect(ctx context.Context, pace order.Pacer) {
	for n, u := range c.users {
		due := pace.Due(n)
		if !c.waitUntil(ctx, due) {
			return
		}
		select {
		case c.slots <- struct{}{}:
			if pace.Interval == 0 {
				due = c.now() // only the slots set the pace
			}
			u.start(due)
		case <-ctx.Done():
			return
		}
	}
}

// follow has users go through the steps from a moment on, and tells when they have
// done.
func (c *crew) follow(ctx context.Context, o order.Follow) {
	if !c.waitUntil(ctx, o.Start) {
		return
	}
	close(c.begin)
	defer c.followed()
	length := c.script.Length()
	if length == 0 {
		c.awaitRounds(ctx)
	} else {
		limited, cancel := context.WithDeadline(ctx, time.Now().Add(time.Duration(o.Start-c.now())+length))
		var pacing sync.WaitGroup
		if c.tickets != nil {
			pacing.Go(func() { c.pace(limited, o.Start) })
		}
		if len(c.script.Stages) > 0 {
			pacing.Go(func() { c.stage(limited, o.Start) })
		} else if c.script.Rounds > 0 {
			c.awaitRounds(limited)
		}
		if len(c.script.Stages) > 0 || c.script.Rounds == 0 {
			<-limited.Done()
		}
		cancel()
		pacing.Wait()
	}
	c.rest()
	c.awaitRounds(ctx)
}

func (c *crew) rest() {
	for _, u := range c.users {
		u.rest()
	}
}

// followed ends the rounds, and tells what was sent in them.
func (c *crew) followed() {
	c.rest()
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := make(order.SentAccount)
	for at, moments := range c.sent {
		sent[at] = map[uint32][]int64{c.writer: slices.Clone(moments)}
	}
	c.events = append(c.events, order.Event{Followed: &order.Followed{Sent: sent}})
}

// awaitRounds waits until no user is within its rounds.
func (c *crew) awaitRounds(ctx context.Context) {
	for _, u := range c.users {
		select {
		case <-u.idle():
		case <-ctx.Done():
			return
		}
	}
}

// stageEvery is how often users are started and stopped.
const stageEvery = 50 * time.Millisecond

// stage keeps as many users as the stages say.
func (c *crew) stage(ctx context.Context, start int64) {
	clock := time.NewTicker(stageEvery)
	defer clock.Stop()
	share := float64(len(c.users)) / float64(c.orders.Users)
	running := 0
	for {
		users, _ := c.script.At(time.Duration(c.now() - start))
		want := min(len(c.users), int(users*share+0.5))
		for ; running < want; running++ {
			select {
			case c.slots <- struct{}{}:
				c.users[running].start(c.now())
			case <-ctx.Done():
				return
			}
		}
		for ; running > want; running-- {
			c.users[running-1].stop()
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return
		}
	}
}

// pace hands out the moments at which rounds of this process are due. A user that is free
// takes the next. Moments wait for a user, and the latency counts from the moment.
func (c *crew) pace(ctx context.Context, start int64) {
	share := float64(len(c.users)) / float64(c.orders.Users)
	offset := float64(c.users[0].scope.N-1) / float64(c.orders.Users) // so that processes take turns
	due := time.Duration(0)
	for n := 0; ; n++ {
		due = c.dueRound((float64(n)+offset)/share, due)
		if due < 0 || !c.waitUntil(ctx, start+int64(due)) {
			return
		}
		select {
		case c.tickets <- start + int64(due):
			c.strained(func() { c.late.Add(c.now() - start - int64(due)) })
		default:
			c.fault("round skipped: no user was free, and as many rounds wait as there are users")
		}
	}
}

// dueRound is when so many rounds are due, no sooner than from; below 0 they never
// are.
func (c *crew) dueRound(n float64, from time.Duration) time.Duration {
	last := c.script.Length()
	if _, rounds := c.script.At(last); rounds <= n {
		return -1
	}
	for last-from > time.Microsecond {
		middle := (from + last) / 2
		if _, rounds := c.script.At(middle); rounds < n {
			from = middle
		} else {
			last = middle
		}
	}
	return last
}

// fault counts an error by its kind.
func (c *crew) fault(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.counts.Errors[kind]; !known && len(c.counts.Errors) >= maxKinds {
		kind = otherKinds
	}
	c.counts.Errors[kind]++
}

// count changes the counts.
func (c *crew) count(do func(*order.Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(&c.counts)
}

// observe counts what came of a step.
func (c *crew) observe(meter int, outcome string, took int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meters[meter].observe(outcome, took)
}

// unreadable counts a message that came and is not understood.
func (c *crew) unreadable(text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Unreadable++
	if c.counts.Odd == "" {
		c.counts.Odd = channels.Excerpt(text)
	}
}

// settleLocked notes that one more user has joined or failed for the first time.
func (c *crew) settleLocked() {
	c.pending--
	if c.pending == 0 {
		room := c.orders.Shares[0].Room
		c.events = append(c.events, order.Event{Ramped: &order.Ramped{
			Joined: map[int]int64{room: c.joined}, Groups: map[int]int{room: 1}, FirstDial: c.firstDial, LastJoin: c.lastJoin,
		}})
	}
}

// report returns what happened since the last call.
func (c *crew) report() []order.Event {
	missing := c.missing()
	used, strain := proc.OwnUsage(), c.look.Strain()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &order.Progress{Counts: c.counts.Clone(), Usage: used, Strain: c.strainLocked(strain), Latency: order.Encode(c.interval)}
	if c.settled != nil {
		n, _ := total(missing)
		p.Missing = &n
	}
	c.interval.Reset()
	events := append(c.events, order.Event{Progress: p})
	c.events = nil
	return events
}

// answer tells the counts as they are now.
func (c *crew) answer() []order.Event {
	used, strain := proc.OwnUsage(), c.look.Anew()
	c.mu.Lock()
	defer c.mu.Unlock()
	events := append(c.events, order.Event{Progress: &order.Progress{Counts: c.counts.Clone(), Usage: used, Strain: c.strainLocked(strain), At: c.now()}})
	c.events = nil
	return events
}

// A gap counts the messages that one user is owed and has not got.
type gap struct {
	n       int64
	example string
}

// missing returns the gaps of all users, once crew was told which messages were sent.
func (c *crew) missing() (gaps []gap) {
	c.mu.Lock()
	all := c.settled
	c.mu.Unlock()
	if all == nil {
		return nil
	}
	places := make(map[string][]string) // by topic
	for at := range all {
		_, topic, _ := strings.Cut(at, between)
		places[topic] = append(places[topic], at)
	}
	for _, u := range c.users {
		u.mu.Lock()
		n, example := u.account.missing(all, places)
		u.mu.Unlock()
		if n > 0 {
			gaps = append(gaps, gap{n, fmt.Sprintf("user %d %s, and %d others", u.scope.N, example, n-1)})
		}
	}
	return gaps
}

func total(gaps []gap) (n int64, examples []string) {
	for _, g := range gaps {
		n += g.n
		examples = append(examples, g.example)
	}
	return n, examples
}

// maxExamples is how many users with a loss each process names.
const maxExamples = 5

// totals makes the account, when all users are gone.
func (c *crew) totals() *order.Totals {
	lost, examples := total(c.missing())
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &order.Totals{
		Counts: c.counts.Clone(), Lost: lost, Examples: examples[:min(len(examples), maxExamples)], LastReceipt: c.lastReceipt,
		Latency: order.Encode(c.latency), Raw: order.Encode(c.rawLatency), Join: order.Encode(c.joinLatency),
	}
	for i := range c.meters {
		t.Readings = append(t.Readings, c.meters[i].reading())
	}
	return t
}

// settle is told what all processes have sent.
func (c *crew) settle(all order.SentAccount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled = maps.Clone(all)
}

// close ends all connections and waits for the users.
func (c *crew) close() {
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	c.end()
	c.active.Wait()
	c.targets.polling.CloseIdleConnections()
}
