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

// A ChannelType defines how the channels of a route behave: a set of callbacks,
// all of them optional. It must not be changed once an endpoint uses it.
//
// The results of a [Handler] (In, Event and Join) decide what happens next
// (spec §5.2):
//
//	nil, nil            In: no reply. Join: joined, empty reply
//	value, nil          reply "ok" with the value as response
//	Reply, nil          reply with that status
//	nil, *ReplyError    reply "error" (see [Errorf]); a join is refused
//	value, *StopError   the reply if value is not nil, then the channel stops
//	nil, another error  the channel crashes: the client gets phx_error and will
//	                    rejoin. The same happens when the callback panics
//
// Values are encoded as JSON, except for [Binary] and [Payload], which is sent
// as it is.
type ChannelType struct {
	// Join decides whether a client may join. Nothing can be pushed or broadcast until
	// it has returned; use Joined for that. Nil lets everyone join.
	Join Handler

	// Joined is called once the client knows that it has joined, before anything
	// else that waits for the channel, with the payload of the join.
	Joined func(ch *Channel, p Payload) error

	// In handles the client's messages by event. Messages that had arrived when the
	// client hung up are still handled before Terminate, with a Context that has ended;
	// they are dropped if the connection broke or the server cut it.
	In Events

	// Event handles messages whose event is not in In. Nil makes the channel crash, as
	// Phoenix does: a client that sends an unknown event is wrong.
	Event func(ch *Channel, event string, p Payload) (any, error)

	// Intercept lists broadcasts that go through Out, once for every subscriber,
	// instead of straight to the clients (spec §5.4).
	Intercept []string

	// Out handles an intercepted broadcast. Nothing is sent unless it pushes.
	Out func(ch *Channel, event string, p Payload) error

	// Info gets messages from Channel.Send, and broadcasts that Channel.Subscribe asked
	// for as a *Broadcast. A StopError stops the channel.
	Info func(ch *Channel, msg any) error

	// Terminate is the last callback of a channel that was joined, however it ended: Go
	// has no linked processes that would clean up. (Phoenix leaves Duplicate out.)
	// Messages that it pushes follow phx_close or phx_error.
	Terminate func(ch *Channel, why Reason)

	// Middleware runs around every callback of the type that is set, the first one
	// outermost, and always around Join. Nil costs nothing.
	Middleware []Middleware

	// Timeout is how long a callback may run before its CallbackContext ends. Go cannot
	// stop a callback. One that uses that context and returns its error, or an error
	// that wraps it, is answered with the error reply "timeout", or crashes where there
	// is no reply. One that does not keeps running, and the log reports it after
	// Config.Overdue. Late callbacks are counted in CallbackStats.TimedOut and logged.
	// Zero means no limit.
	Timeout time.Duration

	// StopTimeout is how long another join of the topic by the same client waits for a
	// running callback. After that the old channel can no longer send anything, and the
	// new one joins. Zero means 5 s.
	StopTimeout time.Duration

	// LogJoin is the log level of joins, accepted or refused; LogIn that of client
	// messages, which LogEvents overrides for single events. LogOff logs no line. Nil
	// means slog.LevelInfo for joins and slog.LevelDebug for messages. Crashes are
	// always logged, as errors (spec §5.5).
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

// A RefuseError refuses a connection with an HTTP response, which browsers do
// not show to scripts.
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

// Reason says why a channel ended. As an error it is the cause of the end of
// its context: errors.Is(context.Cause(ch.Context()), phx.Left).
type Reason string

func (r Reason) Error() string { return string(r) }

// Reasons used by the runtime. [StopError] may carry others.
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

	// ErrMailboxFull is returned by Channel.Send to a channel that does not keep up. It
	// is also the error with which a connection is closed when a broadcast does not
	// fit.
	ErrMailboxFull = errors.New("phx: channel mailbox full")

	// ErrTooLarge is returned for a message larger than Config.MaxPayload. It has not
	// been sent to anyone.
	ErrTooLarge = errors.New("phx: payload too large")
)
