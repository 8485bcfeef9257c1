package phx

import (
	"cmp"
	"context"
	"math"
	"time"
)

// A Drain says how the sockets of a mount are closed when the endpoint shuts
// down: one after another, so that their clients do not all reconnect to
// another server at the same moment. Each is closed with 1012, "service
// restart", whether it has channels or not; its channels then terminate with
// reason Draining (spec §1.12).
type Drain struct {
	// Off closes all at once, with 1001, "going away".
	Off bool

	// BatchSize is how many sockets are closed in an Interval, spread evenly over
	// it. Zero means 10,000.
	BatchSize int

	// Interval is how long a batch takes at most. It is shorter if Shutdown's context
	// would otherwise end before the last batch. Zero means 2 s.
	Interval time.Duration
}

// drainTick is how often a drain looks at the clock: what is due until the next
// time is closed at once.
const drainTick = 10 * time.Millisecond

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
