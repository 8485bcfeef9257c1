package poller

import (
	"syscall"
	"time"
)

// ListenTaking is Listen with an accept4(2) of the test's own; RawAccept is the
// real one.
func (p *Poller) ListenTaking(addr string, open func(*Conn) Handler, take func(fd int) (int, syscall.Errno)) (*Listener, error) {
	return p.listen(addr, open, take)
}

var RawAccept = rawAccept

// Asleep reports whether no loop means to wake within a time.
func (p *Poller) Asleep(within time.Duration) bool {
	answers := make(chan bool, len(p.loops))
	for _, l := range p.loops {
		l.post(func() {
			k := &l.clock
			answers <- k.asleep && (k.rings == 0 || k.rings > k.alarm.elapsed()+within)
		})
	}
	all := true
	for range p.loops {
		all = <-answers && all
	}
	return all
}

// TLSFieldsKnown reports whether the fields of a tls.Conn are where tlsFields
// expects them.
func TLSFieldsKnown() bool { return tlsFields().known }

// Coming is how many workers are on their way to the queue.
func (p *Pool) Coming() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.coming
}

// Entries is how many parts the bytes have that wait in the outbound queue.
func (c *Conn) Entries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rare == nil {
		return 0
	}
	return len(c.rare.queue)
}
