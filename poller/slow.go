package poller

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A SlowConsumerError ends a connection whose peer did not read what it was
// sent. [errors.Is] matches it with [ErrSlowConsumer].
type SlowConsumerError struct {
	Waiting int           // bytes that were in the outbound queue
	Quiet   time.Duration // since the kernel last took some of them, to a tenth of Config.WriteTimeout
}

func (e *SlowConsumerError) Error() string {
	return fmt.Sprintf("slow consumer: %d bytes wait, none taken for %v", e.Waiting, e.Quiet)
}

func (e *SlowConsumerError) Is(target error) bool { return target == ErrSlowConsumer }

// A Leaver is a [Handler] that has a last message for a slow consumer: Leave
// returns the bytes sent behind the frame in progress, or nil. Everything else
// that waited is dropped. The peer gets them if it keeps reading within
// Config.Linger. Called on the loop, after nothing more can be sent and before
// Closed.
type Leaver interface {
	Leave(c *Conn, why *SlowConsumerError) []byte
}

// A backlog counts the bytes in the outbound queues of a Poller. Shared bytes count
// once, however many connections they wait for. So it fills by the bytes that are made,
// not by the size of a crowd.
type backlog struct {
	max   int64
	bytes atomic.Int64

	mu      sync.Mutex
	waiters map[*byte]int // queues that a shared frame is in, by its last byte
}

func (b *backlog) full() bool { return b.bytes.Load() > b.max }

const (
	halfHigh  = 1 << 20  // the most of Config.OutboundHigh while half of the backlog's room is used
	leastHigh = 64 << 10 // and when all is
)

// A Debt counts bytes that wait for a peer outside a connection's outbound queue. They
// count in the backlog all the same. The zero value is no debt. Its owner guards it.
type Debt struct {
	bytes  []byte
	shared bool
}

// Bytes returns what is owed.
func (d *Debt) Bytes() []byte { return d.bytes }

// Shared reports whether others are owed the same.
func (d *Debt) Shared() bool { return d.shared }

// Owe makes d be for these bytes, in place of what it was for. Shared ones, which are all
// of a slice given to SendShared or to other debts, count once.
func (p *Poller) Owe(d *Debt, bytes []byte, shared bool) {
	shared = shared && len(bytes) > 0
	if len(bytes) == len(d.bytes) && shared == d.shared && (!shared || last(bytes) == last(d.bytes)) {
		return
	}
	p.backlog.remove(pending{rest: d.bytes, size: len(d.bytes), shared: d.shared})
	p.backlog.add(pending{rest: bytes, size: len(bytes), shared: shared})
	d.bytes, d.shared = bytes, shared
}

// MayOwe reports whether a peer for which so many bytes wait may be sent more: not beyond
// Config.OutboundMax, nor, unless it is owed little, while all of them together are owed
// too much.
func (p *Poller) MayOwe(bytes int) bool {
	return bytes <= p.outboundMax && (bytes <= leastHigh || !p.backlog.full())
}

// High is Config.OutboundHigh as far as the backlog has room for it.
func (p *Poller) High() int {
	switch n := p.backlog.bytes.Load(); {
	case n > p.backlog.max:
		return min(p.outboundHigh, leastHigh)
	case n > p.backlog.max/2:
		return min(p.outboundHigh, halfHigh)
	}
	return p.outboundHigh
}

func (b *backlog) add(w pending) {
	if w.shared && b.count(w, 1) > 1 {
		return
	}
	b.bytes.Add(int64(w.size))
}

func (b *backlog) remove(w pending) {
	if w.shared && b.count(w, -1) > 0 {
		return
	}
	b.bytes.Add(-int64(w.size))
}

// count changes how many queues a frame is in, and returns it. The last byte of a
// frame tells it from others, however much of it a queue has still to send.
func (b *backlog) count(w pending, by int) int {
	key := last(w.rest)
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.waiters[key] + by
	if n == 0 {
		delete(b.waiters, key)
	} else {
		b.waiters[key] = n
	}
	return n
}

// sweeps is how often a loop looks at its connections that are owed something
// within Config.WriteTimeout.
const sweeps = 10

// sweepLater has the loop look after a connection that is owed something.
func (l *loop) sweepLater(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owing = append(l.owing, c); len(l.owing) == 1 && !l.closed {
		l.postLocked(func() { l.now() }) // whose clock may sleep
	}
}

// owed reports whether there may be connections to sweep.
func (l *loop) owed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.owing) > 0
}

// sweep looks for slow consumers, if it is time to.
func (l *loop) sweep() {
	if l.timers.now-l.swept < l.poller.sweepTicks {
		return
	}
	l.swept = l.timers.now
	owing := l.takeOwing()
	still := owing[:0]
	for _, c := range owing {
		if c.sweep() {
			still = append(still, c)
		}
	}
	clear(owing[len(still):])
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owing = append(still, l.owing...)
}

func (l *loop) takeOwing() []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	owing := l.owing
	l.owing = nil
	return owing
}

// sweep ends the connection if the kernel has taken nothing for too long, and
// reports whether to look again. It has less time where all together are owed too
// much and it is owed its share.
func (c *Conn) sweep() (again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rare
	switch {
	case c.gone:
		return false
	case len(r.queue) == 0 || r.ending != open:
		r.owing = false
		c.tidyLocked()
		return false
	}
	r.quiet++
	r.stays++
	if p := c.loop.poller; r.quiet > sweeps || r.quiet > 1 && r.bytes > leastHigh && p.backlog.full() {
		c.cutLocked()
	}
	return true
}

// cutLocked ends a slow consumer: what it has not begun to get is dropped, and its
// handler may say why.
func (c *Conn) cutLocked() {
	r, p := c.rare, c.loop.poller
	quiet := time.Duration(r.quiet) * time.Duration(p.sweepTicks) * tickLength
	r.ending, r.reason = cut, &SlowConsumerError{Waiting: r.bytes, Quiet: quiet}
	begun := 0 // two where the first is records, and the second a frame that is half in them
	for begun < len(r.queue) && r.queue[begun].begun {
		begun++
	}
	r.dropLocked(p, begun)
	r.full = false
	p.slow.Add(1)
	c.loop.post(c.leave)
}

// leave lets the handler of a slow consumer have its last word.
func (c *Conn) leave() {
	c.CheckLoop()
	defer c.contain()
	if c.handler == nil {
		return
	}
	c.mu.Lock()
	why, ok := c.rare.reason.(*SlowConsumerError)
	c.mu.Unlock()
	var word []byte
	if h, leaves := c.handler.(Leaver); ok && leaves {
		word = h.Leave(c, why)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rare.ending == cut { // else it was killed meanwhile
		c.rare.ending = open
		c.finishLocked(word)
	}
}

// Owed describes a connection that has not taken all bytes sent to it.
type Owed struct {
	Waiting int           // bytes in the outbound queue
	Quiet   time.Duration // since the kernel last took some, to a tenth of Config.WriteTimeout
}

// EachOwing calls do, on their loops, for the connections whose outbound queues
// are not empty, and returns when all loops are done. Not on a loop.
func (p *Poller) EachOwing(do func(*Conn, Owed)) {
	var done sync.WaitGroup
	for _, l := range p.loops {
		done.Add(1)
		l.mu.Lock()
		owing := slices.Clone(l.owing)
		l.mu.Unlock()
		l.visit(func(from int) (next int) {
			next = min(from+maxVisits, len(owing))
			for _, c := range owing[from:next] {
				if o := c.owed(); o.Waiting > 0 && c.handler != nil {
					do(c, o)
				}
			}
			return rest(next, len(owing))
		}, done.Done)
	}
	done.Wait()
}

func (c *Conn) owed() Owed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rare == nil {
		return Owed{}
	}
	return Owed{c.rare.bytes, time.Duration(c.rare.quiet) * time.Duration(c.loop.poller.sweepTicks) * tickLength}
}

// Backlog returns how many bytes wait in outbound queues, counting shared ones
// once, and how many may.
func (p *Poller) Backlog() (bytes, max int64) { return p.backlog.bytes.Load(), p.backlog.max }
