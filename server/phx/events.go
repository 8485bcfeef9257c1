package phx

import (
	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
)

// The event loop, the pools and package pubsub call sockets and channels by
// methods that are not for applications, and so not methods of the types that
// these hold. They have types of their own, to which converting a pointer costs
// nothing.
type (
	socketEvents  Socket    // a poller.Handler and poller.Leaver
	rawEvents     RawSocket // likewise, and a poller.Turn
	channelEvents Channel   // a poller.Turn and a pubsub.Subscriber
)

func (s *Socket) events() *socketEvents    { return (*socketEvents)(s) }
func (s *RawSocket) events() *rawEvents    { return (*rawEvents)(s) }
func (ch *Channel) events() *channelEvents { return (*channelEvents)(ch) }

// Data takes frames from the connection.
func (e *socketEvents) Data(c *poller.Conn, data []byte) {
	s := (*Socket)(e)
	s.feed(c, data, s)
}

// Timeout says that nothing has come in, or that a message takes too long.
func (e *socketEvents) Timeout(c *poller.Conn) { (*Socket)(e).timeout(c) }

// Closed says that the connection is gone.
func (e *socketEvents) Closed(_ *poller.Conn, err error) { (*Socket)(e).disconnected(err) }

// Leave is the last word to a slow consumer.
func (e *socketEvents) Leave(_ *poller.Conn, why *poller.SlowConsumerError) []byte {
	return (*Socket)(e).lastWord(why)
}

// Data takes frames from the connection.
func (e *rawEvents) Data(c *poller.Conn, data []byte) {
	s := (*RawSocket)(e)
	s.feed(c, data, s)
}

// Timeout says that nothing has come in, or that a message takes too long.
func (e *rawEvents) Timeout(c *poller.Conn) { e.timeout(c) }

// Closed says that the connection is gone.
func (e *rawEvents) Closed(_ *poller.Conn, err error) { (*RawSocket)(e).disconnected(err) }

// Leave is the last word to a slow consumer.
func (e *rawEvents) Leave(_ *poller.Conn, why *poller.SlowConsumerError) []byte {
	return e.lastWord(why)
}

// Turn runs a few of the mailbox's jobs.
func (e *rawEvents) Turn() { (*RawSocket)(e).turn() }

// Owner is the socket: callbacks that run for long count for it.
func (e *rawEvents) Owner() any { return e.Socket }

func (e *rawEvents) describe() []any { return (*RawSocket)(e).describe() }

// Turn runs a few of the mailbox's jobs.
func (e *channelEvents) Turn() { (*Channel)(e).turn() }

// Owner is the socket: callbacks that run for long count for it.
func (e *channelEvents) Owner() any { return e.socket }

func (e *channelEvents) describe() []any { return (*Channel)(e).describe() }

// Subscription is that to the channel's topic.
func (e *channelEvents) Subscription() *pubsub.Subscription { return &e.handle }

// Deliver takes broadcasts of the channel's topic.
func (e *channelEvents) Deliver(b *pubsub.Batch) { (*Channel)(e).deliver(b) }

// inform takes broadcasts of other topics; see inbox.
func (e *channelEvents) inform(b *Broadcast) { (*Channel)(e).inform(b) }
