package phx

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A Debtor is a client that has not yet taken everything sent to it.
type Debtor struct {
	ID      string        `json:"id"` // see Socket.SetID
	Mount   string        `json:"mount"`
	Remote  string        `json:"remote"`
	Waiting int           `json:"waiting"`  // bytes
	Quiet   time.Duration `json:"quiet_ns"` // since its kernel last took some, to a second
}

// A Ledger shows how much is owed to clients now, and which clients were cut
// and why.
type Ledger struct {
	Cuts        []CutCount `json:"cuts"`         // since the start, most first
	Backlog     int64      `json:"backlog"`      // bytes that wait for clients, counting shared ones once
	BacklogMax  int64      `json:"backlog_max"`  // Config.BacklogMax
	Incoming    int64      `json:"incoming"`     // bytes held of messages and requests that are not whole or not decoded yet
	IncomingMax int64      `json:"incoming_max"` // Config.IncomingMax
	Debtors     []Debtor   `json:"debtors"`      // WebSockets to which most is owed, at most ten
}

// maxDebtors is how many connections a Ledger names.
const maxDebtors = 10

// Ledger examines the connections to which something is owed; the others cost
// nothing. Like Stats it must not be called by telemetry hooks.
func (ep *Endpoint) Ledger() Ledger {
	l := Ledger{Cuts: ep.cuts.list(), Debtors: []Debtor{}}
	l.Backlog, l.BacklogMax = ep.poller.Backlog()
	l.Incoming, l.IncomingMax = ep.incoming.held.Load(), ep.incoming.max
	ep.looking.Lock()
	defer ep.looking.Unlock()
	var mu sync.Mutex
	least := 0 // what the last of those is owed that the ledger names
	ep.poller.EachOwing(func(c *poller.Conn, o poller.Owed) {
		s := socketOf(c)
		mu.Lock()
		defer mu.Unlock()
		if s == nil || o.Waiting <= least {
			return
		}
		l.Debtors = append(l.Debtors, Debtor{ID: s.ID(), Mount: s.mount.Path, Remote: s.RemoteAddr(), Waiting: o.Waiting, Quiet: o.Quiet})
		if len(l.Debtors) >= 2*maxDebtors {
			l.Debtors = worst(l.Debtors)
			least = l.Debtors[maxDebtors-1].Waiting
		}
	})
	l.Debtors = worst(l.Debtors)
	return l
}

// worst are those to whom most is owed.
func worst(debtors []Debtor) []Debtor {
	slices.SortFunc(debtors, func(a, b Debtor) int { return cmp.Compare(b.Waiting, a.Waiting) })
	return debtors[:min(len(debtors), maxDebtors)]
}
