package pubsub

import (
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

	// From is a subscriber that is left out, or nil: the sender of a broadcast
	// that is not meant for itself or that it has taken already.
	From Subscriber

	holders   atomic.Int32 // shards that it waits in
	encodings encodings
}

// size is what the message counts while it waits, in bytes.
func (m *Message) size() int64 {
	return int64(len(m.Topic) + len(m.Event) + len(m.Payload) + overhead)
}

// Encoded returns what encode makes of the message for the given key, and calls
// it only the first time. Keys are what tells encodings apart: the serializer.
func (m *Message) Encoded(key any, encode func(*Message) []byte) []byte {
	m.encodings.mu.Lock()
	defer m.encodings.mu.Unlock()
	return m.encodings.get(key, func() []byte { return encode(m) })
}

// A Batch is messages of one topic in the order of publication, which waited
// for the same turn of a shard.
type Batch struct {
	Messages []*Message

	encodings encodings // of all messages together; used by one turn at a time, so without its lock
}

// From reports whether a message of the batch leaves s out.
func (b *Batch) From(s Subscriber) bool {
	for _, m := range b.Messages {
		if m.From == s {
			return true
		}
	}
	return false
}

// Encoded returns the encodings of all messages in a row, made once for each
// key, so that what waits for a subscriber leaves in one write.
func (b *Batch) Encoded(key any, encode func(*Message) []byte) []byte {
	return b.encodings.get(key, func() []byte {
		if len(b.Messages) == 1 {
			return b.Messages[0].Encoded(key, encode)
		}
		var all []byte
		for _, m := range b.Messages {
			all = append(all, m.Encoded(key, encode)...)
		}
		return all
	})
}

// encodings are a few values by key: one for each serializer in use.
type encodings struct {
	mu   sync.Mutex // held by Message while it encodes: the others need the result anyway
	list []encoding
	room [1]encoding // of list at first: most audiences speak one version
}

type encoding struct {
	key   any
	bytes []byte
}

func (e *encodings) get(key any, encode func() []byte) []byte {
	for i := range e.list {
		if e.list[i].key == key {
			return e.list[i].bytes
		}
	}
	bytes := encode()
	if e.list == nil {
		e.list = e.room[:0]
	}
	e.list = append(e.list, encoding{key, bytes})
	return bytes
}
