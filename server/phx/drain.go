package phx

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
)

// A Drain says how the sockets of a mount are told to go when the endpoint shuts
// down: one after the other, lest all of their clients come back to another
// server in the same moment. Each is closed with 1012, "service restart",
// whether it has channels or not; those then terminate with reason Draining
// (spec §1.12).
type Drain struct {
	// Off closes all at once, with 1001, "going away".
	Off bool

	// BatchSize is how many sockets are closed in an Interval, spread evenly over
	// it. Zero means 10,000.
	BatchSize int

	// Interval is how long a batch takes at most: it is less if Shutdown's
	// context would end before the last one. Zero means 2 s.
	Interval time.Duration
}

// drainTick is how often a drain looks at the clock: what is due until the next
// time is closed at once.
const drainTick = 10 * time.Millisecond

// drain closes all sockets, and returns when the last one was told. Nobody new
// comes any more.
func (ep *Endpoint) drain(ctx context.Context) {
	byMount := make(map[*mount][]*Socket)
	for _, s := range ep.sockets() {
		byMount[s.mount] = append(byMount[s.mount], s)
	}
	var all sync.WaitGroup
	for m, sockets := range byMount {
		var d Drain
		if m.Drain != nil {
			d = m.Drain()
		}
		all.Go(func() { m.drain(ctx, d, sockets) })
	}
	all.Wait()
	// What was on its way in when the sockets were counted, and who is no socket.
	for _, s := range ep.sockets() {
		s.close(ws.StatusCode(1012), "", Draining)
	}
	ep.poller.Each(func(c *poller.Conn) {
		if socketOf(c) == nil {
			c.Kill(poller.ErrStopped)
		}
	})
}

// drain closes the sockets of a mount.
func (m *mount) drain(ctx context.Context, d Drain, sockets []*Socket) {
	if d.Off {
		for _, s := range sockets {
			s.close(ws.StatusGoingAway, "", Shutdown)
		}
		return
	}
	// Those who came together shall not go together.
	rand.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
	pace := newPace(ctx, d, len(sockets))
	clock := time.NewTicker(drainTick)
	defer clock.Stop()
	for start, closed := time.Now(), 0; ; {
		for due := pace.due(time.Since(start)); closed < due; closed++ {
			sockets[closed].close(ws.StatusCode(1012), "", Draining)
			if batch, ok := pace.batch(closed + 1); ok {
				m.report(batch)
			}
		}
		if closed == len(sockets) {
			return
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			pace.interval = 0 // time is up
		}
	}
}

// report tells of a batch that is done.
func (m *mount) report(e DrainEvent) {
	e.Mount = m.Path
	if s := m.span(m.LogConnect, slog.LevelInfo, false); s.logged() {
		m.log.Log(context.Background(), s.level, "draining", "mount", e.Mount, "batch", e.Index, "of", e.Rounds,
			"sockets", e.Count, "of_all", e.Total, "interval", e.Interval)
	}
	tell(m.services, m.hooks.Drained, e)
}

// A pace is how fast the sockets of one mount are closed.
type pace struct {
	total, size int           // sockets of all batches, and of one
	interval    time.Duration // that one takes
}

// newPace is the pace of d, or a faster one: a quarter of the time that there is
// shall remain for clients to hang up.
func newPace(ctx context.Context, d Drain, total int) pace {
	p := pace{total, cmp.Or(max(d.BatchSize, 0), 10_000), cmp.Or(max(d.Interval, 0), 2*time.Second)}
	if end, ok := ctx.Deadline(); ok {
		batches := float64(total) / float64(p.size)
		p.interval = min(p.interval, time.Duration(float64(time.Until(end))*3/4/batches))
	}
	return p
}

// due is how many are to be closed until the next tick.
func (p pace) due(since time.Duration) int {
	if p.interval <= 0 {
		return p.total
	}
	due := math.Ceil(float64(since+drainTick) / float64(p.interval) * float64(p.size))
	return int(min(due, float64(p.total)))
}

// batch reports whether a batch is done with the n-th socket, and which.
func (p pace) batch(n int) (e DrainEvent, done bool) {
	index := (n + p.size - 1) / p.size
	e = DrainEvent{
		Count: n - (index-1)*p.size, Total: p.total,
		Index: index, Rounds: (p.total + p.size - 1) / p.size, Interval: p.interval,
	}
	return e, e.Count == p.size || n == p.total
}
