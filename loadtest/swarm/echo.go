package swarm

import (
	"bytes"
	"context"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// echoRef is the ref of all pings. The answer is known by it, and by its stamp.
const echoRef = "4"

// echoHead is what the answers begin with.
var echoHead = []byte(`["1","` + echoRef + `",`)

// An echoing is a fleet's pings. It is guarded by fleet.mu.
type echoing struct {
	size    int
	closed  bool // loop: an answer sets off the next ping
	next    int  // client, counted over all groups
	latency *hdrhistogram.Histogram
	raw     *hdrhistogram.Histogram
}

// echo sends pings until ctx is done. All joined clients take turns.
func (f *fleet) echo(ctx context.Context, o order.Echo) {
	f.mu.Lock()
	f.echoing = &echoing{size: o.Size, closed: o.InFlight > 0 && o.Burst == 0, latency: order.NewHistogram(3), raw: order.NewHistogram(3)}
	f.mu.Unlock()
	for range o.InFlight {
		f.ping(f.now(), max(1, o.Burst))
	}
	if o.InFlight == 0 {
		for n := 0; f.waitUntil(ctx, o.Pace.Due(n)); n++ {
			f.ping(o.Pace.Due(n), 1)
		}
	}
	<-ctx.Done()
	f.mu.Lock()
	f.echoing.closed = false
	f.mu.Unlock()
}

// ping has one client send n pings in one go. They are meant for the moment
// intended.
func (f *fleet) ping(intended int64, n int) {
	f.mu.Lock()
	e := f.echoing
	c := f.takeTurnLocked(&e.next, func(c *client) bool { return c.conn != nil && c.joinedOnce })
	var conn *poller.Conn
	if c != nil {
		conn = c.conn
	}
	f.mu.Unlock()
	if conn == nil {
		f.fault("no client left to ping")
		return
	}
	now := f.now()
	text := f.opening(echoRef, c.group.topic, "ping")
	text = f.closing(appendPayload(text, 0, c.pingSeq(), intended, now, e.size))
	data := frame.AppendMasked(nil, opText, mask, text)
	if n > 1 {
		data = bytes.Repeat(data, n)
	}
	if err := conn.Send(data); err != nil {
		f.fault("ping: " + err.Error())
		return
	}
	f.mu.Lock()
	f.counts.Pings += int64(n)
	f.mu.Unlock()
}

// pingSeq is what a client's pings have in their stamps: what answers another
// client's is no answer.
func (c *client) pingSeq() int { return int(c.number) + 1 }

// takeTurnLocked returns the next client that is fit, or nil; next counts over
// all groups.
func (f *fleet) takeTurnLocked(next *int, fit func(*client) bool) *client {
	total := 0
	for _, g := range f.groups {
		total += len(g.clients)
	}
	for range total {
		n := *next
		*next = (n + 1) % total
		for _, g := range f.groups {
			if n < len(g.clients) {
				if c := &g.clients[n]; fit(c) {
					return c
				}
				break
			}
			n -= len(g.clients)
		}
	}
	return nil
}

// echoed takes the answer to a ping.
func (f *fleet) echoed(c *client, payload []byte, now int64) {
	s, ok := parseStamp(payload)
	f.mu.Lock()
	e := f.echoing
	if !ok || e == nil || int(s.seq) != c.pingSeq() {
		f.faultLocked("answer to no ping")
		f.mu.Unlock()
		return
	}
	f.counts.Replies++
	order.Observe(e.latency, now-s.intended)
	order.Observe(e.raw, now-s.sent)
	order.Observe(f.interval, now-s.intended)
	again := e.closed
	f.mu.Unlock()
	if again {
		f.ping(f.now(), 1)
	}
}

// echo is the scenario, seen from the coordinator.
func (r *run) echo(ctx context.Context) error {
	r.enter("echo")
	start := order.Now() + int64(headStart)
	if err := r.sendPings(start); err != nil {
		return err
	}
	if r.cfg.Rate == 0 { // until the loop is in its stride in all processes
		if err := r.pass(ctx, start); err != nil {
			return err
		}
	}
	from, err := r.edge(ctx, order.Inquiry{Anew: true})
	if err != nil {
		return err
	}
	if r.cfg.Rate > 0 { // the first ping is yet to come
		from.moment = max(from.moment, start)
		if err := r.pass(ctx, start); err != nil {
			return err
		}
	}
	a := r.begunAt(from, "echo", func(a *record.Activity, was, is order.Counts) { a.Count = is.Replies - was.Replies }).charged()
	if err := r.pass(ctx, from.moment+int64(r.cfg.For)); err != nil {
		return err
	}
	if err := a.end(ctx); err != nil {
		return err
	}
	if err := r.quieten(ctx); err != nil {
		return err
	}
	r.lastArrival = order.Now()
	if err := r.until(ctx, r.allAnswered); err != nil { // the slowest answers are the last to come
		return err
	}
	err = r.quieten(ctx) // for their latencies
	a.emit()
	return err
}

// sendPings has all processes send pings: those of an open loop from start on.
func (r *run) sendPings(start int64) error {
	for i, w := range r.workers {
		o := order.Echo{Size: r.cfg.Size}
		if r.cfg.Rate > 0 {
			o.Pace = order.NewPacer(start, r.cfg.Rate/float64(len(r.workers)))
		} else {
			o.InFlight = plan.Split(max(r.cfg.InFlight, len(r.workers)), len(r.workers))[i]
		}
		if err := w.tell(order.Command{Echo: &o}); err != nil {
			return err
		}
	}
	return nil
}

// allAnswered says that there is no answer to wait for any more.
func (r *run) allAnswered() bool {
	c := r.counts()
	return c.Replies >= c.Pings || r.silent()
}

// silent says that nothing has come for so long that nothing more will.
func (r *run) silent() bool { return order.Now() > r.lastArrival+int64(r.cfg.Drain) }
