package swarm

import (
	"fmt"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/frame"
)

// heartbeatFrame returns the frame that all clients send from time to time.
func heartbeatFrame(o order.Orders) []byte {
	if o.Raw {
		return frame.AppendMasked(nil, opPing, mask, nil)
	}
	return clientFrame(`[null,"2","phoenix","heartbeat",{}]`)
}

// heartbeatReply is how most servers answer it.
var heartbeatReply = []byte(`[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]`)

// join asks to join. A plain server has nothing to answer.
func (c *client) join(conn connection) {
	if c.group.fleet.orders.Raw {
		c.admitted(conn, channels.Answer{Status: "ok"}, c.group.fleet.now())
		return
	}
	_ = conn.SendShared(c.group.join) // if it fails, closed follows
}

// rawMessage takes what a plain server sent.
func (c *client) rawMessage(text []byte, now int64) {
	s, ok := channels.FindStamp(text)
	switch {
	case !ok:
		c.group.fleet.unreadable(text)
	case s.Writer == nobody:
		c.group.fleet.echoed(c, s, now)
	default:
		c.broadcast(s, now)
	}
}

// opening returns the part of a message before its payload; closing adds the part after
// it.
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
