package swarm

import (
	"bytes"
	"cmp"
	"context"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/frame"
)

// nobody is the writer of all pings: no room has it.
const nobody = 0

// pongHead is the usual beginning of the answers.
var pongHead = []byte(`["` + joinRef + `","`)

// An echoing is a fleet's pings. It is guarded by fleet.mu.
type echoing struct {
	size    int
	closed  bool // loop: an answer sets off the next ping
	paced   bool // an open loop: each ping has its moment
	next    int  // client, counted over all groups
	latency *hdrhistogram.Histogram
	raw     *hdrhistogram.Histogram

	firstAnswer, lastAnswer int64 // moments; 0: none yet
}

// echo sends pings until ctx is done. All joined clients take turns.
func (f *fleet) echo(ctx context.Context, o order.Echo) {
	f.mu.Lock()
	f.echoing = &echoing{size: o.Size, closed: o.InFlight > 0 && o.Burst == 0, paced: o.InFlight == 0, latency: order.NewHistogram(3), raw: order.NewHistogram(3)}
	f.mu.Unlock()
	for range o.InFlight {
		f.ping(f.now(), max(1, o.Burst))
	}
	if o.InFlight == 0 {
		for n := 0; (n < o.Pings || o.Pings == 0) && f.waitUntil(ctx, o.Pace.Due(n)); n++ {
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
	c := f.takeTurnLocked(&e.next, func(c *client) bool { return c.linked && c.joinedOnce })
	var conn connection
	if c != nil {
		conn = c.connLocked()
	}
	f.mu.Unlock()
	if conn == nil {
		f.fault("no client left to ping")
		return
	}
	now := f.now()
	stamp := channels.Stamp{Writer: nobody, Seq: c.pingSeq(), Intended: intended, Sent: now}
	text := f.opening(string(stamp.Append(nil)), c.group.topic, "ping") // whatever the application replies, it has the ref
	text = f.closing(appendPayload(text, stamp, e.size))
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
	if e.paced {
		f.late.Add(now - intended)
	}
	f.mu.Unlock()
}

// pingSeq is the number in the stamps of a client's pings: a reply to another client's
// ping is no answer.
func (c *client) pingSeq() int32 { return int32(c.number) + 1 }

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

// pong takes the answer to a ping, which is known by its ref.
func (c *client) pong(ref string, a channels.Answer, now int64) {
	f := c.group.fleet
	s, ok := channels.FindStamp([]byte(ref))
	if !ok || s.Writer != nobody {
		f.fault("reply to nothing that was sent")
		return
	}
	if a.Status != "ok" {
		f.fault("ping refused: " + a.Reason())
	}
	f.echoed(c, s, now)
}

// echoed takes what came back of a ping.
func (f *fleet) echoed(c *client, s channels.Stamp, now int64) {
	f.mu.Lock()
	e := f.echoing
	if e == nil || s.Seq != c.pingSeq() {
		f.faultLocked("answer to no ping")
		f.mu.Unlock()
		return
	}
	f.counts.Replies++
	e.firstAnswer, e.lastAnswer = cmp.Or(e.firstAnswer, now), now
	order.Observe(e.latency, now-s.Intended)
	order.Observe(e.raw, now-s.Sent)
	order.Observe(f.interval, now-s.Intended)
	again := e.closed
	f.mu.Unlock()
	if again {
		f.ping(f.now(), 1)
	}
}
