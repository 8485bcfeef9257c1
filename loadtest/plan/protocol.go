package plan

import (
	"errors"
	"fmt"
)

// Protocols that clients speak over their WebSockets.
const (
	Phoenix = "phoenix" // Channels, version 2.0.0

	// Raw is plain WebSocket: a client has joined when it is upgraded, a message is
	// the bare payload, a heartbeat is a ping (RFC 6455 §5.5.2). The server sends
	// each text to all clients, or in Echo back to the one that sent it.
	Raw = "raw"
)

// noTopics is why some scenarios need Phoenix.
const noTopics = "plain WebSocket has no topics to join and leave"

// checkProtocol finds what cannot be meant.
func (c Config) checkProtocol() error {
	switch c.Protocol {
	case "", Phoenix:
		return nil
	case Raw:
		if why := c.Scenario.kind().noRaw; why != "" {
			return fmt.Errorf("%s: %s", c.Scenario, why)
		}
		return nil
	}
	return errors.New("protocol: want " + Phoenix + " or " + Raw)
}
