package user

import (
	"bytes"
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
)

// reportEvery is how often a process reports that was told nothing else.
const reportEvery = 250 * time.Millisecond

// Serve is a process full of users: it has its orders, takes the coordinator's
// further commands and writes events. It returns once all connections are closed,
// when it was told to stop or there are no more commands.
func Serve(o order.Orders, commands *json.Decoder, events *json.Encoder) error {
	c, err := newCrew(o)
	if err != nil {
		return fmt.Errorf("follow orders: %w", err)
	}
	defer c.close()
	s := &serving{crew: c, commands: commands, events: events}
	return s.run()
}

// A serving is Serve's state.
type serving struct {
	crew     *crew
	commands *json.Decoder

	active sync.WaitGroup  // connecting and following, until halted
	now    context.Context // of these
	halt   context.CancelFunc

	mu     sync.Mutex // guards events
	events *json.Encoder
}

func (s *serving) run() error {
	s.renew()
	over := make(chan struct{})
	var reporter sync.WaitGroup
	defer reporter.Wait()
	defer close(over)
	defer s.active.Wait()
	defer func() { s.halt() }()
	reporter.Go(func() { s.report(over) })
	reporter.Go(func() { s.crew.watch(over) })
	for {
		var c order.Command
		err := s.commands.Decode(&c)
		switch {
		case errors.Is(err, io.EOF):
			return nil // the coordinator is gone
		case err != nil:
			return fmt.Errorf("read command: %w", err)
		case c.Stop != nil:
			s.crew.close()
			t := s.crew.totals()
			return s.tell(func() []order.Event { return append(s.crew.report(), order.Event{Totals: t}) })
		}
		if err := s.do(c); err != nil {
			return err
		}
	}
}

func (s *serving) renew() { s.now, s.halt = context.WithCancel(context.Background()) }

func (s *serving) do(c order.Command) error {
	now := s.now
	switch {
	case c.Connect != nil:
		s.active.Go(func() { s.crew.connect(now, *c.Connect) })
	case c.Follow != nil:
		s.active.Go(func() { s.crew.follow(now, *c.Follow) })
	case c.Settle != nil:
		s.crew.settle(c.Settle)
	case c.Collect:
		debug.FreeOSMemory()
		used := proc.OwnUsage()
		return s.tell(func() []order.Event { return []order.Event{{Collected: &used}} })
	case c.Report != nil:
		return s.tell(s.crew.answer)
	case c.Halt:
		s.halt()
		s.active.Wait()
		s.renew()
		return s.tell(func() []order.Event { return append(s.crew.report(), order.Event{Halted: new(order.Halted)}) })
	}
	return nil
}

// report tells the coordinator what happened, until all is over.
func (s *serving) report(over <-chan struct{}) {
	clock := time.NewTicker(cmp.Or(s.crew.orders.Report, reportEvery))
	defer clock.Stop()
	for {
		select {
		case <-clock.C:
		case <-over:
			return
		}
		if s.tell(s.crew.report) != nil {
			return // the end of the input will follow
		}
	}
}

// tell writes events as they are made, so that counts never come after later ones.
func (s *serving) tell(events func() []order.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events() {
		if err := s.events.Encode(e); err != nil {
			return fmt.Errorf("write event: %w", err)
		}
	}
	return nil
}

// host returns the host of a URL without any secrets, for people.
func (t target) host() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s://%s%s", t.url.Scheme, t.url.Host, t.url.Path)
	return b.String()
}
