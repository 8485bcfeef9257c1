package phx

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/internal/packet"
)

// services holds the things that an endpoint lends to its mounts, and they to sockets,
// channels and long-poll sessions, which know nothing else of it.
type services struct {
	owner any          // the *Endpoint, for Socket.Endpoint alone
	cfg   Config       // checked, with its defaults
	log   *slog.Logger // its handler never waits
	hooks Telemetry    // zero without Config.Telemetry
	clock
	pools
	pubsub   *pubsub.PubSub
	foreign  []*packet.Codec // of serializers that are the application's
	incoming incoming
	cuts     cuts
	draining atomic.Bool                  // no one may come in any more
	timedOut atomic.Int64                 // callbacks; see CallbackStats
	watched  atomic.Pointer[channelExtra] // the last one that has but one watcher: see AtEnd
}

// workers is the pool that callbacks run on.
type workers = poller.Pool

// pools run the turns.
type pools struct {
	workers   *workers     // callbacks: they may block
	connects  *workers     // Connect and CheckOrigin: those who come in wait for none of those
	unpackers *poller.Pool // large messages, before they are for anybody
	fanOut    *poller.Pool // broadcasts: they never do, and must not wait for those that do
}

// A clock counts from when an endpoint was made.
type clock struct{ started time.Time }

// age is how long the endpoint has run, in ms, modulo 49 days.
func (c clock) age() uint32 { return uint32(time.Since(c.started).Milliseconds()) }

// mark is age as a mark of what begins now, which is never zero.
func (c clock) mark() uint32 { return c.age() | 1 }

// since is how long ago something began.
func (c clock) since(mark uint32) time.Duration {
	return time.Duration(c.age()-mark+1) * time.Millisecond // mark may be one more than it was
}

// span begins a span; see newSpan.
func (lent *services) span(level slog.Leveler, usual slog.Level, hooked bool) span {
	return newSpan(lent.log, level, usual, hooked)
}
