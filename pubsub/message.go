package pubsub

import (
	"iter"
	"sync"
	"sync/atomic"
)

// A Message is one broadcast. It must not be changed once published; a Message
// must not be copied.
type Message struct {
	Topic, Event string

	// Payload is JSON text, or raw bytes when Binary.
	Payload []byte
	Binary  bool

	// From is a subscriber to leave out, or nil: the sender of a broadcast that should
	// not go to itself, or that it has taken already.
	From Subscriber

	holders atomic.Int32 // parts of its topic that it waits in

	mu      sync.Mutex               // held while it is encoded: the others need the result anyway
	encoded atomic.Pointer[encoding] // the latest of a list; changed under mu, read without
}

// An encoding holds the bytes of a message for the subscribers with one key, as an item
// of a list.
type encoding struct {
	key   any
	bytes []byte
	next  *encoding
}

func (e *encoding) find(key any) *encoding {
	for e != nil && e.key != key {
		e = e.next
	}
	return e
}

// size returns the bytes that the message counts while it waits.
func (m *Message) size() int64 {
	return int64(len(m.Topic) + len(m.Event) + len(m.Payload) + overhead)
}

// Encoded returns the result of encode for the message and the given key, and
// calls it only the first time. A key identifies an encoding: the serializer.
func (m *Message) Encoded(key any, encode func(*Message) []byte) []byte {
	if e := m.encoded.Load().find(key); e != nil {
		return e.bytes // without a lock: all processors call it for each delivery
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.encoded.Load()
	e := list.find(key)
	if e == nil {
		e = &encoding{key, encode(m), list}
		m.encoded.Store(e)
	}
	return e.bytes
}

// A Batch holds messages of one topic, in the order of publication, that waited
// for the same turn of a shard. One goroutine delivers it to one subscriber at
// a time.
type Batch struct {
	Messages []*Message

	first   int       // that was published since the subscriber came
	encoded *encoding // a list: the encodings of all messages together
}

// batchOf returns a batch of one message, with its list in one piece of memory.
func batchOf(m *Message) *Batch {
	b := &struct {
		Batch
		messages [1]*Message
	}{messages: [...]*Message{m}}
	b.Messages = b.messages[:]
	return &b.Batch
}

// For yields the messages for the subscriber to which the batch is being
// delivered: those published since it subscribed, except those whose From is
// me.
func (b *Batch) For(me any) iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for _, m := range b.Messages[b.first:] {
			if any(m.From) != me && !yield(m) {
				return
			}
		}
	}
}

// Whole reports whether For yields all messages.
func (b *Batch) Whole(me any) bool {
	if b.first > 0 {
		return false
	}
	for _, m := range b.Messages {
		if any(m.From) == me {
			return false
		}
	}
	return true
}

// Encoded returns the encodings of all messages in a row, made once for each
// key, so that the messages waiting for a subscriber leave in one write. It is
// for subscribers that get the whole batch.
func (b *Batch) Encoded(key any, encode func(*Message) []byte) []byte {
	if e := b.encoded; e != nil && e.key == key { // nearly always
		return e.bytes
	}
	return b.encode(key, encode)
}

func (b *Batch) encode(key any, encode func(*Message) []byte) []byte {
	if e := b.encoded.find(key); e != nil {
		return e.bytes
	}
	if len(b.Messages) == 1 {
		m := b.Messages[0]
		all := m.Encoded(key, encode)
		b.encoded = m.encoded.Load()
		return all
	}
	var all []byte
	for _, m := range b.Messages {
		all = append(all, m.Encoded(key, encode)...)
	}
	b.encoded = &encoding{key, all, b.encoded}
	return all
}
