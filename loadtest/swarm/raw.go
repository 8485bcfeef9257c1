package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// Protocols that clients speak over their WebSockets.
const (
	Phoenix = "phoenix" // Channels, version 2.0.0

	// Raw is plain WebSocket: a client has joined when it is upgraded, a message is
	// the bare payload, a heartbeat is a ping (RFC 6455 §5.5.2). The server sends
	// each text to all clients, or in Echo back to the one that sent it.
	Raw = "raw"
)

// rawEchoHead is what pings and their answers begin with: they are of a writer
// that no room has.
var rawEchoHead = []byte(`{"w":0,`)

// checkProtocol finds what cannot be meant.
func (c Config) checkProtocol() error {
	switch c.Protocol {
	case "", Phoenix:
		return nil
	case Raw:
		if c.Scenario == Rooms || c.Scenario == Churn {
			return fmt.Errorf("%s: plain WebSocket has no topics to join and leave", c.Scenario)
		}
		if c.Scenario == Burst {
			return errors.New("burst: a plain WebSocket is for pushes or for broadcasts, and this needs both")
		}
		return nil
	}
	return errors.New("protocol: want " + Phoenix + " or " + Raw)
}

// path is what clients ask for; channels is that of a Phoenix server. A plain
// one is asked for what the URL says, or for what it shall do.
func (c Config) path(channels string) string {
	if c.Protocol != Raw {
		return channels
	}
	if u, err := url.Parse(c.URL); err == nil && u.Path != "" && u.Path != "/" {
		return u.RequestURI()
	}
	if c.Scenario == Echo {
		return "/echo"
	}
	return "/chat"
}

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
