package phxtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// clientHeader is how Connect finds the socket of a client.
const clientHeader = "Phxtest-Client"

// An activity knows what the callbacks of an endpoint do, so that a test can
// wait until there is nothing left to do for them.
type activity struct {
	log   *slog.Logger // immutable
	count atomic.Int64 // callbacks begun and ended

	mu       sync.Mutex                     // guards the rest; not held while a callback runs
	channels map[*phx.Channel]chan struct{} // that joined; closed when Terminate has returned
	sockets  map[string]*phx.Socket         // by clientHeader
}

func newActivity(log *slog.Logger) *activity {
	return &activity{log: log, channels: make(map[*phx.Channel]chan struct{}), sockets: make(map[string]*phx.Socket)}
}

// A mark is a message to a channel, closed when all before it has been handled.
// A nil one only asks whether the channel lives.
type mark chan struct{}

// begin counts a callback, and its result the end of it.
func (a *activity) begin() (end func()) {
	a.count.Add(1)
	return func() { a.count.Add(1) }
}

// fence puts what the test has done before what callbacks do later, and what they
// have done before what it does. Messages do that, but the race detector does not
// see it.
func (a *activity) fence() { a.count.Add(0) }

// watchMount puts the activity between a mount and the application.
func (a *activity) watchMount(m *phx.Mount) {
	connect := m.Connect
	m.Connect = func(s *phx.Socket, params phx.Params, r *http.Request) error {
		if id := r.Header.Get(clientHeader); id != "" {
			a.mu.Lock()
			a.sockets[id] = s
			a.mu.Unlock()
		}
		if connect == nil {
			return nil
		}
		defer a.begin()()
		return connect(s, params, r)
	}
	m.Routes = slices.Clone(m.Routes)
	for i := range m.Routes {
		if t := m.Routes[i].Type; t != nil { // phx.Start says that it is missing
			m.Routes[i].Type = a.watch(*t)
		}
	}
}

// watch returns a type that does what t does, and counts.
func (a *activity) watch(t phx.ChannelType) *phx.ChannelType {
	join, event, out, info, terminate := t.Join, t.Event, t.Out, t.Info, t.Terminate
	t.Join = func(ch *phx.Channel, p phx.Payload) (result any, err error) {
		defer a.begin()()
		if join != nil {
			result, err = join(ch, p)
		}
		if err == nil && encodes(result) {
			a.joined(ch)
		}
		return result, err
	}
	in := make(phx.Events, len(t.In))
	for event, handle := range t.In {
		in[event] = func(ch *phx.Channel, p phx.Payload) (any, error) {
			defer a.begin()()
			return handle(ch, p)
		}
	}
	t.In = in
	if event != nil {
		t.Event = func(ch *phx.Channel, name string, p phx.Payload) (any, error) {
			defer a.begin()()
			return event(ch, name, p)
		}
	}
	if out != nil {
		t.Out = func(ch *phx.Channel, event string, p phx.Payload) error {
			defer a.begin()()
			return out(ch, event, p)
		}
	}
	t.Info = func(ch *phx.Channel, msg any) error {
		if m, ok := msg.(mark); ok {
			if m != nil {
				close(m)
			}
			return nil
		}
		defer a.begin()()
		if info == nil {
			a.log.Warn("info for a channel without an Info callback", "topic", ch.Topic())
			return nil
		}
		return info(ch, msg)
	}
	t.Terminate = func(ch *phx.Channel, why phx.Reason) {
		defer a.terminated(ch)
		defer a.begin()()
		if terminate != nil {
			terminate(ch, why)
		}
	}
	return &t
}

// encodes reports whether a join can be answered with a result. If not, the
// channel never joins.
func encodes(result any) bool {
	if r, ok := result.(phx.Reply); ok {
		result = r.Response
	}
	if _, ok := result.(phx.Payload); ok {
		return true
	}
	_, err := json.Marshal(result)
	return err == nil
}

func (a *activity) joined(ch *phx.Channel) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.channels[ch] = make(chan struct{})
}

func (a *activity) terminated(ch *phx.Channel) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if over, ok := a.channels[ch]; ok {
		close(over)
		delete(a.channels, ch)
	}
}

// flush waits until every channel has handled what it had to do when flush was
// called.
func (a *activity) flush(ctx context.Context) error {
	a.mu.Lock()
	all := make(map[*phx.Channel]chan struct{}, len(a.channels))
	for ch, over := range a.channels {
		all[ch] = over
	}
	a.mu.Unlock()
	for ch, over := range all {
		if err := flush(ctx, ch, over); err != nil {
			return err
		}
	}
	return nil
}

func flush(ctx context.Context, ch *phx.Channel, over <-chan struct{}) error {
	m := make(mark)
	err := ch.Send(m)
	for errors.Is(err, phx.ErrMailboxFull) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the mailbox of %s stays full", ch.Topic())
		case <-time.After(time.Millisecond):
		}
		err = ch.Send(m)
	}
	select {
	case <-m: // never, if the channel ends first or has ended
	case <-over:
	case <-ctx.Done():
		return fmt.Errorf("the callbacks of %s have not come to an end", ch.Topic())
	}
	return nil
}

// gone waits until no channel of a client's is left, whose connection has been
// closed: their Terminate callbacks have begun, or will, before anything else.
func (a *activity) gone(ctx context.Context, client string) error {
	a.mu.Lock()
	socket := a.sockets[client]
	var its []*phx.Channel
	for ch := range a.channels {
		if ch.Socket() == socket {
			its = append(its, ch)
		}
	}
	a.mu.Unlock()
	for _, ch := range its {
		for !errors.Is(ch.Send(mark(nil)), phx.ErrClosed) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s does not end", ch.Topic())
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}
