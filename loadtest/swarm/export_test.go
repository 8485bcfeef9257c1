package swarm

import "github.com/roost-rt/roost/loadtest/order"

// What tests outside look at.
type (
	Ledger  = ledger
	Receipt = receipt
)

const (
	InOrder   = inOrder
	Reordered = reordered
	Duplicate = duplicate
)

var (
	AppendPayload = appendPayload
	Spell         = spell
	Without       = without
)

func (l *ledger) Receive(n int32) receipt      { return l.receive(n) }
func (l *ledger) Lost(sent int32) []order.Span { return l.lost(sent) }
