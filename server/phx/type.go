package phx

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// A ChannelType is what the channels of a route do: a set of callbacks, all of
// them optional. It must not be changed once an endpoint uses it.
//
// What a [Handler], that is In, Event and Join, returns says what happens (spec
// §5.2):
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
	// be pushed or broadcast: that is for Joined. Nil lets everybody join.
	Join Handler

	// Joined is called once the client knows that it has joined, before anything
	// else that waits for the channel, with the payload of the join.
	Joined func(ch *Channel, p Payload) error

	// In handles the client's messages by event. Those that had come when the client
	// hung up are handled before Terminate, too, with a Context that has ended; they
	// are dropped if the connection broke or the server cut it.
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

	// Info gets what Channel.Send was given, and as a *Broadcast what
	// Channel.Subscribe has asked for. A StopError stops the channel.
	Info func(ch *Channel, msg any) error

	// Terminate is the last callback of a channel that was joined, however it
	// ended: Go has no linked processes that would clean up. (Phoenix leaves
	// Duplicate out.) What it pushes comes after phx_close or phx_error.
	Terminate func(ch *Channel, why Reason)

	// Middleware runs around every callback of the type that is set, the first one
	// outermost, and around Join in any case. Nil costs nothing.
	Middleware []Middleware

	// Timeout is how long a callback may run before its CallbackContext ends. Go
	// cannot stop it: one that asks for that context and returns its error, or one
	// that wraps it, is answered with the error reply "timeout", or crashes where
	// there is no reply; one that does not goes on, and Config.Overdue has the log
	// say so. Late ones are counted in CallbackStats.TimedOut and logged. Zero means
	// no limit.
	Timeout time.Duration

	// StopTimeout is how long another join of the topic by the same client waits
	// for a callback that runs. Then the old channel can send nothing any more,
	// and the new one joins. Zero means 5 s.
	StopTimeout time.Duration

	// LogJoin is the level at which joins are logged, accepted or refused, LogIn
	// that of client messages, with LogEvents for some of them by event. LogOff
	// is no line at all. Nil means slog.LevelInfo for joins, slog.LevelDebug for
	// messages. Crashes are always logged, as errors (spec §5.5).
	LogJoin, LogIn slog.Leveler
	LogEvents      map[string]slog.Leveler
}

// A Handler is a callback for a message that can be answered; see [ChannelType]
// and [On].
type Handler func(ch *Channel, p Payload) (any, error)

// Events are handlers of client messages by event.
type Events map[string]Handler

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

	cause error // for the log; nil if there is nothing more to say
}

func (e *ReplyError) Error() string {
	text := "error reply: "
	switch r := e.Response.(type) {
	case map[string]string, Payload: // no code of the application's runs
		response, _ := json.Marshal(r)
		text += string(response)
	default:
		text += fmt.Sprint(r)
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *ReplyError) Unwrap() error { return e.cause }

// Errorf returns a ReplyError with the response {"reason": …}.
func Errorf(format string, args ...any) error {
	return &ReplyError{Response: map[string]string{"reason": fmt.Sprintf(format, args...)}}
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

	cause error // for the log; nil if there is nothing more to say
}

func (e *RefuseError) Error() string {
	text := fmt.Sprintf("connection refused with status %d", cmp.Or(e.Status, http.StatusForbidden))
	if e.Body != "" {
		text += " " + e.Body
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *RefuseError) Unwrap() error { return e.cause }

// Reason is why a channel ended. As an error it is the cause of the end of its
// context: errors.Is(context.Cause(ch.Context()), phx.Left).
type Reason string

func (r Reason) Error() string { return string(r) }

// Reasons of the runtime's. StopError may carry others.
const (
	Normal       Reason = "normal"
	Shutdown     Reason = "shutdown"     // also the endpoint's, where Drain is off
	Left         Reason = "left"         // the client left the topic
	Closed       Reason = "closed"       // the connection ended
	Disconnected Reason = "disconnected" // by a "disconnect" broadcast on the socket's id
	Draining     Reason = "draining"     // the endpoint shuts down
	Inactive     Reason = "inactive"     // a long-poll client no longer polls
	Duplicate    Reason = "duplicate join"
	Crash        Reason = "crash" // a callback failed
)

var (
	// ErrNotJoined is returned by a push or broadcast before Join has accepted.
	ErrNotJoined = errors.New("phx: not joined yet: push and broadcast from ChannelType.Joined")

	// ErrClosed is returned when the channel or its connection has ended.
	ErrClosed = errors.New("phx: channel closed")

	// ErrMailboxFull is returned by Channel.Send to a channel that does not keep up,
	// and is why its connection is closed when a broadcast does not fit.
	ErrMailboxFull = errors.New("phx: channel mailbox full")

	// ErrTooLarge is returned for what Config.MaxPayload does not let out. It has
	// gone to nobody.
	ErrTooLarge = errors.New("phx: payload too large")
)
