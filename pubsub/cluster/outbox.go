package cluster

import (
	"cmp"
	"encoding/binary"
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

// repeats is for how many beats a row that has changed is told: only who misses so many
// asks for the table.
const repeats = silence

// A letter is an envelope on its way to the carrier.
type letter struct {
	kind    kind
	bucket  uint16 // of a broadcast
	number  uint64 // of a broadcast, in data; of what tells a table, its edition
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
	buckets   [buckets]bucket
	kept      []uint16 // buckets of the broadcasts that are kept, oldest first
	keptBytes int
	open      bool

	edition uint64 // of the last table that was put
	changed uint64 // the one that rows have changed for last
	told    uint64 // the last one that has left: all before it has, too
}

// A bucket is the broadcasts to the topics of one bucket. They have numbers of their
// own, from 1 on.
type bucket struct {
	put     uint64 // so many were put into the outbox, or dropped for want of room
	sent    uint64 // so many of those have left it
	waiting int    // letters
	kept    []letter
	last    time.Time // when the last one was put
	changed uint64    // edition of the table that tells of it first
}

func newOutbox(max, maxKept int) *outbox {
	return &outbox{max: max, maxKept: maxKept, wake: make(chan struct{}, 1), edition: 1, changed: 1, told: 1}
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
		b := &o.buckets[l.bucket]
		b.put++
		b.last, l.number = l.since, b.put
		b.changed, o.changed = o.edition+1, o.edition+1
		setNumber(l.data, l.number)
		if !full {
			b.waiting++
		} else if b.waiting == 0 {
			b.sent = b.put
		}
	}
	if !full {
		o.addLocked(l)
	}
	return !full, nil
}

// putNotice adds what is no message, but tells the numbers of the next broadcasts: all, or,
// in a pulse, those that have changed within a few beats. It has to be there in time, so
// there is always room for it. It adds pulses before it for what is more than room bytes.
func (o *outbox) putNotice(l letter, room int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.edition++
	since := uint64(0)
	piece := l
	piece.data = append(slices.Clip(l.data), 0) // since edition 0
	piece.data[kindAt] = byte(pulse)
	if l.kind == pulse {
		since = min(o.changed, max(o.edition, repeats+1)-repeats)
		l.data = binary.AppendUvarint(l.data, since)
	}
	l.number = o.edition
	setNumber(l.data, l.number)
	all := pieces(o.rowsLocked(since, func(b *bucket) uint64 { return b.put }), room)
	for _, rows := range all[:len(all)-1] {
		one := piece
		one.data = append(slices.Clip(piece.data), rows...)
		o.addLocked(one)
	}
	l.data = append(l.data, all[len(all)-1]...)
	o.addLocked(l)
}

// table is the numbers of the next broadcasts that are handed to the carrier, and its
// edition.
func (o *outbox) table() (rows []row, edition uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rowsLocked(0, func(b *bucket) uint64 { return b.sent }), o.told
}

// rowsLocked are the rows that have changed since an edition.
func (o *outbox) rowsLocked(since uint64, before func(*bucket) uint64) (rows []row) {
	now := time.Now()
	for i := range o.buckets {
		if b := &o.buckets[i]; before(b) > 0 && b.changed > since {
			rows = append(rows, row{uint16(i), before(b) + 1, now.Sub(b.last)})
		}
	}
	return rows
}

// rows is table for some buckets only.
func (o *outbox) rows(some []uint16) (rows []row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for _, i := range some {
		if b := &o.buckets[i]; b.sent > 0 {
			rows = append(rows, row{i, b.sent + 1, now.Sub(b.last)})
		}
	}
	return rows
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

// pop takes away the oldest letter. If it was sent and is a broadcast, it is kept
// for a while as it was sent.
func (o *outbox) pop(sent bool, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := dequeue(&o.letters)
	o.bytes -= l.size()
	l.data = data
	if l.kind != broadcast {
		o.told = max(o.told, l.number)
		return
	}
	b := &o.buckets[l.bucket]
	if b.waiting--; b.waiting > 0 {
		b.sent = l.number
	} else {
		b.sent = b.put // those that were dropped since, too
	}
	if !sent {
		return
	}
	b.kept = append(b.kept, l)
	o.kept = append(o.kept, l.bucket)
	for o.keptBytes += l.size(); o.keptBytes > o.maxKept; {
		o.expelLocked()
	}
}

// expelLocked gives up the oldest broadcast of all that are kept.
func (o *outbox) expelLocked() {
	l := dequeue(&o.buckets[o.kept[0]].kept)
	o.kept = o.kept[1:]
	o.keptBytes -= l.size()
}

// expire gives up what has been kept since before a time.
func (o *outbox) expire(before time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.kept) > 0 && o.buckets[o.kept[0]].kept[0].since.Before(before) {
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
func (o *outbox) look(q question, now time.Time) (v verdict, part []letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := &o.buckets[q.bucket]
	v = verdict{question: q, next: b.sent + 1}
	end := min(q.until, v.next)
	for i, size := q.begin(b.kept, now), 0; i < len(b.kept) && b.kept[i].number < end && size < repairSize; i++ {
		part = append(part, b.kept[i])
		size += b.kept[i].size()
	}
	if len(part) == 0 {
		v.first, v.upTo = end, end
		return v, nil
	}
	v.first, v.upTo = part[0].number, part[len(part)-1].number+1
	return v, part
}

// begin is where in kept the answer to a question begins.
func (q *question) begin(kept []letter, now time.Time) int {
	if q.from == 0 {
		since := now.Add(-q.age)
		i, _ := slices.BinarySearchFunc(kept, since, func(l letter, t time.Time) int { return l.since.Compare(t) })
		return i
	}
	i, _ := slices.BinarySearchFunc(kept, q.from, func(l letter, n uint64) int { return cmp.Compare(l.number, n) })
	return i
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
