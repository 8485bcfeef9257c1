package cluster

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

// repairSize is about how many bytes of broadcasts are sent in answer to one
// question. The node asks for the next part when they have arrived.
const repairSize = 1 << 20

// letterSize is what a waiting letter counts beside its bytes.
const letterSize = 128

// A letter is an envelope on its way to the carrier.
type letter struct {
	kind    kind
	number  uint64 // in data: of this broadcast, or of the next
	subject string
	data    []byte
	since   time.Time
}

func (l *letter) size() int { return len(l.data) + letterSize }

// An outbox is the letters that wait for the link, oldest first. Of broadcasts
// that were sent it keeps the last ones, for those who ask for them.
type outbox struct {
	max     int           // immutable; bytes that may wait
	maxKept int           // immutable; bytes of broadcasts to keep
	wake    chan struct{} // holds one token when there may be something to do

	mu        sync.Mutex // guards the rest
	letters   []letter
	bytes     int
	kept      []letter
	keptBytes int
	number    uint64 // of the next broadcast
	open      bool
}

func newOutbox(max, maxKept int) *outbox {
	return &outbox{max: max, maxKept: maxKept, wake: make(chan struct{}, 1), number: 1}
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
	if !full {
		o.addLocked(l)
	}
	if l.kind == broadcast {
		o.number++
	}
	return !full, nil
}

// putNotice adds what is no message, but tells the number of the next broadcast.
// It has to be there in time, so there is always room for it.
func (o *outbox) putNotice(l letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addLocked(l)
}

func (o *outbox) addLocked(l letter) {
	l.number = o.number
	if l.kind != direct {
		setNumber(l.data, l.number)
	}
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

// pop takes away the oldest letter. If it was sent and is a broadcast, it is kept
// for a while.
func (o *outbox) pop(sent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := dequeue(&o.letters)
	o.bytes -= l.size()
	if !sent || l.kind != broadcast {
		return
	}
	o.kept = append(o.kept, l)
	for o.keptBytes += l.size(); o.keptBytes > o.maxKept; {
		o.expelLocked()
	}
}

func (o *outbox) expelLocked() {
	l := dequeue(&o.kept)
	o.keptBytes -= l.size()
}

// expire gives up what has been kept since before a time.
func (o *outbox) expire(before time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.kept) > 0 && o.kept[0].since.Before(before) {
		o.expelLocked()
	}
}

// dequeue takes the first letter of a queue that is not empty.
func dequeue(queue *[]letter) letter {
	q := *queue
	l := q[0]
	q[0] = letter{}
	*queue = q[1:]
	if len(q) == 1 {
		*queue = nil
	}
	return l
}

// look finds out what can be said to a question, and what of it is sent now: as
// much as has about repairSize bytes.
func (o *outbox) look(q question) (v verdict, part []letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v = verdict{question: q, next: o.sentLocked()}
	end := min(q.until, v.next)
	i, _ := slices.BinarySearchFunc(o.kept, q.from, func(l letter, n uint64) int { return cmp.Compare(l.number, n) })
	for size := 0; i < len(o.kept) && o.kept[i].number < end && size < repairSize; i++ {
		part = append(part, o.kept[i])
		size += o.kept[i].size()
	}
	if len(part) == 0 {
		v.first, v.upTo = end, end
		return v, nil
	}
	v.first, v.upTo = part[0].number, part[len(part)-1].number+1
	return v, part
}

// sent is the number of the next broadcast that is handed to the carrier.
func (o *outbox) sent() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sentLocked()
}

func (o *outbox) sentLocked() uint64 {
	if len(o.letters) > 0 {
		return o.letters[0].number
	}
	return o.number
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
