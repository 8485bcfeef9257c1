package cluster

import "sync"

// messageSize is what a waiting message counts beside its bytes.
const messageSize = 128

// An inbound is the inboxes of a Link: a carrier waits for none, and what is sent again
// does not wait behind what is not.
type inbound struct {
	broadcasts, direct, repairs inbox

	toThis, again string // subjects of direct and repairs
}

func newInbound(l *Link, max int) *inbound {
	b := &inbound{toThis: l.subject(l.id), again: l.repairs(l.id)}
	for _, in := range b.all() {
		in.max, in.news = max, sync.NewCond(&in.mu)
	}
	return b
}

func (b *inbound) all() []*inbox { return []*inbox{&b.broadcasts, &b.direct, &b.repairs} }

// put takes what comes for a subject.
func (b *inbound) put(subject string, data []byte) {
	switch subject {
	case b.toThis:
		b.direct.put(data)
	case b.again:
		b.repairs.put(data)
	default:
		b.broadcasts.put(data)
	}
}

// An inbox is what waits to be received, in the order in which it came.
type inbox struct {
	max int // immutable; bytes

	mu      sync.Mutex // guards the rest
	news    *sync.Cond
	waiting [][]byte
	bytes   int
	dropped int
	closed  bool
}

// put adds a message, or drops it if too much waits. One always has room.
func (b *inbox) put(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := len(data) + messageSize
	if b.bytes > 0 && b.bytes+size > b.max {
		b.dropped++
		return
	}
	b.waiting = append(b.waiting, data)
	b.bytes += size
	b.news.Signal()
}

// empty passes on what comes until the inbox closes. It is called by one goroutine.
func (b *inbox) empty(receive func(in *inbox, data []byte)) {
	for {
		data, ok := b.next()
		if !ok {
			return
		}
		receive(b, data)
		b.done(data)
	}
}

func (b *inbox) next() (data []byte, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) == 0 && !b.closed {
		b.news.Wait()
	}
	if b.closed {
		return nil, false
	}
	data = b.waiting[0]
	b.waiting[0] = nil
	b.waiting = b.waiting[1:]
	return data, true
}

// done makes room: what is being received counts as waiting.
func (b *inbox) done(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= len(data) + messageSize
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.news.Signal()
}

// lost is how many messages were dropped.
func (b *inbox) lost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}
