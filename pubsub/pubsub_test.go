package pubsub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller/lane"
	"github.com/roost-rt/roost/pubsub"
)

// inbox is a subscriber that keeps the events it gets.
type inbox struct {
	handle pubsub.Subscription

	mu     sync.Mutex
	events []string
}

func (i *inbox) Subscription() *pubsub.Subscription { return &i.handle }

func (i *inbox) Deliver(b *pubsub.Batch) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for m := range b.For(i) {
		i.events = append(i.events, m.Event)
	}
}

func (i *inbox) got() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.events)
}

// line is a worker pool that runs turns when told to: what waits is known.
type line struct {
	mu    sync.Mutex
	turns []lane.Turn
}

func (l *line) Go(t lane.Turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns = append(l.turns, t)
}

func (*line) Hold(int64) {}

// step runs one turn.
func (l *line) step() bool {
	l.mu.Lock()
	if len(l.turns) == 0 {
		l.mu.Unlock()
		return false
	}
	t := l.turns[0]
	l.turns = l.turns[1:]
	l.mu.Unlock()
	t.Turn()
	return true
}

func (l *line) run() {
	for l.step() {
	}
}

// crowd subscribes n inboxes to a topic.
func crowd(ps *pubsub.PubSub, topic string, n int) []*inbox {
	all := make([]*inbox, n)
	for i := range all {
		all[i] = new(inbox)
		ps.Subscribe(topic, all[i])
	}
	return all
}

func publish(t *testing.T, ps *pubsub.PubSub, topic string, events ...string) {
	t.Helper()
	for _, e := range events {
		if err := ps.Publish(&pubsub.Message{Topic: topic, Event: e}); err != nil {
			t.Fatalf("Publish(%s %s) = %v", topic, e, err)
		}
	}
}

func want(t *testing.T, who string, i *inbox, events ...string) {
	t.Helper()
	if got := i.got(); !slices.Equal(got, events) {
		t.Errorf("%s got %v, want %v", who, got, events)
	}
}

// sizes are audiences that the publisher serves itself, that one chunk serves,
// and that take several turns.
var sizes = []int{1, 64, 65, 200, 5000}

func TestEverySubscriberGetsEveryMessageInOrder(t *testing.T) {
	for _, shards := range []int{1, 3} {
		for _, n := range sizes {
			t.Run(fmt.Sprintf("%d shards, %d subscribers", shards, n), func(t *testing.T) {
				var pool line
				ps := pubsub.New(pubsub.Config{Shards: shards}, &pool)
				all := crowd(ps, "a", n)
				other := crowd(ps, "b", 1)[0]
				publish(t, ps, "a", "1", "2")
				pool.step() // in the middle of the walk
				publish(t, ps, "a", "3")
				pool.run()
				publish(t, ps, "a", "4")
				pool.run()
				for i, in := range all {
					want(t, fmt.Sprint("subscriber ", i), in, "1", "2", "3", "4")
				}
				want(t, "subscriber of another topic", other)
			})
		}
	}
}

func TestFromIsLeftOut(t *testing.T) {
	for _, n := range sizes {
		var pool line
		ps := pubsub.New(pubsub.Config{Shards: 2}, &pool)
		all := crowd(ps, "a", n)
		publish(t, ps, "a", "1")
		if err := ps.Publish(&pubsub.Message{Topic: "a", Event: "2", From: all[0]}); err != nil {
			t.Fatal(err)
		}
		publish(t, ps, "a", "3")
		pool.run()
		want(t, "the sender", all[0], "1", "3")
		for i, in := range all[1:] {
			want(t, fmt.Sprint("subscriber ", i+1), in, "1", "2", "3")
		}
	}
}

// A subscriber gets only what is published after it came, even when older messages wait
// in the same batch.
func TestLateSubscriber(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 1}, &pool)
	crowd(ps, "a", 1000)
	publish(t, ps, "a", "1", "2")
	late := crowd(ps, "a", 1)[0]
	publish(t, ps, "a", "3")
	pool.step() // the batch is on its walk now
	later := crowd(ps, "a", 1)[0]
	publish(t, ps, "a", "4")
	pool.run()
	want(t, "late subscriber", late, "3", "4")
	want(t, "later subscriber", later, "4")
}

func TestUnsubscribe(t *testing.T) {
	for _, n := range sizes {
		var pool line
		ps := pubsub.New(pubsub.Config{Shards: 2}, &pool)
		all := crowd(ps, "a", n)
		publish(t, ps, "a", "1")
		pool.step()
		for i, in := range all {
			if i%3 != 0 { // enough to close the holes
				ps.Unsubscribe(in)
			}
		}
		pool.run()
		publish(t, ps, "a", "2")
		pool.run()
		for i, in := range all {
			if i%3 == 0 {
				want(t, fmt.Sprint("subscriber ", i), in, "1", "2")
			} else if slices.Contains(in.got(), "2") {
				t.Fatalf("subscriber %d got 2 after it left", i)
			}
		}
		if got, want := ps.Subscribers("a"), (n+2)/3; got != want {
			t.Errorf("Subscribers = %d, want %d", got, want)
		}
		for _, in := range all {
			ps.Unsubscribe(in) // again, for most: nothing happens
		}
		if got := ps.Subscribers("a"); got != 0 {
			t.Errorf("Subscribers = %d after all have left, want 0", got)
		}
	}
}

// A crowd must not make the audience of a small topic wait for its walk.
func TestBigTopicDoesNotDelayOthers(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 1}, &pool)
	big := crowd(ps, "big", 10_000)
	small := crowd(ps, "small", 100)
	publish(t, ps, "big", "1")
	publish(t, ps, "small", "1")
	pool.step()
	want(t, "last of the small topic", small[99], "1")
	want(t, "last of the big topic", big[9_999])
	pool.run()
	want(t, "last of the big topic", big[9_999], "1")
}

func TestPublishFailsWhenTooMuchWaits(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 1, MaxPending: 100_000}, &pool)
	all := crowd(ps, "a", 100)
	m := func() error {
		return ps.Publish(&pubsub.Message{Topic: "a", Event: "e", Payload: make([]byte, 1000)})
	}
	sent := 0
	for ; m() == nil; sent++ {
		if sent > 1000 {
			t.Fatal("Publish takes any number of messages")
		}
	}
	if err := m(); !errors.Is(err, pubsub.ErrOverloaded) {
		t.Errorf("Publish = %v, want ErrOverloaded", err)
	}
	pool.run()
	if got := len(all[0].got()); got != sent {
		t.Errorf("delivered %d of the %d messages that were taken", got, sent)
	}
	if err := m(); err != nil {
		t.Errorf("Publish after the queue was delivered = %v", err)
	}
}

// Messages that wait for the same subscribers are encoded once each and handed over in
// one piece.
func TestBatchIsEncodedOnce(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 2}, &pool)
	var mu sync.Mutex
	calls, pieces := 0, map[string]int{}
	encode := func(m *pubsub.Message) []byte { calls++; return []byte(m.Event) }
	for range 400 {
		ps.Subscribe("a", &reader{deliver: func(b *pubsub.Batch) {
			mu.Lock()
			defer mu.Unlock()
			pieces[string(b.Encoded("v", encode))]++
		}})
	}
	publish(t, ps, "a", "1", "2", "3")
	pool.run()
	if calls != 3 {
		t.Errorf("encoded %d times, want 3", calls)
	}
	if pieces["123"] != 400 || len(pieces) != 1 {
		t.Errorf("pieces = %v, want 400 times 123", pieces)
	}
}

type reader struct {
	handle  pubsub.Subscription
	deliver func(*pubsub.Batch)
}

func (r *reader) Subscription() *pubsub.Subscription { return &r.handle }
func (r *reader) Deliver(b *pubsub.Batch) {
	if r.deliver != nil {
		r.deliver(b)
	}
}

// goroutines is a pool without a bound.
type goroutines struct{ sync.WaitGroup }

func (g *goroutines) Go(t lane.Turn) { g.WaitGroup.Go(t.Turn) }

func (*goroutines) Hold(int64) {}

// With publishers, joiners and leavers at once, whoever stays hears each publisher
// completely and in order.
func TestConcurrently(t *testing.T) {
	const publishers, messages = 4, 200
	var pool goroutines
	ps := pubsub.New(pubsub.Config{Shards: 3}, &pool)
	stay := crowd(ps, "a", 300)
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range messages {
				publish(t, ps, "a", fmt.Sprintf("%d %03d", p, i))
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for range 100 {
				in := crowd(ps, "a", 5)
				for _, i := range in {
					ps.Unsubscribe(i)
				}
			}
		})
	}
	all.Wait()
	pool.Wait()
	for i, in := range stay {
		got := in.got()
		if len(got) != publishers*messages {
			t.Fatalf("subscriber %d got %d messages, want %d", i, len(got), publishers*messages)
		}
		for p := range publishers {
			last := ""
			for _, e := range got {
				if strings.HasPrefix(e, fmt.Sprint(p, " ")) {
					if e <= last {
						t.Fatalf("subscriber %d got %q after %q", i, e, last)
					}
					last = e
				}
			}
		}
	}
	if got := ps.Subscribers("a"); got != 300 {
		t.Errorf("Subscribers = %d, want 300", got)
	}
	if got := pubsub.Pending(ps); got != 0 {
		t.Errorf("%d bytes are pending when all have everything", got)
	}
}

// Once a message is encoded, delivering it needs nothing that other shards use: it goes
// on even while the message's lock is held.
func TestEncodedTakesNoLock(t *testing.T) {
	m := &pubsub.Message{Topic: "a", Event: "e"}
	b := &pubsub.Batch{Messages: []*pubsub.Message{m}}
	encode := func(m *pubsub.Message) []byte { return []byte(m.Event) }
	b.Encoded("v", encode)
	done := make(chan string, 1)
	go m.Encoded("of another shard", func(*pubsub.Message) []byte {
		done <- string(b.Encoded("v", encode)) + string(m.Encoded("v", encode))
		return nil
	})
	select {
	case got := <-done:
		if got != "ee" {
			t.Errorf("Encoded = %q, want e from batch and message", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("a delivery waits for another shard that encodes")
	}
}

// Each key has an encoding of its own, of one message and of many, whichever was made
// first.
func TestEncodedByKey(t *testing.T) {
	for _, events := range []string{"1", "123"} {
		b := new(pubsub.Batch)
		for _, e := range events {
			b.Messages = append(b.Messages, &pubsub.Message{Topic: "a", Event: string(e)})
		}
		for _, key := range []string{"v1", "v2", "v3", "v2", "v1"} {
			encode := func(m *pubsub.Message) []byte { return []byte(key[1:] + m.Event) }
			want := ""
			for _, e := range events {
				want += key[1:] + string(e)
			}
			if got := string(b.Encoded(key, encode)); got != want {
				t.Errorf("Encoded(%s) = %q, want %q", key, got, want)
			}
		}
	}
}

// From a batch a subscriber gets what was published since it came, except what is From
// it. If that is not everything, the batch as a whole is of no use to it.
func TestBatchFor(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 1}, &pool)
	crowd(ps, "a", 100)
	got := map[string]string{}
	join := func(name string) *reader {
		r := new(reader)
		r.deliver = func(b *pubsub.Batch) {
			for m := range b.For(r) {
				got[name] += m.Event
			}
			got[name] += fmt.Sprint(" ", b.Whole(r))
		}
		ps.Subscribe("a", r)
		return r
	}
	send := func(event string, from pubsub.Subscriber) {
		if err := ps.Publish(&pubsub.Message{Topic: "a", Event: event, From: from}); err != nil {
			t.Fatal(err)
		}
	}
	join("early")
	sender := join("sender")
	send("1", nil)
	send("2", sender)
	late := join("late")
	send("3", nil)
	send("4", late)
	pool.run()
	for name, want := range map[string]string{"early": "1234 true", "sender": "134 false", "late": "3 false"} {
		if got[name] != want {
			t.Errorf("%s: For yields the messages, and Whole reports, %s, want %s", name, got[name], want)
		}
	}
}

// Messages wait while subscribers are behind, are refused when too many wait, and then
// reach them in order. Other topics go on.
func TestWaitsForThoseBehind(t *testing.T) {
	var behind atomic.Bool
	slow := map[pubsub.Subscriber]bool{}
	ps := pubsub.New(pubsub.Config{Shards: 1, MaxPending: 100_000, Full: func() func(pubsub.Subscriber) bool {
		return func(s pubsub.Subscriber) bool { return behind.Load() && slow[s] }
	}}, &goroutines{})
	room, other := crowd(ps, "room", 3), crowd(ps, "other", 1)
	for _, i := range room {
		slow[i] = true
	}
	behind.Store(true)
	n := 0
	for ; ps.Publish(&pubsub.Message{Topic: "room", Event: fmt.Sprint(n), Payload: make([]byte, 1000)}) == nil; n++ {
		if n > 100 {
			t.Fatal("100 kB are accepted for subscribers that are behind")
		}
	}
	if n < 10 {
		t.Errorf("%d messages are accepted, want some to wait", n)
	}
	publish(t, ps, "other", "goes on")
	want(t, "the other", other[0], "goes on")
	if got := room[0].got(); len(got) > 0 {
		t.Errorf("%v is delivered to those who are behind", got)
	}
	behind.Store(false)
	for _, i := range room {
		for end := time.Now().Add(30 * time.Second); len(i.got()) < n; {
			if time.Now().After(end) {
				t.Fatalf("%d of %d messages within 30 s", len(i.got()), n)
			}
			<-time.After(time.Millisecond)
		}
		for k, event := range i.got() {
			if event != fmt.Sprint(k) {
				t.Fatalf("message %d is %s", k, event)
			}
		}
	}
}

// A guest leaves as soon as it has got something, and comes again as another.
type guest struct {
	inbox
	ps *pubsub.PubSub
	as *inbox
}

func (g *guest) Deliver(b *pubsub.Batch) {
	g.inbox.Deliver(b)
	g.ps.Unsubscribe(g)
	g.ps.Subscribe("a", g.as)
}

// Subscribers may leave and come while they get a message: those who stay get each once,
// and those who come get the next one.
func TestGuestsLeaveAndComeWhenServed(t *testing.T) {
	for _, n := range sizes {
		var pool line
		ps := pubsub.New(pubsub.Config{Shards: 3}, &pool)
		guests, stay := make([]*guest, n), make([]*inbox, n)
		for i := range n {
			guests[i], stay[i] = &guest{ps: ps, as: new(inbox)}, new(inbox)
			ps.Subscribe("a", guests[i])
			ps.Subscribe("a", stay[i])
		}
		publish(t, ps, "a", "1")
		pool.run()
		publish(t, ps, "a", "2")
		pool.run()
		for i := range n {
			want(t, "a guest", &guests[i].inbox, "1")
			want(t, "the guest as another", guests[i].as, "2")
			want(t, "who stays", stay[i], "1", "2")
		}
		if got := ps.Subscribers("a"); got != 2*n {
			t.Errorf("%d subscribers are left of %d", got, 2*n)
		}
	}
}

// A faulty is a subscriber that panics at its first message.
type faulty struct{ inbox }

func (f *faulty) Deliver(b *pubsub.Batch) {
	f.inbox.Deliver(b)
	if len(f.got()) == 1 {
		panic("on purpose")
	}
}

// When a subscriber panics, its topic and the others of its shard lose nothing that comes
// after that chunk, and no budget.
func TestDeliverPanics(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 1}, &pool)
	bad := new(faulty)
	ps.Subscribe("a", bad)
	last := crowd(ps, "a", 200)[199]
	other := crowd(ps, "b", 200)[0]
	publish(t, ps, "a", "1")
	publish(t, ps, "b", "1")
	if func() (r any) { defer func() { r = recover() }(); pool.step(); return nil }() == nil {
		t.Fatal("a turn has not passed the panic on")
	}
	pool.run()
	publish(t, ps, "a", "2")
	pool.run()
	want(t, "who panicked", &bad.inbox, "1", "2")
	want(t, "another of the topic", last, "1", "2")
	want(t, "another topic's", other, "1")
	if n := pubsub.Pending(ps); n != 0 {
		t.Errorf("%d bytes are pending when nothing waits", n)
	}
}
