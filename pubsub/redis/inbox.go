package redis

import "sync"

// messageSize is what a waiting message counts beside its bytes.
const messageSize = 128

// An inbox is what waits to be received for one subject. So the line is read at all
// times, and its pings are answered.
type inbox struct {
	max int // immutable; bytes

	mu      sync.Mutex // guards the rest
	news    *sync.Cond
	waiting []string
	bytes   int
	dropped int
	closed  bool
}

func newInbox(max int) *inbox {
	b := &inbox{max: max}
	b.news = sync.NewCond(&b.mu)
	return b
}

// put adds a message, or drops it if too much waits. One always has room.
func (b *inbox) put(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := len(text) + messageSize
	if b.bytes > 0 && b.bytes+size > b.max {
		b.dropped++
		return
	}
	b.waiting = append(b.waiting, text)
	b.bytes += size
	b.news.Signal()
}

// empty passes on what comes until the inbox closes. It is called by one goroutine.
func (b *inbox) empty(receive func(data []byte)) {
	for {
		text, ok := b.next()
		if !ok {
			return
		}
		receive([]byte(text))
		b.done(text)
	}
}

func (b *inbox) next() (text string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) == 0 && !b.closed {
		b.news.Wait()
	}
	if b.closed {
		return "", false
	}
	text = b.waiting[0]
	b.waiting[0] = ""
	b.waiting = b.waiting[1:]
	return text, true
}

// done makes room: what is being received counts as waiting.
func (b *inbox) done(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= len(text) + messageSize
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
