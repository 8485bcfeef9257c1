package poller

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrClosed is returned by a send on a connection that is closed or closing.
	ErrClosed = errors.New("connection closed")

	// ErrSlowConsumer ends a connection whose peer does not read; see
	// SlowConsumerError.
	ErrSlowConsumer = errors.New("slow consumer")

	// ErrTimeout ends a connection that did not finish closing in time.
	ErrTimeout = errors.New("timeout")

	// ErrStopped ends the connections that are open when their Poller is closed.
	ErrStopped = errors.New("poller stopped")
)

// A Config configures a [Poller]. The zero value is usable.
type Config struct {
	// Loops is how many event loops share the connections, at most one for each
	// processor. Zero means one for every two processors.
	Loops int

	// OutboundHigh is how many bytes may wait for one connection, beyond those the
	// kernel holds, before the loop stops reading from it. Above this limit it is not
	// read until its peer has taken half of the limit; see also Conn.Hold. The limit
	// shrinks as the backlog grows: to 1 MiB when the backlog is half of BacklogMax, to
	// 64 KiB when it reaches BacklogMax. Zero means 16 MiB, or OutboundMax if that is
	// less.
	OutboundHigh int

	// OutboundMax is how many bytes may wait for one connection in total: stopping its
	// input does not stop the messages that others send to it. A send that finds more
	// than this waiting ends the connection with a SlowConsumerError, so at most
	// OutboundMax plus one message wait. It should be several times the largest
	// message. Zero means 64 MiB.
	OutboundMax int

	// BacklogMax is how many bytes may wait for all connections together, counting
	// shared ones once. Above this limit, a connection that is owed more than 64 KiB is
	// ended when it is sent more, or takes nothing for a fifth of WriteTimeout. Zero
	// means 256 MiB.
	BacklogMax int

	// WriteTimeout ends a connection with a SlowConsumerError when bytes wait for it
	// and the kernel takes none for that long, or up to a tenth longer. It is at least
	// 1 s. Zero means 10 s.
	WriteTimeout time.Duration

	// SendBuffer is SO_SNDBUF of accepted connections in bytes: without it the
	// kernel may hide 4 MB for a client that does not read. Zero means 64 KiB,
	// which the kernel doubles for its bookkeeping.
	SendBuffer int

	// FreeBind lets Dial use local addresses that this host does not have (ip(7),
	// IP_FREEBIND). The peer must have a route to them through this host, or nothing
	// comes back. Without it such a Dial fails.
	FreeBind bool

	// Linger is how long the peer of a connection under Finish has to take the queued
	// bytes and to close its side. Zero means 5 s.
	Linger time.Duration

	// Logger gets what should not happen: a handler that panics, descriptors
	// that ran out. Nil means slog.Default().
	Logger *slog.Logger
}

// A Poller owns a set of connections on netpoll's event loops.
type Poller struct {
	outboundHigh int
	outboundMax  int
	backlog      backlog
	sweepTicks   uint32 // between sweeps
	sendBuffer   int
	linger       time.Duration
	freeBind     bool
	log          *slog.Logger

	loops []*loop
	next  atomic.Uint32 // round robin over loops
	live  atomic.Int64
	slow  atomic.Int64

	carriers carriers // of connections without a socket that a loop could watch

	stopping atomic.Bool // connections that start now end at once
	stopped  sync.Once
}

// New starts a Poller. Close stops it.
func New(cfg Config) (*Poller, error) {
	sets, err := netpollLoops()
	if err != nil {
		return nil, fmt.Errorf("start event loops: %w", err)
	}
	p := &Poller{
		outboundMax: cmp.Or(cfg.OutboundMax, 64<<20),
		backlog:     backlog{max: int64(cmp.Or(cfg.BacklogMax, 256<<20)), waiters: make(map[*byte]int)},
		sweepTicks:  uint32(max(cmp.Or(cfg.WriteTimeout, 10*time.Second)/sweeps/tickLength, 1)),
		sendBuffer:  cmp.Or(cfg.SendBuffer, 64<<10),
		linger:      cmp.Or(max(cfg.Linger, 0), 5*time.Second),
		freeBind:    cfg.FreeBind,
		log:         cmp.Or(cfg.Logger, slog.Default()),
	}
	p.outboundHigh = cmp.Or(cfg.OutboundHigh, min(16<<20, p.outboundMax))
	n := min(cmp.Or(max(cfg.Loops, 0), (runtime.GOMAXPROCS(0)+1)/2), len(sets))
	for _, s := range sets[:n] {
		l, err := newLoop(p, s)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("start event loop: %w", err)
		}
		p.loops = append(p.loops, l)
	}
	return p, nil
}

// Conns returns how many connections are open.
func (p *Poller) Conns() int { return int(p.live.Load()) }

// SlowConsumers returns how many connections were ended with a
// [SlowConsumerError].
func (p *Poller) SlowConsumers() int { return int(p.slow.Load()) }

// Each calls do for every open connection, on the connection's loop, and
// returns when all loops are done. A connection whose deadline was moved may
// come up twice. It must not be called on a loop.
func (p *Poller) Each(do func(*Conn)) {
	var done sync.WaitGroup
	for _, l := range p.loops {
		done.Add(1)
		l.each(do, done.Done)
	}
	done.Wait()
}

// Close ends all connections with ErrStopped, waits until their handlers have
// been told, and stops. It must not be called on a loop.
func (p *Poller) Close() {
	p.stopped.Do(func() {
		p.stopping.Store(true)
		for p.Each((*Conn).stop); p.Conns() > 0; {
			time.Sleep(time.Millisecond)
		}
		p.carriers.close()
		for _, l := range p.loops {
			l.close()
		}
	})
}

// pick returns the loop of the next connection.
func (p *Poller) pick() *loop {
	return p.loops[p.next.Add(1)%uint32(len(p.loops))]
}
