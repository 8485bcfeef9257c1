package cluster

import (
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

// letterSize is what a waiting letter counts beside its bytes.
const letterSize = 128

// A letter is an envelope on its way to NATS.
type letter struct {
	kind    kind
	subject string
	data    []byte
	since   time.Time
}

func (l *letter) size() int { return len(l.data) + letterSize }

// An outbox is the letters that wait for the link, oldest first.
type outbox struct {
	max  int           // immutable; bytes
	wake chan struct{} // holds one token when there may be something to do

	mu      sync.Mutex // guards the rest
	letters []letter
	bytes   int
	number  uint64 // of the next broadcast
	open    bool
}

func newOutbox(max int) *outbox {
	return &outbox{max: max, wake: make(chan struct{}, 1), number: 1}
}

// put adds a message. When too much waits already it fails with ErrOverloaded if
// the link is up: the publisher can try again. If it is down put reports false.
// The number of a broadcast is used up then: those who miss it shall know.
func (o *outbox) put(l letter, up bool) (taken bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	full := o.bytes > 0 && o.bytes+l.size() > o.max // one message always has room
	switch {
	case !o.open:
		return false, pubsub.ErrNotConnected
	case full && up:
		return false, pubsub.ErrOverloaded
	}
	if l.kind == broadcast {
		setNumber(l.data, o.number)
		o.number++
	}
	if full {
		return false, nil
	}
	o.addLocked(l)
	return true, nil
}

// putNotice adds what is no message, but tells the number of the next broadcast.
// It has to be there in time, so there is always room for it.
func (o *outbox) putNotice(l letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	setNumber(l.data, o.number)
	o.addLocked(l)
}

func (o *outbox) addLocked(l letter) {
	o.letters = append(o.letters, l)
	o.bytes += l.size()
	o.nudge()
}

// nudge wakes the goroutine that empties the outbox.
func (o *outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// head is the oldest letter. It stays.
func (o *outbox) head() (l letter, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.letters) == 0 {
		return letter{}, false
	}
	return o.letters[0], true
}

// pop takes away the oldest letter.
func (o *outbox) pop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= o.letters[0].size()
	o.letters[0] = letter{}
	o.letters = o.letters[1:]
	if len(o.letters) == 0 {
		o.letters = nil
	}
}

// clear throws away all letters and returns how many carried a message.
func (o *outbox) clear() (messages uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.letters {
		if l.kind.carries() {
			messages++
		}
	}
	o.letters, o.bytes = nil, 0
	return messages
}

// setOpen says whether messages are taken.
func (o *outbox) setOpen(open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = open
}

func (o *outbox) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}
