package swarm

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/user"
)

// progressEvery is how often a process reports that was told nothing else, or
// whose clients connect.
const progressEvery = 250 * time.Millisecond

// Serve is a process full of clients: it takes the coordinator's commands from
// in and writes events to out. It returns once all its connections are closed,
// when it was told to stop or in ended.
func Serve(in io.Reader, out io.Writer) error {
	s := &session{
		begun:    make(chan struct{}, 1),
		commands: json.NewDecoder(bufio.NewReader(in)),
		events:   json.NewEncoder(out),
	}
	var first order.Command
	if err := s.commands.Decode(&first); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	if first.Orders == nil {
		return errors.New("read orders: the first command is another")
	}
	if first.Orders.Script != nil {
		return user.Serve(*first.Orders, s.commands, s.events)
	}
	f, err := newFleet(*first.Orders)
	if err != nil {
		return fmt.Errorf("follow orders: %w", err)
	}
	s.fleet = f
	defer f.close()
	return s.run()
}

// A session is Serve's state.
type session struct {
	fleet    *fleet
	commands *json.Decoder

	active sync.WaitGroup  // connecting and sending, until halted
	now    context.Context // of these; another one after each Halt
	halt   context.CancelFunc
	begun  chan struct{} // gets a value when clients are to connect

	mu     sync.Mutex // guards events
	events *json.Encoder
}

func (s *session) run() error {
	s.renew()
	defer s.active.Wait()
	defer func() { s.halt() }()
	over := make(chan struct{})
	var reporter sync.WaitGroup
	defer reporter.Wait()
	defer close(over)
	reporter.Go(func() { s.report(over) })
	reporter.Go(func() { s.fleet.network.watch(over) })
	for {
		var c order.Command
		now := s.now
		err := s.commands.Decode(&c)
		switch {
		case errors.Is(err, io.EOF):
			return nil // the coordinator is gone
		case err != nil:
			return fmt.Errorf("read command: %w", err)
		case c.Connect != nil:
			s.begun <- struct{}{} // once in its life: there is room
			s.active.Go(func() { s.fleet.connect(now, *c.Connect) })
		case c.Broadcast != nil:
			s.active.Go(func() { s.fleet.broadcast(now, *c.Broadcast) })
		case c.Echo != nil:
			s.active.Go(func() { s.fleet.echo(now, *c.Echo) })
		case c.Churn != nil:
			s.active.Go(func() { s.fleet.churn(now, *c.Churn) })
		case c.Resume:
			s.active.Go(s.fleet.network.resume)
		case c.Depart != 0:
			s.fleet.depart(c.Depart)
		case c.Move != nil:
			err = s.fleet.move(*c.Move)
		case c.Collect:
			debug.FreeOSMemory()
			bare := proc.OwnUsage()
			err = s.tell(func() []order.Event { return []order.Event{{Collected: &bare}} })
		case c.Report != nil:
			err = s.tell(func() []order.Event { return s.fleet.answer(*c.Report) })
		case c.Halt:
			s.halt()
			s.active.Wait()
			s.renew()
			err = s.tell(func() []order.Event { return append(s.fleet.report(), order.Event{Halted: s.fleet.halted()}) })
		case c.Stop != nil:
			return s.finish(*c.Stop)
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) renew() { s.now, s.halt = context.WithCancel(context.Background()) }

// finish closes all connections and tells the totals.
func (s *session) finish(st order.Stop) error {
	s.fleet.close()
	t := s.fleet.total(st)
	return s.tell(func() []order.Event { return append(s.fleet.report(), order.Event{Totals: t}) })
}

// report tells the coordinator what happened, until all is over.
func (s *session) report(over <-chan struct{}) {
	rests := cmp.Or(s.fleet.orders.Report, progressEvery)
	until := func() time.Duration { return untilTurn(order.Now(), rests, s.fleet.orders.Turn) }
	clock := time.NewTicker(until())
	defer clock.Stop()
	connecting := false
	for {
		select {
		case <-clock.C:
		case <-s.begun:
			connecting = true
		case <-s.fleet.ramped:
			connecting = false
		case <-over:
			return
		}
		if s.tell(s.fleet.report) != nil {
			return // the end of the input will follow
		}
		if connecting {
			clock.Reset(min(progressEvery, rests))
		} else {
			clock.Reset(until())
		}
	}
}

// untilTurn is how long it is from now, on the monotonic clock, until a process
// has its turn, which is at the same moment of each period. Processes that all
// reported at once would show nothing in one second and twice the truth in the
// next, as there may be two seconds between two reports.
func untilTurn(now int64, every, turn time.Duration) time.Duration {
	return every - (time.Duration(now)-turn+every)%every
}

// tell writes events as they are made, so that counts never come after later
// ones.
func (s *session) tell(events func() []order.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events() {
		if err := s.events.Encode(e); err != nil {
			return fmt.Errorf("write event: %w", err)
		}
	}
	return nil
}

// answer tells the counts as they are now. In the same moment the latencies of
// pings can begin anew, or the closed loop end: a reply is then in both, or in
// neither, except for those under way at the end.
func (f *fleet) answer(i order.Inquiry) []order.Event {
	used, strain := proc.OwnUsage(), f.look.Anew()
	strain.Link = f.network.link()
	f.mu.Lock()
	defer f.mu.Unlock()
	if i.Anew && f.echoing != nil {
		f.echoing.latency.Reset()
		f.echoing.raw.Reset()
	}
	if i.Last && f.echoing != nil {
		f.echoing.closed = false
	}
	p := f.progressLocked(used, strain)
	p.At = f.now()
	events := append(f.events, order.Event{Progress: p})
	f.events = nil
	return events
}
