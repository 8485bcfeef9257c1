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

	// ErrSlowConsumer ends a connection whose peer does not read what it is sent.
	ErrSlowConsumer = errors.New("slow consumer: outbound queue full")

	// ErrTimeout ends a connection that did not finish closing in time.
	ErrTimeout = errors.New("timeout")

	// ErrStopped ends the connections that are open when their Poller is closed.
	ErrStopped = errors.New("poller stopped")
)

// A Config says how a Poller works. The zero value is usable.
type Config struct {
	// Loops is how many event loops share the connections. Zero means one for
	// every two processors; more than one a processor are not made.
	Loops int

	// OutboundMax is how many bytes may wait for one connection beyond what the
	// kernel holds. A send that finds more than this waiting ends the connection
	// with ErrSlowConsumer; so at most OutboundMax plus one message wait. Zero
	// means 1 MiB.
	OutboundMax int

	// SendBuffer is SO_SNDBUF of accepted connections in bytes: without it the
	// kernel may hide 4 MB for a client that does not read. Zero means 64 KiB,
	// which the kernel doubles for its bookkeeping.
	SendBuffer int

	// Linger is how long the peer of a connection under Finish has to take what
	// is queued and to close its side. Zero means 5 s.
	Linger time.Duration

	// Logger gets what should not happen: a handler that panics, descriptors
	// that ran out. Nil means slog.Default().
	Logger *slog.Logger
}

// A Poller owns a set of connections on netpoll's event loops.
type Poller struct {
	outboundMax int
	sendBuffer  int
	linger      time.Duration
	log         *slog.Logger

	loops []*loop
	next  atomic.Uint32 // round robin over loops
	live  atomic.Int64
	slow  atomic.Int64

	stopping atomic.Bool // connections that start now end at once
	stopped  sync.Once
	stop     chan struct{} // ends tick
	ticker   sync.WaitGroup
}

// New starts a Poller. Close stops it.
func New(cfg Config) (*Poller, error) {
	polls, err := netpollLoops()
	if err != nil {
		return nil, fmt.Errorf("start event loops: %w", err)
	}
	p := &Poller{
		outboundMax: cmp.Or(cfg.OutboundMax, 1<<20),
		sendBuffer:  cmp.Or(cfg.SendBuffer, 64<<10),
		linger:      cmp.Or(max(cfg.Linger, 0), 5*time.Second),
		log:         cmp.Or(cfg.Logger, slog.Default()),
		stop:        make(chan struct{}),
	}
	n := min(cmp.Or(max(cfg.Loops, 0), (runtime.GOMAXPROCS(0)+1)/2), len(polls))
	for _, poll := range polls[:n] {
		l, err := newLoop(p, poll)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("start event loop: %w", err)
		}
		p.loops = append(p.loops, l)
	}
	p.ticker.Add(1)
	go p.tick() // Close waits for it
	return p, nil
}

// Conns is how many connections are open.
func (p *Poller) Conns() int { return int(p.live.Load()) }

// SlowConsumers is how many connections were ended with ErrSlowConsumer.
func (p *Poller) SlowConsumers() int { return int(p.slow.Load()) }

// Each calls do for every open connection, on the connection's loop, and
// returns when all loops are done. A connection whose deadline was moved may
// come up twice. It must not be called on a loop.
func (p *Poller) Each(do func(*Conn)) {
	var done sync.WaitGroup
	for _, l := range p.loops {
		done.Add(1)
		if !l.post(func() { defer done.Done(); l.timers.each(do) }) {
			done.Done()
		}
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
		close(p.stop)
		p.ticker.Wait()
		for _, l := range p.loops {
			l.close()
		}
	})
}

// pick returns the loop of the next connection.
func (p *Poller) pick() *loop {
	return p.loops[p.next.Add(1)%uint32(len(p.loops))]
}

// tick drives the timers of all loops.
func (p *Poller) tick() {
	defer p.ticker.Done()
	start, ticker := time.Now(), time.NewTicker(tickLength)
	defer ticker.Stop()
	for c := (clock{}); ; {
		select {
		case <-ticker.C:
			n := c.due(time.Since(start))
			for _, l := range p.loops {
				l.post(func() {
					for range n {
						l.advance()
					}
				})
			}
		case <-p.stop:
			return
		}
	}
}
