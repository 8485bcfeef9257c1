package phx

import (
	"errors"
	"fmt"
)

// A Budget is what all clients of an endpoint share, and how much of it is in use.
type Budget struct {
	Name string `json:"name"` // "connections", "incoming bytes", "mailbox bytes" or "outbound bytes"
	Used int64  `json:"used"`
	Max  int64  `json:"max"` // 0: there is no limit
}

// Budgets are looked at, not counted: asking often is fine.
func (ep *Endpoint) Budgets() []Budget {
	outbound, outboundMax := ep.poller.Backlog()
	return []Budget{
		{"connections", int64(ep.conns()), int64(ep.admission.max)},
		{"incoming bytes", ep.incoming.held.Load(), ep.incoming.max},
		{"mailbox bytes", ep.workers.LaneBytes(), int64(ep.cfg.MailboxesMax)},
		{"outbound bytes", outbound, outboundMax},
	}
}

// ErrDraining is why an endpoint is not ready after Shutdown was called.
var ErrDraining = errors.New("draining")

// Ready says why a load balancer should send nobody here at the moment: the
// endpoint drains, or one of its Budgets is used up. Nil means that clients are
// welcome.
func (ep *Endpoint) Ready() error {
	if ep.Draining() {
		return ErrDraining
	}
	for _, b := range ep.Budgets() {
		if b.Max > 0 && b.Used >= b.Max {
			return fmt.Errorf("%s: %d of %d in use", b.Name, b.Used, b.Max)
		}
	}
	return nil
}
