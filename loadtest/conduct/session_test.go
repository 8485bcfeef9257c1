package conduct_test

import (
	"cmp"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/swarm"
)

// A session is a process of clients at a fake that is told what to do step by step:
// each when the one before has shown, whatever time that takes.
type session struct {
	t        *testing.T
	commands *json.Encoder
	events   chan order.Event
}

// serve starts one by these orders, completed: its clients have joined. It ends with
// the test.
func serve(t *testing.T, f *fake, o order.Orders) *session {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- swarm.Serve(in, out); out.Close() }()
	s := &session{t, json.NewEncoder(stdin), make(chan order.Event, 1000)}
	go func() {
		defer close(s.events)
		for told := json.NewDecoder(stdout); ; {
			var e order.Event
			if told.Decode(&e) != nil {
				return
			}
			s.events <- e
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		for range s.events {
		}
		if err := <-served; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
	o.Target, o.Event, o.Window, o.Writers, o.Writer = order.Target{URL: f.url}, "new_msg", 16, max(1, o.Writers), 1
	o.Heartbeat = cmp.Or(o.Heartbeat, time.Minute)
	o.Shares = []order.Share{{Topic: "room:lobby", Addrs: []string{strings.TrimPrefix(f.url, "ws://")}, Count: clients}}
	s.tell(order.Command{Orders: &o})
	s.tell(order.Command{Connect: &order.Pacer{}})
	s.until(func(e order.Event) bool { return e.Ramped != nil })
	return s
}

func (s *session) tell(c order.Command) {
	s.t.Helper()
	if err := s.commands.Encode(c); err != nil {
		s.t.Fatal(err)
	}
}

// until returns the first event that is the one waited for.
func (s *session) until(is func(order.Event) bool) order.Event {
	s.t.Helper()
	for e := range s.events {
		if is(e) {
			return e
		}
	}
	s.t.Fatal("the session ended before")
	return order.Event{}
}

// counted waits for counts.
func (s *session) counted(are func(order.Counts) bool) order.Counts {
	s.t.Helper()
	return s.until(func(e order.Event) bool { return e.Progress != nil && are(e.Progress.Counts) }).Progress.Counts
}

// write has a writer write all its messages.
func (s *session) write(writer int, when order.Schedule) {
	s.t.Helper()
	s.tell(order.Command{Broadcast: &order.Broadcast{Schedule: when, Size: 128, Voices: []order.Voice{{Writer: writer}}}})
}

// leave has clients leave until so many have. They come back.
func (s *session) leave(n int64) {
	s.t.Helper()
	s.tell(order.Command{Churn: &order.Pacer{Start: order.Now(), Interval: int64(5 * time.Millisecond)}})
	s.counted(func(c order.Counts) bool { return c.Gone >= n })
	s.halt()
}

// halt ends what the clients do by themselves, and returns what they measured.
func (s *session) halt() *order.Halted {
	s.t.Helper()
	s.tell(order.Command{Halt: true})
	return s.until(func(e order.Event) bool { return e.Halted != nil }).Halted
}

// stop ends it, and returns its account.
func (s *session) stop(st order.Stop) *order.Totals {
	s.t.Helper()
	s.tell(order.Command{Stop: &st})
	return s.until(func(e order.Event) bool { return e.Totals != nil }).Totals
}
