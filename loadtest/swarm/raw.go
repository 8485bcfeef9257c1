package swarm

import (
	"bytes"
	"fmt"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// rawEchoHead is what pings and their answers begin with: they are of a writer
// that no room has.
var rawEchoHead = []byte(`{"w":0,`)

// heartbeatFrame is what all clients send from time to time.
func heartbeatFrame(o order.Orders) []byte {
	if o.Raw {
		return frame.AppendMasked(nil, opPing, mask, nil)
	}
	return clientFrame(`[null,"2","phoenix","heartbeat",{}]`)
}

// join asks to join. A plain server has nothing to answer.
func (c *client) join(conn *poller.Conn) {
	if c.group.fleet.orders.Raw {
		c.reply(conn, true, c.group.fleet.now())
		return
	}
	_ = conn.SendShared(c.group.join) // if it fails, Closed follows
}

// rawMessage takes what a plain server sent.
func (c *client) rawMessage(text []byte, now int64) {
	if bytes.HasPrefix(text, rawEchoHead) {
		c.group.fleet.echoed(c, text, now)
		return
	}
	if s, ok := parseStamp(text); ok {
		c.broadcast(s, now)
	}
}

// opening is what a message has before its payload, and closing adds what it
// has after it.
func (f *fleet) opening(ref, topic, event string) []byte {
	text := make([]byte, 0, 512)
	if f.orders.Raw {
		return text
	}
	return fmt.Appendf(text, `["1",%q,%q,%q,`, ref, topic, event)
}

func (f *fleet) closing(text []byte) []byte {
	if f.orders.Raw {
		return text
	}
	return append(text, ']')
}
