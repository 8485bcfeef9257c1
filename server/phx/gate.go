package phx

import (
	"encoding/json"
	"fmt"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/wire"
)

// encode makes the body of a message from what an application gave. Everything
// that an application sends to clients comes through here, with its names: topic,
// event or status.
func (lent *services) encode(v any, names ...string) (wire.Payload, error) {
	p, err := marshal(v)
	if err == nil {
		err = lent.checkPayload(p, names...)
	}
	return p, err
}

// check is the gate of all that leaves the server: what is too large or, as text,
// no UTF-8 would make browsers hang up. (json.Marshal passes on what
// json.RawMessage and MarshalJSON methods give it.)
func (lent *services) checkPayload(p wire.Payload, names ...string) error {
	size := len(p.Data)
	for _, name := range names {
		size += len(name)
	}
	if size > lent.cfg.MaxPayload {
		return fmt.Errorf("%w: %d bytes, Config.MaxPayload is %d", ErrTooLarge, size, lent.cfg.MaxPayload)
	}
	return wire.CheckUTF8(p, names...)
}

// inspect is the gate for broadcasts of other nodes, which may be broken, or run
// something else.
func (lent *services) inspect(m *pubsub.Message) error {
	p := payloadOf(m).body
	if err := lent.checkPayload(p, m.Topic, m.Event); err != nil {
		return err
	}
	if err := wire.CheckJSON(p); err != nil {
		return err
	}
	return wire.CheckBroadcast(m.Topic, m.Event, p)
}

func marshal(v any) (wire.Payload, error) {
	switch v := v.(type) {
	case nil:
		return wire.Payload{}, nil
	case Payload:
		return v.body, nil
	case Binary:
		return wire.Payload{Data: v, Binary: true}, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return wire.Payload{}, fmt.Errorf("encode payload: %w", err)
	}
	return wire.Payload{Data: data}, nil
}
