package phx

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// statusTryAgainLater is of the IANA registry for RFC 6455 §11.7.
const statusTryAgainLater ws.StatusCode = 1013

// A Cause says why the server ended a connection that its client wanted to
// keep.
type Cause string

const (
	// SlowConsumer: the client did not read what it was sent; see
	// Config.OutboundMax and WriteTimeout.
	SlowConsumer Cause = "slow consumer"

	// MailboxFull: a broadcast did not fit into a mailbox; see Mount.MailboxMax.
	MailboxFull Cause = "mailbox full"

	// IdleTimeout: nothing arrived from the client; see Mount.Idle.
	IdleTimeout Cause = "idle timeout"

	// BrokenProtocol: the client sent something that is not a frame or message that the
	// mount accepts.
	BrokenProtocol Cause = "protocol error"

	// SlowMessage: a message took too long to arrive; see Config.IncomingRate.
	SlowMessage Cause = "slow message"

	// NoRoom: too many clients were sending messages at the same time; see
	// Config.IncomingMax.
	NoRoom Cause = "no room"

	// RateLimited: the client kept sending beyond Mount.Rates.
	RateLimited Cause = "rate limited"
)

// A CutCount is the number of connections the server has ended for one cause.
type CutCount struct {
	Cause   Cause  `json:"cause"`
	Mount   string `json:"mount"`   // Mount.Path
	Pattern string `json:"pattern"` // the route of the client's oldest channel, "" if it had none
	Count   int    `json:"count"`
}

// cuts count the connections that the server has ended.
type cuts struct {
	mu    sync.Mutex
	count map[CutCount]int // by all but Count
}

// add counts one more. Its Count is zero.
func (c *cuts) add(cut CutCount) {
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

// count enters in the ledger that the server ends the connection. It comes before
// the channels are let go.
func (s *Socket) count(cause Cause) {
	s.mount.cuts.add(CutCount{Cause: cause, Mount: s.mount.Path, Pattern: s.pattern()})
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
	s.ending = isClosing
	s.endLocked()
	s.mu.Unlock()
	s.mount.log.Warn("slow consumer closed", "mount", s.mount.Path, "id", s.ID(), "remote", s.RemoteAddr(),
		"waiting", why.Waiting, "quiet", why.Quiet)
	return frame.AppendClose(nil, statusTryAgainLater, "slow consumer")
}

// cut closes the connection and counts it, once: more of the same may have come.
func (s *Socket) cut(code ws.StatusCode, reason string, cause Cause) {
	if s.close(code, reason, Closed) {
		s.count(cause)
	}
}

// countEnd enters the end of a connection in the ledger, if the server has ended
// it for the client's sake or the others'. It comes before the channels are let go.
func (s *Socket) countEnd(err error) {
	switch {
	case errors.Is(err, poller.ErrSlowConsumer):
		s.count(SlowConsumer)
	case errors.Is(err, ErrMailboxFull):
		s.count(MailboxFull)
	}
}
