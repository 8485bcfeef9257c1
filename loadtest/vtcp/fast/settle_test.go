package fast_test

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
)

// TestSettles changes the message in a slot while processors are at work with it. What
// was counted of a message when Set has ended it, is all that was taken of it.
func TestSettles(t *testing.T) {
	const messages, clients, tries = 60, 4, 8
	p := load(t, clients)
	var (
		current atomic.Uint32
		tried   atomic.Int64
		taken   [messages + 1]atomic.Uint64
		workers sync.WaitGroup
	)
	current.Store(1)
	for i := range clients {
		workers.Go(func() {
			for number := current.Load(); number <= messages; number = current.Load() {
				p.Records()[i] = vtcp.Record{Received: number - 1, Room: 1, Flags: vtcp.Fast}
				verdict, _, err := p.Run(packet{client: i, flags: ack, payload: text(number, 167)}.bytes())
				if err != nil {
					t.Error(err)
					return
				}
				if verdict == redirect {
					taken[number].Add(1)
				}
				tried.Add(1)
			}
		})
	}
	var counted [messages + 1]uint64
	for number := uint32(1); number <= messages; number++ {
		set(t, p, 0, fast.Message{Frame: text(number, 167), Room: 1, Number: number})
		current.Store(number)
		for until := tried.Load() + tries; tried.Load() < until && !t.Failed(); {
			p.Settle()
		}
		set(t, p, 0, fast.Message{})
		counted[number] = p.Counts(0).Received
	}
	current.Store(messages + 1)
	workers.Wait()
	var all uint64
	for number := 1; number <= messages; number++ {
		if n := taken[number].Load(); n != counted[number] {
			t.Errorf("message %d: taken %d times, counted %d", number, n, counted[number])
		}
		all += counted[number]
	}
	if all == 0 {
		t.Error("nothing was taken")
	}
}

// TestSetWaits has a run under way while a message is replaced: until its end the run
// may read the old one, and count it.
func TestSetWaits(t *testing.T) {
	p := load(t, 1)
	set(t, p, 0, fast.Message{Frame: text(1, 167), Room: 1, Number: 1})
	p.Records()[0] = vtcp.Record{Room: 1, Flags: vtcp.Fast}
	if run(t, p, packet{flags: ack, payload: text(1, 167)}.bytes()); p.Runs() != 2 {
		t.Fatalf("a run takes %d steps, want 2", p.Runs())
	}
	before := p.Bytes(0)[16:] // behind what Set has changed at once
	p.Step(0)
	done := make(chan error, 1)
	go func() { done <- p.Set(0, fast.Message{Frame: text(2, 200), Room: 1, Number: 2}) }()
	for yields := 0; yields < 1000; runtime.Gosched() {
		if !p.Current(0) { // Set has begun
			yields++
		}
		if len(done) > 0 || !bytes.Equal(p.Bytes(0)[16:], before) {
			t.Fatal("Set has written to a message that a run may read")
		}
	}
	p.Step(0)
	if err := <-done; err != nil || !p.Current(0) || p.Counts(0).Received != 0 {
		t.Errorf("Set: %v; current: %t, %d receipts", err, p.Current(0), p.Counts(0).Received)
	}
}
