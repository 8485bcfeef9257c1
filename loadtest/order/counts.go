package order

import (
	"cmp"
	"maps"
)

// Counts holds the counts of a process since its start. They only ever grow.
type Counts struct {
	Connected    int64            `json:"connected"`              // upgraded, each time
	Disconnected int64            `json:"disconnected,omitempty"` // of these, that have ended
	Secured      int64            `json:"secured,omitempty"`      // TLS handshakes done, each time
	Resumed      int64            `json:"resumed,omitempty"`      // of these, that went on with a session of before
	Joined       int64            `json:"joined"`
	Sent         int64            `json:"sent"`
	Unsent       int64            `json:"unsent,omitempty"` // messages that could not be
	Delivered    int64            `json:"delivered"`
	Taken        int64            `json:"taken,omitempty"` // of these, by the kernel for a client
	Duplicated   int64            `json:"duplicated"`
	Reordered    int64            `json:"reordered"`
	Late         int64            `json:"late,omitempty"`
	Beats        int64            `json:"beats,omitempty"` // heartbeats answered
	Pings        int64            `json:"pings,omitempty"`
	Replies      int64            `json:"replies,omitempty"`    // to pings
	Left         int64            `json:"left,omitempty"`       // joined clients that were cut off or left, each time
	Gone         int64            `json:"gone,omitempty"`       // of these, that have left of their own will
	Returned     int64            `json:"returned,omitempty"`   // that have joined again
	Retries      int64            `json:"retries,omitempty"`    // attempts at it that failed
	Slow         int64            `json:"slow,omitempty"`       // joined clients that read no more
	CutOff       int64            `json:"cut_off,omitempty"`    // of these, by the server
	Unreadable   int64            `json:"unreadable,omitempty"` // messages that came and are not understood
	Odd          string           `json:"odd,omitempty"`        // one of these, its beginning
	Errors       map[string]int64 `json:"errors,omitempty"`
}

// Present is how many clients are joined now.
func (c Counts) Present() int64 { return c.Joined + c.Returned - c.Left }

// Clone is a copy that shares nothing.
func (c Counts) Clone() Counts {
	c.Errors = maps.Clone(c.Errors)
	return c
}

// Add adds another process's.
func (c *Counts) Add(o Counts) {
	c.Connected += o.Connected
	c.Disconnected += o.Disconnected
	c.Secured += o.Secured
	c.Resumed += o.Resumed
	c.Joined += o.Joined
	c.Sent += o.Sent
	c.Unsent += o.Unsent
	c.Delivered += o.Delivered
	c.Taken += o.Taken
	c.Duplicated += o.Duplicated
	c.Reordered += o.Reordered
	c.Late += o.Late
	c.Slow += o.Slow
	c.CutOff += o.CutOff
	c.Gone += o.Gone
	c.Beats += o.Beats
	c.Pings += o.Pings
	c.Replies += o.Replies
	c.Left += o.Left
	c.Returned += o.Returned
	c.Retries += o.Retries
	c.Unreadable += o.Unreadable
	c.Odd = cmp.Or(c.Odd, o.Odd)
	for kind, n := range o.Errors {
		c.Fault(kind, n)
	}
}

// Fault counts errors of a kind.
func (c *Counts) Fault(kind string, n int64) {
	if c.Errors == nil {
		c.Errors = make(map[string]int64)
	}
	c.Errors[kind] += n
}
