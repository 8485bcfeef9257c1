package pubsubtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// A broadcast arrives at each other node once and unchanged, except for its sender.
func eachNodeOnce(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b", "c")
	sent := []*pubsub.Message{
		{Topic: "room:1", Event: "json", Payload: []byte(`{"x":"ü"}`), From: new(sender)},
		{Topic: "room:1", Event: "binary", Payload: []byte{0, 255, '\r', '\n', 0}, Binary: true},
		{Topic: "", Event: "", Payload: nil},
		{Topic: strange, Event: strings.Repeat("e", 1000)},
		{Topic: "room:2", Event: "large", Payload: bytes.Repeat([]byte("0123456789abcdef"), 256<<10/16)},
	}
	for _, m := range sent {
		publish(t, nodes[0].Broadcast, m)
	}
	for _, n := range nodes[1:] {
		eventually(t, "all arrive at "+n.Node(), func() bool { return len(n.events()) >= len(sent) })
		all := n.messages() // a topic's are in order
		slices.SortStableFunc(all, func(a, b *pubsub.Message) int { return cmp.Compare(place(sent, a), place(sent, b)) })
		for i, got := range all {
			if want := sent[i]; got.Topic != want.Topic || got.Event != want.Event || got.Binary != want.Binary || !bytes.Equal(got.Payload, want.Payload) || got.From != nil {
				t.Errorf("%s got %.40q %.40q %.40q, binary %v, from %v, want what was sent: %.40q %.40q %.40q", n.Node(),
					got.Topic, got.Event, got.Payload, got.Binary, got.From, want.Topic, want.Event, want.Payload)
			}
		}
	}
	// Whatever came twice, or back, would have come before the answers.
	nodes[1].broadcast(t, "answer of b")
	nodes[2].send(t, "a", "answer of c")
	nodes[0].counted(t, pubsub.AdapterStats{Published: uint64(len(sent)), Received: 2})
	nodes[1].counted(t, pubsub.AdapterStats{Published: 1, Received: uint64(len(sent))})
	nodes[2].counted(t, pubsub.AdapterStats{Published: 1, Received: uint64(len(sent)) + 1})
}

// place is where the topic of a message is first.
func place(sent []*pubsub.Message, m *pubsub.Message) int {
	return slices.IndexFunc(sent, func(s *pubsub.Message) bool { return s.Topic == m.Topic })
}

// A sender is who is left out here, and not known elsewhere.
type sender struct{ handle pubsub.Subscription }

func (s *sender) Subscription() *pubsub.Subscription { return &s.handle }
func (*sender) Deliver(*pubsub.Batch)                {}

// A message whose topic or event is long, or not text, arrives as it was or is refused.
// Its publisher must not believe that it is on its way.
func anyBytes(t *testing.T, c *cluster) {
	a, b := c.add("a"), c.add("b")
	topics := []string{"room:\xff", "\xed\xa0\x80", strings.Repeat("room/", 1<<10)}
	b.listen(topics...)
	a.start(t)
	b.start(t)
	a.knows(t, "a", "b")
	b.knows(t, "a", "b")
	var taken []string
	for _, topic := range topics {
		for _, name := range []string{"text", "\x80"} {
			m := &pubsub.Message{Topic: topic, Event: name}
			switch err := a.Broadcast(m); {
			case err == nil:
				taken = append(taken, topic+name)
			case !errors.Is(err, pubsub.ErrInvalid) && !errors.Is(err, pubsub.ErrTooLarge):
				t.Errorf("Broadcast of %.10q %q = %v, want nil, ErrInvalid or ErrTooLarge", topic, name, err)
			}
		}
	}
	var got []string
	eventually(t, "what was taken arrives", func() bool { return len(b.events()) >= len(taken) })
	for _, m := range b.messages() {
		got = append(got, m.Topic+m.Event)
	}
	slices.Sort(taken)
	slices.Sort(got)
	if !slices.Equal(got, taken) {
		t.Errorf("got %.10q, want %.10q", got, taken)
	}
}

// Broadcasts of one goroutine arrive everywhere in order, whoever else broadcasts.
func orderOfPublisher(t *testing.T, c *cluster) {
	const each = 100
	nodes := c.start(t, "a", "b", "c")
	var publishers sync.WaitGroup
	for _, n := range nodes {
		for i := range 2 {
			publishers.Go(func() { n.broadcast(t, numbers(fmt.Sprint(n.Node(), i, " "), each)...) })
		}
	}
	publishers.Wait()
	for _, n := range nodes {
		eventually(t, "all arrive at "+n.Node(), func() bool { return len(n.events()) >= 4*each })
		byPublisher := make(map[string][]string)
		for _, e := range n.events() {
			who, _, _ := strings.Cut(e, " ")
			byPublisher[who] = append(byPublisher[who], e)
		}
		for who, got := range byPublisher {
			if !slices.Equal(got, numbers(who+" ", each)) {
				t.Errorf("%s got of %s %.20q, want all in order", n.Node(), who, got)
			}
		}
	}
}

// Messages to one node arrive there in order, and nowhere else.
func toOneNode(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b", "c")
	many := numbers("", 1000)
	nodes[0].send(t, "b", many...)
	nodes[0].send(t, "c", "3")
	nodes[1].send(t, "a", "4")
	nodes[0].wants(t, "4")
	nodes[1].wants(t, many...)
	nodes[2].wants(t, "3")
	for _, unknown := range []string{"d", "", "a"} { // it is a itself
		if err := nodes[0].Send(unknown, event("x")); !errors.Is(err, pubsub.ErrUnknownNode) {
			t.Errorf("a.Send(%q) = %v, want ErrUnknownNode", unknown, err)
		}
	}
	nodes[0].counted(t, pubsub.AdapterStats{Published: uint64(len(many)) + 1, Received: 1})
}

// Broadcasts sent after Listen has returned arrive in order, although the engine may not
// know yet that somebody listens.
func sinceItListens(t *testing.T, c *cluster) {
	const topics, each = 60, 3
	nodes := c.start(t, "a", "b", "c")
	for i := range topics {
		topic := fmt.Sprint("late:", i)
		nodes[1+i%2].listen(topic)
		for k := range each {
			publish(t, nodes[0].Broadcast, &pubsub.Message{Topic: topic, Event: fmt.Sprint(k)})
		}
	}
	got := make(map[string]string)
	eventually(t, "all arrive", func() bool {
		clear(got)
		for i, n := range nodes[1:] {
			for _, m := range n.messages() {
				if number, err := strconv.Atoi(strings.TrimPrefix(m.Topic, "late:")); err == nil && number%2 == i {
					got[m.Topic] += m.Event
				}
			}
		}
		whole := 0
		for _, events := range got {
			if len(events) >= each {
				whole++
			}
		}
		return whole == topics
	})
	for topic, events := range got {
		if events != "012" {
			t.Errorf("%s: got %q, want 012", topic, events)
		}
	}
}

// A node that leaves is no longer a peer. One that comes in its place is.
func comeAndGo(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b", "c")
	nodes[1].Close()
	nodes[0].knows(t, "a", "c")
	if err := nodes[0].Send("b", event("x")); !errors.Is(err, pubsub.ErrUnknownNode) {
		t.Errorf("Send to a node that has left = %v, want ErrUnknownNode", err)
	}
	nodes[0].broadcast(t, "b is away")
	nodes[2].wants(t, "b is away")
	again := c.add("b")
	again.refuse = func(m *pubsub.Message) error {
		if m.Event == "b is away" { // sent shortly before, it may come, too
			return pubsub.ErrInvalid
		}
		return nil
	}
	again.start(t)
	for _, n := range []*node{nodes[0], again, nodes[2]} {
		n.knows(t, "a", "b", "c")
	}
	nodes[0].broadcast(t, "b is here")
	again.wants(t, "b is here")
	nodes[0].send(t, "b", "for b")
	again.wants(t, "b is here", "for b")
	nodes[2].wants(t, "b is away", "b is here")
	if len(nodes[1].events()) > 0 {
		t.Errorf("a node that has left gets %q", nodes[1].events())
	}
}

// A message that is too large reaches no one, and nothing else suffers.
func tooLarge(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b")
	large := event("large")
	large.Payload = make([]byte, c.TooLarge)
	for name, err := range map[string]error{"Broadcast": nodes[0].Broadcast(large), "Send": nodes[0].Send("b", large)} {
		if !errors.Is(err, pubsub.ErrTooLarge) {
			t.Errorf("%s of %d bytes = %v, want ErrTooLarge", name, c.TooLarge, err)
		}
	}
	nodes[0].broadcast(t, "small")
	nodes[1].wants(t, "small")
	nodes[0].counted(t, pubsub.AdapterStats{Published: 1})
	nodes[1].counted(t, pubsub.AdapterStats{Received: 1})
}

// A publisher that is too fast is told so, and then no one has got the message.
func overloaded(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b", "c")
	for _, n := range nodes[1:] {
		n.refuse = func(m *pubsub.Message) error { m.Payload = nil; return nil } // many are kept
	}
	var taken []string
	payload := make([]byte, 50<<10)
	for _, way := range []struct {
		name    string
		publish func(*pubsub.Message) error
	}{
		{"to all", nodes[0].Broadcast},
		{"to one", func(m *pubsub.Message) error { return nodes[0].Send("b", m) }},
	} {
		var err error
		for i := 0; err == nil && i < 20_000; i++ {
			e := event(fmt.Sprintf("%s %06d", way.name, i))
			e.Payload = payload
			if err = way.publish(e); err == nil {
				taken = append(taken, e.Event)
			}
		}
		if !errors.Is(err, pubsub.ErrOverloaded) {
			t.Fatalf("%s: %v after %d messages, want ErrOverloaded", way.name, err, len(taken))
		}
		nodes[1].wants(t, taken...) // so there is no order between both ways
	}
	nodes[0].broadcast(t, "last")
	nodes[1].wants(t, append(taken, "last")...)
	nodes[2].wants(t, append(slices.DeleteFunc(taken, func(e string) bool { return strings.HasPrefix(e, "to one") }), "last")...)
	nodes[0].counted(t, pubsub.AdapterStats{Published: uint64(len(nodes[1].events()))})
}

// A node that is slow to take messages holds up no publisher, and misses nothing that was
// accepted.
func doesNotWait(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b")
	goOn := make(chan struct{})
	nodes[1].refuse = func(*pubsub.Message) error { <-goOn; return nil }
	var taken []string
	for _, e := range numbers("", 500) {
		m := event(e)
		m.Payload = make([]byte, 4<<10)
		if err := nodes[0].Broadcast(m); err == nil {
			taken = append(taken, e)
		} else if !errors.Is(err, pubsub.ErrOverloaded) {
			t.Errorf("Broadcast = %v, want nil or ErrOverloaded", err)
		}
	}
	close(goOn)
	nodes[1].wants(t, taken...)
}

// A message that a node cannot read is counted. One that is lost for another reason is
// reported as a gap, in its place.
func deliverFails(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b", "c")
	nodes[1].refuse = func(m *pubsub.Message) error {
		switch m.Event {
		case "invalid":
			return fmt.Errorf("%w: bad", pubsub.ErrInvalid)
		case "broken":
			return errors.New("broken")
		}
		return nil
	}
	nodes[0].broadcast(t, "1", "invalid", "2", "broken", "3")
	nodes[1].wants(t, "1", "2", "3")
	nodes[2].wants(t, "1", "invalid", "2", "broken", "3")
	nodes[0].counted(t, pubsub.AdapterStats{Published: 5})
	nodes[1].counted(t, pubsub.AdapterStats{Received: 3, Missed: 1, Gaps: 1, Invalid: 1})
	nodes[2].counted(t, pubsub.AdapterStats{Received: 5})
	if want := []pubsub.Gap{{Node: "a", Messages: 1}}; !slices.Equal(nodes[1].gaps, want) || nodes[1].at[0] != 2 {
		t.Errorf("told of gaps %+v after %d messages, want %+v after 2", nodes[1].gaps, nodes[1].at, want)
	}
}

// Messages that a node has no room for come later, or are reported as a gap.
func noRoomHere(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b")
	attempts := 0
	nodes[1].refuse = func(*pubsub.Message) error {
		if attempts++; attempts < 4 {
			return pubsub.ErrOverloaded
		}
		return nil
	}
	nodes[0].broadcast(t, "1", "2", "3", "4", "5")
	eventually(t, "all have come or are told", func() bool { s := nodes[1].Stats(); return s.Received+s.Missed == 5 })
	s, told := nodes[1].Stats(), uint64(0)
	for _, g := range nodes[1].gaps {
		told += g.Messages
	}
	if got := nodes[1].events(); !slices.IsSorted(got) || uint64(len(got)) != s.Received || told != s.Missed {
		t.Errorf("got %q, told of %d lost, Stats = %+v, want all five in order", got, told, s)
	}
}

// A node that is not started, or is closed, is not part of the cluster.
func notConnected(t *testing.T, c *cluster) {
	b := c.start(t, "b")[0]
	a := c.add("a")
	outside := func(when string) {
		t.Helper()
		if err := a.Broadcast(event(when)); !errors.Is(err, pubsub.ErrNotConnected) {
			t.Errorf("Broadcast %s = %v, want ErrNotConnected", when, err)
		}
		if err := a.Send("b", event(when)); !errors.Is(err, pubsub.ErrNotConnected) && !errors.Is(err, pubsub.ErrUnknownNode) {
			t.Errorf("Send %s = %v, want ErrNotConnected or ErrUnknownNode", when, err)
		}
		if a.Stats().Connected || a.Node() != "a" {
			t.Errorf("%s node %q has Stats = %+v, want a, not connected", when, a.Node(), a.Stats())
		}
	}
	outside("before Start")
	a.start(t)
	a.knows(t, "a", "b")
	a.broadcast(t, "between")
	a.Close()
	outside("after Close")
	b.knows(t, "b")
	b.broadcast(t, "too late")
	b.wants(t, "between")
	if got := a.events(); len(got) > 0 {
		t.Errorf("a node that is closed got %q", got)
	}
	if err := a.Start(a.deliver, a.gap); err == nil {
		t.Error("a closed node can be started, want an error")
	}
	c.add("never started").Close()
}

// Messages accepted before Close arrive.
func closeSends(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b", "c")
	events := numbers("", 200)
	nodes[0].broadcast(t, events...)
	nodes[0].Close()
	for _, n := range nodes[1:] {
		n.wants(t, events...)
	}
	nodes[0].counted(t, pubsub.AdapterStats{Published: 200})
}

// When Close returns, deliver has returned, and is not called again.
func closeWaits(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b")
	called, goOn := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	defer release()
	var inside atomic.Bool
	var first sync.Once
	nodes[1].refuse = func(*pubsub.Message) error {
		first.Do(func() {
			inside.Store(true)
			close(called)
			<-goOn
			inside.Store(false)
		})
		return nil
	}
	nodes[0].broadcast(t, "1", "2")
	<-called
	ended := make(chan int)
	go func() {
		nodes[1].Close()
		if inside.Load() {
			t.Error("Close returns while deliver is called")
		}
		ended <- len(nodes[1].events())
	}()
	eventually(t, "b is closing", func() bool { return errors.Is(nodes[1].Broadcast(event("x")), pubsub.ErrNotConnected) })
	release()
	before := <-ended
	nodes[0].broadcast(t, "3")
	nodes[0].Close()
	if got := nodes[1].events(); len(got) != before {
		t.Errorf("%q came after Close", got[before:])
	}
}

// A node that closes while goroutines publish on it sends what it has accepted, and counts
// what it could not send.
func closeWhilePublishing(t *testing.T, c *cluster) {
	nodes := c.start(t, "a", "b")
	var taken atomic.Uint64
	var publishers sync.WaitGroup
	for range 4 {
		publishers.Go(func() {
			for {
				err := nodes[0].Broadcast(event("x"))
				switch {
				case err == nil:
					taken.Add(1)
				case errors.Is(err, pubsub.ErrNotConnected):
					return
				case !errors.Is(err, pubsub.ErrOverloaded):
					t.Errorf("Broadcast = %v", err)
					return
				}
				nodes[0].Stats()
			}
		})
	}
	eventually(t, "some arrive", func() bool { return len(nodes[1].events()) >= 50 })
	nodes[0].Close()
	publishers.Wait()
	s := nodes[0].Stats()
	if s.Published+s.Dropped != taken.Load() {
		t.Errorf("%d published and %d dropped, want the %d taken", s.Published, s.Dropped, taken.Load())
	}
	eventually(t, "what was published is there or missed", func() bool {
		there := nodes[1].Stats()
		return there.Received+there.Missed == s.Published
	})
}

// A Counter has the sum of the other nodes, or says who is missing.
func count(t *testing.T, c *cluster) {
	var nodes []*node
	for i, name := range []string{"a", "b", "c"} {
		n := c.add(name)
		counter, ok := n.Adapter.(pubsub.Counter)
		if !ok {
			return // it need not be one
		}
		counter.CountWith(func(topic string) int { return len(topic) * []int{1, 10, 100}[i] })
		if _, err := counter.Count(t.Context(), "abc"); !errors.Is(err, pubsub.ErrNotConnected) {
			t.Errorf("Count before Start: %v, want ErrNotConnected", err)
		}
		n.start(t)
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		n.knows(t, "a", "b", "c")
		counter := n.Adapter.(pubsub.Counter)
		want := []int{330, 303, 33}[i]
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if got, err := counter.Count(ctx, "abc"); got != want || err != nil {
			t.Errorf("%s: Count = %d, %v, want %d", n.Node(), got, err, want)
		}
		cancel()
		got, err := counter.Count(ctx, "abc")
		var silent *pubsub.SilentError
		if isSilent := errors.As(err, &silent); isSilent && (!errors.Is(err, context.Canceled) || silent.Answered+len(silent.Nodes) != 2) {
			t.Errorf("%s: Count without time = %d, %v, want who has not answered of 2", n.Node(), got, err)
		} else if !isSilent && (got != want || err != nil) {
			t.Errorf("%s: Count without time = %d, %v, want %d or who has not answered", n.Node(), got, err, want)
		}
	}
	nodes[0].Close()
	if _, err := nodes[0].Adapter.(pubsub.Counter).Count(t.Context(), "abc"); !errors.Is(err, pubsub.ErrNotConnected) {
		t.Errorf("Count after Close: %v, want ErrNotConnected", err)
	}
}

// A Watcher tells of each node that comes and goes.
func watch(t *testing.T, c *cluster) {
	a := c.add("a")
	watcher, ok := a.Adapter.(pubsub.Watcher)
	if !ok {
		return // it need not be one
	}
	var mu sync.Mutex
	var told []pubsub.NodeEvent
	watcher.WatchWith(func(e pubsub.NodeEvent) {
		mu.Lock()
		defer mu.Unlock()
		if n := len(told); e.Change == pubsub.NodeAgain && n > 0 && told[n-1] == (pubsub.NodeEvent{Node: e.Node, Change: pubsub.NodeDown}) {
			told = told[:n-1] // this host is busy, and it was silent for so long
			return
		}
		told = append(told, e)
	})
	a.start(t)
	var want []pubsub.NodeEvent
	for _, name := range []string{"b", "c", "b"} {
		n := c.add(name)
		n.start(t)
		a.knows(t, "a", name)
		n.Close()
		a.knows(t, "a")
		want = append(want, pubsub.NodeEvent{Node: name, Change: pubsub.NodeUp}, pubsub.NodeEvent{Node: name, Change: pubsub.NodeDown})
	}
	eventually(t, "all is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(told, want) || len(told) > len(want)
	})
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
