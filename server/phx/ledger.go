package phx

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// A Cause is why the server ended connections of clients that did not want it.
type Cause string

const (
	// SlowConsumer: the client did not read what it was sent; see
	// Config.OutboundMax and WriteTimeout.
	SlowConsumer Cause = "slow consumer"

	// MailboxFull: a broadcast did not fit into a mailbox; see Mount.MailboxMax.
	MailboxFull Cause = "mailbox full"

	// IdleTimeout: nothing came from the client; see Mount.Idle.
	IdleTimeout Cause = "idle timeout"

	// BrokenProtocol: what came was no frame or message that the mount takes.
	BrokenProtocol Cause = "protocol error"

	// SlowMessage: a message took too long to come; see Config.IncomingRate.
	SlowMessage Cause = "slow message"

	// NoRoom: messages of too many clients were on their way at a time; see
	// Config.IncomingMax.
	NoRoom Cause = "no room"

	// RateLimited: the client went on sending beyond Mount.Rates.
	RateLimited Cause = "rate limited"
)

// A CutCount is how many connections the server has ended for a cause.
type CutCount struct {
	Cause   Cause  `json:"cause"`
	Mount   string `json:"mount"`   // Mount.Path
	Pattern string `json:"pattern"` // the route of the client's oldest channel, "" if it had none
	Count   int    `json:"count"`
}

// A Debtor is a client that has not taken all that it was sent.
type Debtor struct {
	ID      string        `json:"id"` // see Socket.SetID
	Mount   string        `json:"mount"`
	Remote  string        `json:"remote"`
	Waiting int           `json:"waiting"`  // bytes
	Quiet   time.Duration `json:"quiet_ns"` // since its kernel last took some, to a second
}

// A Ledger is what is owed to clients now, and who was ended for what.
type Ledger struct {
	Cuts        []CutCount `json:"cuts"`         // since the start, most first
	Backlog     int64      `json:"backlog"`      // bytes that wait for clients, shared ones counted once
	BacklogMax  int64      `json:"backlog_max"`  // Config.BacklogMax
	Incoming    int64      `json:"incoming"`     // bytes held of messages and requests that are not whole or not decoded yet
	IncomingMax int64      `json:"incoming_max"` // Config.IncomingMax
	Debtors     []Debtor   `json:"debtors"`      // WebSockets to which most is owed, at most ten
}

// statusTryAgainLater is of the IANA registry for RFC 6455 §11.7.
const statusTryAgainLater ws.StatusCode = 1013

// maxDebtors is how many connections a Ledger names.
const maxDebtors = 10

// Ledger looks at the connections that are owed something; the others cost
// nothing. Like Stats it must not be called by telemetry hooks.
func (ep *Endpoint) Ledger() Ledger {
	l := Ledger{Cuts: ep.cuts.list(), Debtors: []Debtor{}}
	l.Backlog, l.BacklogMax = ep.poller.Backlog()
	l.Incoming, l.IncomingMax = ep.incoming.held.Load(), ep.incoming.max
	var mu sync.Mutex
	ep.poller.EachOwing(func(c *poller.Conn, o poller.Owed) {
		s := socketOf(c)
		if s == nil {
			return
		}
		d := Debtor{ID: s.ID(), Mount: s.mount.Path, Remote: s.RemoteAddr(), Waiting: o.Waiting, Quiet: o.Quiet}
		mu.Lock()
		defer mu.Unlock()
		l.Debtors = append(l.Debtors, d)
		if len(l.Debtors) >= 2*maxDebtors {
			l.Debtors = worst(l.Debtors)
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

// cuts count the connections that the server has ended.
type cuts struct {
	mu    sync.Mutex
	count map[CutCount]int // by all but Count
}

func (c *cuts) add(s *Socket, cause Cause) {
	cut := CutCount{Cause: cause, Mount: s.mount.Path, Pattern: s.pattern()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = make(map[CutCount]int)
	}
	c.count[cut]++
}

func (c *cuts) list() []CutCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]CutCount, 0, len(c.count))
	for cut, n := range c.count {
		cut.Count = n
		all = append(all, cut)
	}
	slices.SortFunc(all, func(a, b CutCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Mount, b.Mount), cmp.Compare(a.Pattern, b.Pattern))
	})
	return all
}

// pattern is the route of the oldest channel, "" if there is none.
func (s *Socket) pattern() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels.first == nil {
		return ""
	}
	return s.channels.first.route().Pattern
}

// lastWord tells a slow consumer why it is closed, and the operator; see
// poller.Leaver. The code is "try again later".
func (s *Socket) lastWord(why *poller.SlowConsumerError) []byte {
	s.mu.Lock()
	s.closing = true
	s.endLocked()
	s.mu.Unlock()
	s.mount.log.Warn("slow consumer closed", "mount", s.mount.Path, "id", s.ID(), "remote", s.RemoteAddr(),
		"waiting", why.Waiting, "quiet", why.Quiet)
	return frame.AppendClose(nil, statusTryAgainLater, "slow consumer")
}

// cut closes the connection and counts it, once: more of the same may have come.
func (s *Socket) cut(code ws.StatusCode, reason string, cause Cause) {
	if s.close(code, reason, Closed) {
		s.mount.cuts.add(s, cause)
	}
}

// countEnd enters the end of a connection in the ledger, if the server has ended
// it for the client's sake or the others'. It comes before the channels are let go.
func (s *Socket) countEnd(err error) {
	switch cuts := &s.mount.cuts; {
	case errors.Is(err, poller.ErrSlowConsumer):
		cuts.add(s, SlowConsumer)
	case errors.Is(err, ErrMailboxFull):
		cuts.add(s, MailboxFull)
	}
}
