package phx

import (
	"context"
	"slices"
	"time"
)

// RawMiddleware is [Middleware] around the callbacks of a [RawType], whose
// results are errors: next returns the callback's error, or nil for Terminate,
// and a panic as an error.
type RawMiddleware func(c *RawCall, next func() error) error

// A RawCall is a callback of a raw socket that is about to run.
type RawCall struct {
	Socket   *RawSocket
	Callback string // the field of RawType: "Open", "In", "Control", "Info" or "Terminate"
	Data     []byte // of In, and the payload of Control; else nil
	Binary   bool   // of In
	Ping     bool   // of Control
	Message  any    // of Info; else nil
	Reason   Reason // of Terminate; else ""

	active *run
}

// Context returns [RawSocket.CallbackContext].
func (c *RawCall) Context() context.Context { return c.Socket.CallbackContext() }

// SetContext works like [Call.SetContext].
func (c *RawCall) SetContext(ctx context.Context) { c.active.ctx = ctx }

// call runs a callback with the middleware around it; a panic is an error.
func (s *RawSocket) call(c RawCall) error {
	c.Socket = s
	t := s.mount.Raw
	if t.Middleware == nil && t.Timeout == 0 {
		return c.run()
	}
	c.active = &run{limit: t.Timeout, began: time.Now()}
	s.setActive(c.active)
	defer c.end() // also if it has called runtime.Goexit
	return c.through(t.Middleware)
}

// end is called when the callback has returned.
func (c RawCall) end() {
	c.Socket.setActive(nil)
	if ran, late := c.active.end(); late {
		m := c.Socket.mount
		m.late(ran, c.active.limit, "mount", m.Path, "callback", c.Callback)
	}
}

func (s *RawSocket) setActive(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = r
}

// through runs the callback with middleware around it.
func (c RawCall) through(all []RawMiddleware) error {
	next := c.run // keeps its arguments, whatever becomes of the RawCall
	for _, m := range slices.Backward(all) {
		inner := next
		next = func() (err error) {
			defer contain(&err)
			return m(&c, inner)
		}
	}
	return next()
}

// run runs the callback, which there is.
func (c RawCall) run() (err error) {
	defer contain(&err)
	s, t := c.Socket, c.Socket.mount.Raw
	switch c.Callback {
	case "Open":
		return t.Open(s)
	case "In":
		return t.In(s, c.Data, c.Binary)
	case "Control":
		return t.Control(s, c.Ping, c.Data)
	case "Info":
		return t.Info(s, c.Message)
	default:
		t.Terminate(s, c.Reason)
		return nil
	}
}
