// Package packet makes what transports carry: messages in the form that a transport
// writes, a WebSocket frame or a string of a long-poll answer.
//
// It knows no sockets and does no I/O. A [Codec] is safe for concurrent use.
package packet

import (
	"cmp"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/wire"
)

// A Codec is a serializer as the sockets of an endpoint use it, with the form of
// their packets. Broadcasts are encoded once for each.
type Codec struct {
	wire.Serializer // nil for sockets without channels

	// Broadcast makes the packet of a broadcast. For a message that the version
	// cannot express it is nil: who speaks it is skipped, neither the publisher nor
	// the others are (spec §2.1). It is a field lest each use make a closure.
	Broadcast func(*pubsub.Message) []byte

	log      *slog.Logger
	foreign  bool                                     // see Foreign
	used     atomic.Bool                              // see Use
	deflater *frame.Deflater                          // nil: no compression
	minSize  int                                      // of what is compressed, in bytes
	pack     func(message []byte, binary bool) []byte // frame or quote
}

// An Append appends a message and says whether it is binary: a method of a
// serializer with its arguments.
type Append func(dst []byte) (out []byte, binary bool, err error)

// Deflates reports whether the form is Deflated.
func (c *Codec) Deflates() bool { return c.deflater != nil }

// Foreign reports whether the serializer is the application's, which may wait or
// compute for long: it must not be called on an event loop, nor with a lock held that
// others wait for.
func (c *Codec) Foreign() bool { return c.foreign }

// Use notes that a socket is about to use the codec of a foreign serializer.
func (c *Codec) Use() {
	if c.foreign { // else nobody asks
		c.used.Store(true)
	}
}

// Used reports whether a socket has used the codec.
func (c *Codec) Used() bool { return c.used.Load() }

// Encode gives the packet of one message to send, which must not keep it. It fails
// as append or send do.
func (c *Codec) Encode(append Append, send func(packet []byte) error) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	out, binary, err := append((*buf)[:frame.MaxHeader])
	if err != nil {
		return err
	}
	if cap(out) <= 64<<10 { // let go of what a rare big one needed
		*buf = out[:0]
	}
	return send(c.pack(out, binary))
}

// Control gives a control frame to send, which must not keep it.
func Control(op ws.OpCode, payload []byte, send func(frame []byte) error) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	return send(frame.Append((*buf)[:0], op, payload))
}

// scratch is buffers to encode messages in. They hold no state, so sharing them
// between all endpoints of a process is harmless.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

func (c *Codec) broadcast(m *pubsub.Message) []byte {
	room := make([]byte, frame.MaxHeader, frame.MaxHeader+len(m.Topic)+len(m.Event)+len(m.Payload)+64)
	out, binary, err := c.AppendBroadcast(room, m.Topic, m.Event, wire.Payload{Data: m.Payload, Binary: m.Binary})
	if err != nil {
		if !errors.Is(err, wire.ErrBinaryUnsupported) { // the others were checked before publishing
			c.log.Error("encode broadcast", "topic", m.Topic, "event", m.Event, "version", c.Version(), "err", err)
		}
		return nil
	}
	return c.pack(out, binary)
}

// frame makes a frame of a message. out has frame.MaxHeader bytes of room at its
// beginning for the header. Compressed bytes come to lie behind the message.
func (c *Codec) frame(out []byte, binary bool) []byte {
	op := ws.OpText
	if binary {
		op = ws.OpBinary
	}
	n := len(out) - frame.MaxHeader
	if c.deflater != nil && n >= c.minSize {
		both, err := c.deflater.Append(out, op, out[frame.MaxHeader:])
		if err == nil {
			return both[len(out):]
		}
		c.log.Error("compress", "err", err) // phx checks the level at start: not reached
	}
	out = out[frame.MaxHeader-frame.HeaderLen(n):]
	frame.PutHeader(out, op, n)
	return out
}

// quote makes a string of a message, as in the body of an answer, and a comma. out
// is as for frame. There is no way for binary messages to reach who polls (spec
// §3.6): their packets are empty, and not nil.
func quote(out []byte, binary bool) []byte {
	if binary {
		return []byte{}
	}
	text, _ := json.Marshal(string(out[frame.MaxHeader:])) // a string: it cannot fail
	return append(text, ',')
}

// A Form is the form of packets.
type Form uint8

// The forms.
const (
	Framed   Form = iota // a WebSocket frame
	Deflated             // a WebSocket frame, compressed if the message is large
	Quoted               // a JSON string with a comma behind it, or nothing for a binary message
	Forms                // how many there are
)

// Deflate is how messages are compressed in the form Deflated.
type Deflate struct {
	Level   int // see frame.Deflater
	MinSize int // of a message that is compressed, in bytes. Zero means 128.
}

// New makes a codec. deflate counts in the form Deflated only.
func New(log *slog.Logger, s wire.Serializer, f Form, deflate Deflate) *Codec {
	c := &Codec{Serializer: s, log: log, foreign: s != nil && !ours(s)}
	if c.foreign {
		c.Serializer = apart{s}
	}
	c.Broadcast, c.pack = c.broadcast, c.frame
	switch f {
	case Deflated:
		c.deflater = &frame.Deflater{Level: deflate.Level}
		c.minSize = cmp.Or(deflate.MinSize, 128)
	case Quoted:
		c.pack = quote
	}
	return c
}
