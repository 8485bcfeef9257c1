package phx

import (
	"context"
	"slices"
	"time"
)

// Middleware is code around the callbacks of a [ChannelType]: checks, tracing,
// timing. next runs the following middleware and finally the callback, and
// returns its results: nil where it has none, and a panic as an error. The
// middleware's own results replace them. Middleware that does not call next
// decides alone: the callback does not run. It must not call next twice.
type Middleware func(c *Call, next func() (any, error)) (any, error)

// A Call is a channel's callback that is about to run.
type Call struct {
	Channel  *Channel
	Callback string  // the field of ChannelType: "Join", "Joined", "In", "Event", "Out", "Info" or "Terminate"
	Event    string  // of In, Event and Out; else ""
	Payload  Payload // of those, Join and Joined; else empty
	Message  any     // of Info; else nil
	Reason   Reason  // of Terminate; else ""

	active *run
}

// Context returns [Channel.CallbackContext].
func (c *Call) Context() context.Context { return c.Channel.CallbackContext() }

// SetContext makes ctx the callback's context, so that the callback finds
// values that the middleware put into it. Derive ctx from Context, or it will
// not end when Context does.
func (c *Call) SetContext(ctx context.Context) { c.active.ctx = ctx }

// call runs a callback with the middleware around it; a panic is an error.
func (ch *Channel) call(c Call) (any, error) {
	c.Channel = ch
	t := ch.route().Type
	if t.Middleware == nil && t.Timeout == 0 {
		return c.run()
	}
	c.active = &run{limit: t.Timeout, began: time.Now()}
	ch.setActive(c.active)
	defer c.end() // also if it has called runtime.Goexit
	result, err := c.through(t.Middleware)
	return result, c.active.limited(err)
}

// end is called when the callback has returned.
func (c Call) end() {
	c.Channel.setActive(nil)
	if ran, late := c.active.end(); late {
		c.Channel.services().late(ran, c.active.limit, "topic", c.Channel.Topic(), "callback", c.Callback, "event", c.Event)
	}
}

// setActive says which callback runs. A channel that has nothing else keeps no
// memory for it.
func (ch *Channel) setActive(r *run) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	x := ch.extraLocked()
	x.active = r
	if r == nil && x.bare() && x.watchers == nil {
		ch.extra = nil
	}
}

// through runs the callback with middleware around it.
func (c Call) through(all []Middleware) (any, error) {
	next := c.run // keeps its arguments, whatever becomes of the Call
	for _, m := range slices.Backward(all) {
		inner := next
		next = func() (_ any, err error) {
			defer contain(&err)
			return m(&c, inner)
		}
	}
	return next()
}

// run runs the callback, which only Join may lack.
func (c Call) run() (_ any, err error) {
	defer contain(&err)
	ch, t := c.Channel, c.Channel.route().Type
	switch c.Callback {
	case "Join":
		if t.Join == nil {
			return nil, nil
		}
		return t.Join(ch, c.Payload)
	case "Joined":
		return nil, t.Joined(ch, c.Payload)
	case "In":
		return t.In[c.Event](ch, c.Payload)
	case "Event":
		return t.Event(ch, c.Event, c.Payload)
	case "Out":
		return nil, t.Out(ch, c.Event, c.Payload)
	case "Info":
		return nil, t.Info(ch, c.Message)
	default:
		t.Terminate(ch, c.Reason)
		return nil, nil
	}
}
