package phx

import (
	"cmp"
	"errors"
	"log/slog"
	"reflect"
	"sync"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/wire"
)

// A codec is a serializer as the sockets of an endpoint use it, with the form of
// their packets. Broadcasts are encoded once for each.
type codec struct {
	wire.Serializer // nil for sockets without channels
	log             *slog.Logger
	deflater        *frame.Deflater                          // nil: no compression
	minSize         int                                      // of what is compressed, in bytes
	fast            func(*pubsub.Message) []byte             // fastlane, bound once
	pack            func(message []byte, binary bool) []byte // makes a packet; see codec.frame
}

// A form is what the packets of a transport look like.
type form uint8

const (
	framed   form = iota // WebSocket frames
	deflated             // WebSocket frames, those of large messages compressed
	quoted               // elements of a JSON array; see quote
)

// A codecKey tells codecs apart.
type codecKey struct {
	serializer any // what cannot be compared is known by its type
	form       form
	deflate    Deflate // of the form deflated
}

// codecs are those of an endpoint.
type codecs map[codecKey]*codec

// get returns the codec for a serializer, a form, and a mount's compression, which
// is not nil where the form is deflated.
func (all codecs) get(log *slog.Logger, s wire.Serializer, f form, deflate *Deflate) *codec {
	key := codecKey{serializer: s, form: f}
	if s != nil && !reflect.TypeOf(s).Comparable() {
		key.serializer = reflect.TypeOf(s)
	}
	if f == deflated {
		key.deflate = *deflate
	}
	if all[key] == nil {
		all[key] = newCodec(log, s, key)
	}
	return all[key]
}

func newCodec(log *slog.Logger, s wire.Serializer, key codecKey) *codec {
	c := &codec{Serializer: s, log: log}
	c.fast, c.pack = c.fastlane, c.frame
	switch key.form {
	case deflated:
		c.deflater = &frame.Deflater{Level: key.deflate.Level}
		c.minSize = cmp.Or(key.deflate.MinSize, 128)
	case quoted:
		c.pack = quote
	}
	return c
}

// fastlane makes the packet of a broadcast. For a message that the version cannot
// express it is nil: who speaks it is skipped, neither the publisher nor the
// others are (spec §2.1).
func (c *codec) fastlane(m *pubsub.Message) []byte {
	room := make([]byte, frame.MaxHeader, frame.MaxHeader+len(m.Topic)+len(m.Event)+len(m.Payload)+64)
	out, binary, err := contained(func(dst []byte) ([]byte, bool, error) {
		return c.AppendBroadcast(dst, m.Topic, m.Event, wire.Payload{Data: m.Payload, Binary: m.Binary})
	}, room)
	if err != nil {
		if !errors.Is(err, wire.ErrBinaryUnsupported) { // the others were checked before publishing
			c.log.Error("encode broadcast", "topic", m.Topic, "event", m.Event, "version", c.Version(), "err", err)
		}
		return nil
	}
	return c.pack(out, binary)
}

// frame makes a frame of a message, for which out has frame.MaxHeader bytes of
// room at its beginning. What is compressed comes to lie behind it.
func (c *codec) frame(out []byte, binary bool) []byte {
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
		c.log.Error("compress", "err", err) // Config.check knows the levels: not reached
	}
	out = out[frame.MaxHeader-frame.HeaderLen(n):]
	frame.PutHeader(out, op, n)
	return out
}

// scratch is buffers to encode messages in. They hold no state, so sharing them
// between all endpoints of a process is harmless.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// encode sends one message that append appends.
func (s *Socket) encode(append func(dst []byte) (out []byte, binary bool, err error)) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	out, binary, err := contained(append, (*buf)[:frame.MaxHeader])
	if err != nil {
		return err
	}
	if cap(out) <= 64<<10 { // let go of what a rare big one needed
		*buf = out[:0]
	}
	return s.send(s.codec.pack(out, binary))
}

// contained calls append, which may be a serializer of the application's: locks
// are held, so a panic must be an error here.
func contained(append func(dst []byte) ([]byte, bool, error), dst []byte) (out []byte, binary bool, err error) {
	defer contain(&err)
	return append(dst)
}

func (s *Socket) send(packets []byte) error {
	if s.transport.Send(packets) != nil {
		return ErrClosed
	}
	return nil
}

// write sends one control frame over a WebSocket.
func (s *Socket) write(op ws.OpCode, payload []byte) {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	_ = s.conn().Send(frame.Append((*buf)[:0], op, payload)) // Closed tells
}
