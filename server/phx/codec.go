package phx

import (
	"errors"
	"sync"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/wire"
)

// A codec is a serializer as the sockets of an endpoint use it. One codec
// stands for one version: broadcasts are encoded once for each.
type codec struct {
	wire.Serializer
	endpoint *Endpoint
	fast     func(*pubsub.Message) []byte // fastlane, bound once
}

func newCodec(s wire.Serializer, ep *Endpoint) *codec {
	c := &codec{Serializer: s, endpoint: ep}
	c.fast = c.fastlane
	return c
}

// codec returns the codec that a client asks for, or nil if there is none.
func (ep *Endpoint) codec(params Params) *codec {
	vsn, given := params["vsn"]
	text, ok := vsn.(string)
	if given && (!ok || text == "") {
		return nil
	}
	serializer, ok := wire.ForVersion(text)
	if !ok {
		return nil
	}
	return ep.codecs[serializer.Version()]
}

// fastlane makes the whole frame of a broadcast, WebSocket header included. A
// message that the version cannot express is nil: who speaks it is skipped,
// neither the publisher nor the others are (spec §2.1).
func (c *codec) fastlane(m *pubsub.Message) []byte {
	room := make([]byte, frame.MaxHeader, frame.MaxHeader+len(m.Topic)+len(m.Event)+len(m.Payload)+64)
	out, binary, err := c.AppendBroadcast(room, m.Topic, m.Event, wire.Payload{Data: m.Payload, Binary: m.Binary})
	if err != nil {
		if !errors.Is(err, wire.ErrBinaryUnsupported) { // the others were checked before publishing
			c.endpoint.log.Error("encode broadcast", "topic", m.Topic, "event", m.Event, "version", c.Version(), "err", err)
		}
		return nil
	}
	return withHeader(out, binary)
}

// withHeader puts a frame header before the payload, for which out has
// frame.MaxHeader bytes of room at its beginning.
func withHeader(out []byte, binary bool) []byte {
	op := ws.OpText
	if binary {
		op = ws.OpBinary
	}
	n := len(out) - frame.MaxHeader
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
	out, binary, err := append((*buf)[:frame.MaxHeader])
	if err != nil {
		return err
	}
	if cap(out) <= 64<<10 { // let go of what a rare big one needed
		*buf = out[:0]
	}
	if s.conn.Send(withHeader(out, binary)) != nil {
		return ErrClosed
	}
	return nil
}

// write sends one control frame.
func (s *Socket) write(op ws.OpCode, payload []byte) {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	_ = s.conn.Send(frame.Append((*buf)[:0], op, payload)) // Closed tells
}
