package phx

import (
	"errors"
	"fmt"
	"net/http"
)

// A ChannelType is what the channels of a route do: a set of callbacks, all of
// them optional. It must not be changed once an endpoint uses it.
//
// What In, Event and Join return says what happens (spec §5.2):
//
//	nil, nil            In: no reply. Join: joined, empty reply
//	value, nil          reply "ok" with the value as response
//	Reply, nil          reply with that status
//	nil, *ReplyError    reply "error" (see Errorf); a join is refused
//	value, *StopError   the reply if value is not nil, then the channel stops
//	nil, another error  the channel crashes: the client gets phx_error and will
//	                    rejoin. So it does when the callback panics
//
// Values are encoded as JSON, but for a [Payload], which is sent as it is, and
// [Binary].
type ChannelType struct {
	// Join decides whether a client may join. Until it has returned nothing can
	// be pushed or broadcast; to do that first thing, send the channel an info
	// (Channel.Send) and act on it in Info. Nil lets everybody join.
	Join func(ch *Channel, p Payload) (any, error)

	// In handles the client's messages by event.
	In Events

	// Event handles messages whose event is not in In. Nil makes the channel
	// crash, as Phoenix does: a client that sends what nobody knows is wrong.
	Event func(ch *Channel, event string, p Payload) (any, error)

	// Intercept lists broadcasts that go through Out, once for every subscriber,
	// instead of straight to the clients (spec §5.4).
	Intercept []string

	// Out decides what becomes of an intercepted broadcast. It sends nothing
	// unless it pushes.
	Out func(ch *Channel, event string, p Payload) error

	// Info gets what Channel.Send was given. A StopError stops the channel.
	Info func(ch *Channel, msg any) error

	// Terminate is the last callback of a channel that was joined, however it
	// ended: Go has no linked processes that would clean up. (Phoenix leaves
	// Crash and Duplicate out.) What it pushes comes after phx_close.
	Terminate func(ch *Channel, why Reason)
}

// Events are handlers of client messages by event.
type Events map[string]func(ch *Channel, p Payload) (any, error)

// intercepts reports whether the type wants to see a broadcast before it leaves.
func (t *ChannelType) intercepts(event string) bool {
	for _, e := range t.Intercept {
		if e == event {
			return true
		}
	}
	return false
}

// OK as a result is a reply "ok" without a response.
var OK = Reply{Status: "ok"}

// A Reply is a result with a status of its own.
type Reply struct {
	Status   string // any; the client's receive(status, …) hooks get it
	Response any    // nil is {}
}

// A ReplyError answers one message with status "error". Nothing else changes.
type ReplyError struct {
	Response any // nil is {}
}

func (e *ReplyError) Error() string { return fmt.Sprintf("error reply: %v", e.Response) }

// Errorf returns a ReplyError with the response {"reason": …}.
func Errorf(format string, args ...any) error {
	return &ReplyError{map[string]string{"reason": fmt.Sprintf(format, args...)}}
}

// A StopError stops a channel. With Normal or Shutdown the client gets phx_close,
// with another reason phx_error.
type StopError struct{ Why Reason }

func (e *StopError) Error() string { return "channel stops: " + string(e.Why) }

// Stop returns a StopError.
func Stop(why Reason) error { return &StopError{why} }

// A RefuseError refuses a connection with an HTTP answer. Browsers do not show
// it to scripts.
type RefuseError struct {
	Status int // 403 if zero
	Header http.Header
	Body   string
}

func (e *RefuseError) Error() string {
	return fmt.Sprintf("connection refused with status %d %s", e.Status, e.Body)
}

// Reason is why a channel ended.
type Reason string

// Reasons of the runtime's. StopError may carry others.
const (
	Normal       Reason = "normal"
	Shutdown     Reason = "shutdown"
	Left         Reason = "left"         // the client left the topic
	Closed       Reason = "closed"       // the connection ended
	Disconnected Reason = "disconnected" // by a "disconnect" broadcast on the socket's id
	Draining     Reason = "draining"     // the endpoint shuts down
	Duplicate    Reason = "duplicate join"
	Crash        Reason = "crash" // a callback failed
)

var (
	// ErrNotJoined is returned by a push or broadcast before Join has accepted.
	ErrNotJoined = errors.New("phx: not joined yet: send the channel an info in Join and push from Info")

	// ErrClosed is returned when the channel or its connection has ended.
	ErrClosed = errors.New("phx: channel closed")

	// ErrMailboxFull is returned by Channel.Send to a channel that does not keep up.
	ErrMailboxFull = errors.New("phx: channel mailbox full")
)
