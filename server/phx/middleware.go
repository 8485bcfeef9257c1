package phx

import "slices"

// Middleware is code around the callbacks of a [ChannelType]: checks, tracing,
// timing. next runs the middleware after it and, last of all, the callback, and
// returns what that has returned: nil results where it has none, and a panic as an
// error. What the middleware returns takes the place of that. One that does not
// call next decides alone: the callback does not run. It must not call next twice.
type Middleware func(c *Call, next func() (any, error)) (any, error)

// A Call is a callback of a channel that is to run.
type Call struct {
	Channel  *Channel
	Callback string  // the field of ChannelType: "Join", "Joined", "In", "Event", "Out", "Info" or "Terminate"
	Event    string  // of In, Event and Out; else ""
	Payload  Payload // of those, Join and Joined; else empty
	Message  any     // of Info; else nil
	Reason   Reason  // of Terminate; else ""
}

// call runs a callback with the middleware around it; a panic is an error.
func (ch *Channel) call(c Call) (result any, err error) {
	c.Channel = ch
	if m := ch.route().Type.Middleware; m != nil {
		return c.through(m)
	}
	return c.run()
}

// through runs the callback with middleware around it.
func (c Call) through(all []Middleware) (any, error) {
	next := c.run // what it is called with, whatever becomes of the Call
	for _, m := range slices.Backward(all) {
		inner := next
		next = func() (_ any, err error) {
			defer contain(&err)
			return m(&c, inner)
		}
	}
	return next()
}

// run runs the callback, which there is, but for Join.
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
