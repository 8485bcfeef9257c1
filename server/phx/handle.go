package phx

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/internal/panics"
	"github.com/roost-rt/roost/server/wire"
)

func (j *messageJob) do(ch *Channel) { ch.handleIn(j.Message) }

// handleIn runs the callback for a client message and answers it.
func (ch *Channel) handleIn(m wire.Message) {
	t, lent := ch.route().Type, ch.services()
	callback := "In"
	if _, ok := t.In[m.Event]; !ok {
		if t.Event == nil {
			ch.crash(fmt.Errorf("%w %q", errNoHandler, m.Event))
			return
		}
		callback = "Event"
	}
	p := Payload{m.Payload}
	span := ch.span(t.logEvent(m.Event), slog.LevelDebug, lent.hooks.HandledIn != nil)
	result, err := ch.call(Call{Callback: callback, Event: m.Event, Payload: p})
	span.end()
	if span.logged() {
		span.line("handled", err, "topic", ch.topic, "event", m.Event, "params", lent.cfg.Filter.payload(p))
	}
	tell(lent, lent.hooks.HandledIn, MessageEvent{Duration: span.took, Channel: ch, Event: m.Event, Ref: Ref{ch, m.Ref}, Payload: p, Err: err})
	ch.settleIn(m.Ref, result, err)
}

// settleIn does what the results of the callback for a client message say.
func (ch *Channel) settleIn(ref wire.Ref, result any, err error) {
	if err != nil {
		result, err = replyOf(result, err)
	}
	if result != nil {
		status, response, failed := ch.services().settle(result)
		if failed != nil {
			ch.crash(failed)
			return
		}
		if failed = ch.reply(ref, status, response); failed != nil && failed != ErrClosed {
			ch.crash(failed)
			return
		}
	}
	ch.settleError(err)
}

// replyOf makes a reply of an error that is one.
func replyOf(result any, err error) (any, error) {
	var refusal *ReplyError
	switch {
	case errors.As(err, &refusal):
		return Reply{"error", refusal.Response}, nil
	case errors.Is(err, pubsub.ErrOverloaded): // a crash would only add a rejoin to the load
		return Reply{"error", Payload{reason("overloaded")}}, nil
	}
	return result, err
}

func (j outJob) do(ch *Channel) {
	ch.act(Call{Callback: "Out", Event: j.Event, Payload: payloadOf(j.Message)})
}

func (j infoJob) do(ch *Channel) {
	if ch.route().Type.Info == nil {
		ch.services().log.Warn("info for a channel without an Info callback", "topic", ch.topic)
		return
	}
	ch.act(Call{Callback: "Info", Message: j.msg})
}

// act runs a callback that answers nothing.
func (ch *Channel) act(c Call) {
	_, err := ch.call(c)
	ch.settleError(err)
}

// settleError does what the error of a callback says.
func (ch *Channel) settleError(err error) {
	if err == nil {
		return
	}
	var stop *StopError // behind the return: errors.As has it allocated
	switch {
	case errors.Is(err, ErrClosed), ch.gaveUp(err): // the connection is gone; its end is on the way
	case errors.As(err, &stop) && (stop.Why == Normal || stop.Why == Shutdown):
		ch.end("phx_close", stop.Why)
	case errors.As(err, &stop):
		ch.end("phx_error", stop.Why)
	default:
		ch.crash(err)
	}
}

// gaveUp reports whether a callback has returned because the channel has ended.
func (ch *Channel) gaveUp(err error) bool {
	return givesUp(err) && ch.Context().Err() != nil
}

// contain, deferred, makes an error of a panic.
func contain(err *error) {
	if r := recover(); r != nil {
		*err = panics.New(r)
	}
}

// settle makes status and response of what a callback returned. It survives a
// MarshalJSON that panics.
func (lent *services) settle(result any) (status string, response wire.Payload, err error) {
	defer contain(&err)
	status = "ok"
	if r, ok := result.(Reply); ok {
		status, result = r.Status, r.Response
	}
	response, err = lent.encode(result, status)
	return status, response, err
}
