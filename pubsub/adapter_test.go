package pubsub_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// A bus is a network of nodes in memory.
type bus map[string]*busNode

type busNode struct {
	bus     bus
	name    string
	fail    error // of Broadcast
	deliver func(*pubsub.Message) error
	gap     func(pubsub.Gap)
}

func (n *busNode) Start(deliver func(*pubsub.Message) error, gap func(pubsub.Gap)) error {
	n.deliver, n.gap = deliver, gap
	n.bus[n.name] = n
	return nil
}

func (n *busNode) Broadcast(m *pubsub.Message) error {
	if n.fail != nil {
		return n.fail
	}
	for name := range n.bus {
		if name != n.name {
			if err := n.Send(name, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *busNode) Send(node string, m *pubsub.Message) error {
	to := n.bus[node]
	if to == nil {
		return pubsub.ErrUnknownNode
	}
	return to.deliver(&pubsub.Message{Topic: m.Topic, Event: m.Event, Payload: m.Payload, Binary: m.Binary})
}

func (n *busNode) Node() string               { return n.name }
func (n *busNode) Stats() pubsub.AdapterStats { return pubsub.AdapterStats{Connected: true} }
func (n *busNode) Close()                     { delete(n.bus, n.name) }

// join returns a started PubSub on a bus, its adapter, its pool and two
// subscribers of topic a.
func join(t *testing.T, b bus, name string) (*pubsub.PubSub, *busNode, *line, []*inbox) {
	t.Helper()
	pool, adapter := new(line), &busNode{bus: b, name: name}
	ps := pubsub.New(pubsub.Config{Shards: 2, MaxPending: 10_000, Adapter: adapter}, pool)
	if err := ps.Start(); err != nil {
		t.Fatal(err)
	}
	return ps, adapter, pool, crowd(ps, "a", 2)
}

func TestPublishReachesOtherNodes(t *testing.T) {
	b := bus{}
	one, _, pool1, in1 := join(t, b, "one")
	_, _, pool2, in2 := join(t, b, "two")
	_, _, pool3, in3 := join(t, b, "three")
	publish := func(f func(m *pubsub.Message) error, event string) {
		t.Helper()
		if err := f(&pubsub.Message{Topic: "a", Event: event, From: in1[0]}); err != nil {
			t.Errorf("%s = %v", event, err)
		}
	}
	publish(one.Publish, "all")
	publish(one.PublishLocal, "local")
	publish(func(m *pubsub.Message) error { return one.PublishTo("two", m) }, "to two")
	publish(func(m *pubsub.Message) error { return one.PublishTo("one", m) }, "to one")
	for _, pool := range []*line{pool1, pool2, pool3} {
		pool.run()
	}
	want(t, "the sender", in1[0])
	want(t, "another on its node", in1[1], "all", "local", "to one")
	want(t, "one on node two", in2[0], "all", "to two")
	want(t, "one on node three", in3[0], "all")
	if err := one.PublishTo("four", &pubsub.Message{}); !errors.Is(err, pubsub.ErrUnknownNode) {
		t.Errorf("PublishTo(four) = %v, want ErrUnknownNode", err)
	}
	if one.Node() != "one" || !one.AdapterStats().Connected {
		t.Errorf("Node, AdapterStats = %q, %+v, want what the adapter says", one.Node(), one.AdapterStats())
	}
	one.Close()
	if b["one"] != nil {
		t.Error("the adapter is not closed")
	}
}

// If the adapter fails, subscribers of this node get nothing either (spec §6.1).
func TestAdapterFails(t *testing.T) {
	ps, adapter, _, in := join(t, bus{}, "one")
	adapter.fail = pubsub.ErrTooLarge
	if err := ps.Publish(&pubsub.Message{Topic: "a"}); !errors.Is(err, pubsub.ErrTooLarge) {
		t.Errorf("Publish = %v, want ErrTooLarge", err)
	}
	want(t, "a subscriber", in[0])
}

// A counting bus node is one that can ask the others.
type countingNode struct {
	busNode
	elsewhere int
	here      func(string) int
	err       error
}

func (n *countingNode) CountWith(here func(string) int) { n.here = here }

func (n *countingNode) Count(context.Context, string) (int, error) { return n.elsewhere, n.err }

// The count of all nodes is this node's and what the adapter hears from the others.
func TestSubscribersEverywhere(t *testing.T) {
	silent := &pubsub.SilentError{Nodes: []string{"two", "three"}, Answered: 1, Err: context.DeadlineExceeded}
	node := &countingNode{busNode: busNode{bus: bus{}, name: "one"}, elsewhere: 3}
	for _, tt := range []struct {
		adapter pubsub.Adapter
		fail    error
		want    int
	}{
		{nil, nil, 2},
		{&busNode{bus: bus{}, name: "one"}, pubsub.ErrNoCounter, 2},
		{node, nil, 5},
		{node, silent, 5},
	} {
		node.err = tt.fail
		ps := pubsub.New(pubsub.Config{Shards: 2, Adapter: tt.adapter}, new(line))
		if err := ps.Start(); err != nil {
			t.Fatal(err)
		}
		crowd(ps, "a", 2)
		if n, err := ps.SubscribersEverywhere(t.Context(), "a"); n != tt.want || err != tt.fail {
			t.Errorf("%T: SubscribersEverywhere = %d, %v, want %d, %v", tt.adapter, n, err, tt.want, tt.fail)
		}
		if tt.adapter == pubsub.Adapter(node) && node.here("a") != 2 {
			t.Errorf("others are told that there are %d here, want 2", node.here("a"))
		}
	}
	want := "2 of 3 other nodes have not answered: two, three: context deadline exceeded"
	if !errors.Is(silent, context.DeadlineExceeded) || silent.Error() != want {
		t.Errorf("a SilentError is %q, want %q", silent, want)
	}
}

func TestGap(t *testing.T) {
	var got []pubsub.Gap
	for _, hook := range []func(pubsub.Gap){nil, func(g pubsub.Gap) { got = append(got, g) }} {
		adapter := &busNode{bus: bus{}, name: "one"}
		if err := pubsub.New(pubsub.Config{Adapter: adapter, Gap: hook}, new(line)).Start(); err != nil {
			t.Fatal(err)
		}
		adapter.gap(pubsub.Gap{Node: "two", Messages: 3})
	}
	if len(got) != 1 || got[0] != (pubsub.Gap{Node: "two", Messages: 3}) {
		t.Errorf("told of %v, want one gap", got)
	}
}

// The adapter's goroutine does not serve subscribers itself, but is told when too much
// waits.
func TestMessagesOfOtherNodesWaitForTheirTurn(t *testing.T) {
	b := bus{}
	one, _, _, in1 := join(t, b, "one")
	two, _, pool, in2 := join(t, b, "two")
	sent := 0
	for ; sent < 1000; sent++ {
		if err := one.PublishTo("two", &pubsub.Message{Topic: "a", Event: "e", Payload: make([]byte, 1000)}); err != nil {
			if !errors.Is(err, pubsub.ErrOverloaded) {
				t.Errorf("deliver = %v, want ErrOverloaded", err)
			}
			break
		}
	}
	want(t, "a subscriber", in2[0])
	if err := two.Publish(&pubsub.Message{Topic: "a", Event: "e"}); !errors.Is(err, pubsub.ErrOverloaded) {
		t.Errorf("Publish = %v, want ErrOverloaded", err)
	}
	want(t, "a subscriber of the other node", in1[0]) // overloaded before the adapter
	pool.run()
	if got := len(in2[0].got()); got != sent || sent == 1000 {
		t.Errorf("delivered %d of %d messages", got, sent)
	}
}

func TestWithoutAdapter(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 1}, &pool)
	if err := ps.Start(); err != nil {
		t.Errorf("Start = %v", err)
	}
	in := crowd(ps, "a", 1)[0]
	if err := ps.PublishTo("", &pubsub.Message{Topic: "a", Event: "1"}); err != nil {
		t.Errorf("PublishTo(this node) = %v", err)
	}
	if err := ps.PublishTo("two", &pubsub.Message{Topic: "a", Event: "2"}); !errors.Is(err, pubsub.ErrUnknownNode) {
		t.Errorf("PublishTo(two) = %v, want ErrUnknownNode", err)
	}
	want(t, "a subscriber", in, "1")
	if ps.Node() != "" || ps.AdapterStats().Connected {
		t.Errorf("Node, AdapterStats = %q, %+v, want nothing", ps.Node(), ps.AdapterStats())
	}
	ps.Close()
}

// A message from another node passes Inspect first; one of this node does not.
func TestInspect(t *testing.T) {
	b := bus{}
	there, _, _, _ := join(t, b, "there")
	bad := errors.New("bad")
	pool, adapter := new(line), &busNode{bus: b, name: "here"}
	ps := pubsub.New(pubsub.Config{Shards: 2, Adapter: adapter, Inspect: func(m *pubsub.Message) error {
		if m.Event == "bad" {
			return bad
		}
		return nil
	}}, pool)
	if err := ps.Start(); err != nil {
		t.Fatal(err)
	}
	in := crowd(ps, "a", 1)[0]
	if err := there.PublishTo("here", &pubsub.Message{Topic: "a", Event: "bad"}); !errors.Is(err, pubsub.ErrInvalid) || !errors.Is(err, bad) {
		t.Errorf("deliver = %v, want ErrInvalid and why", err)
	}
	publish(t, there, "a", "good")
	pool.run()
	publish(t, ps, "a", "good here")
	pool.run()
	want(t, "subscriber", in, "good", "good here")
}

// A selective adapter notes what the node listens to.
type selectiveNode struct {
	*busNode
	said []string
}

func (n *selectiveNode) Listen(topic string) { n.said = append(n.said, "+"+topic) }
func (n *selectiveNode) Ignore(topic string) { n.said = append(n.said, "-"+topic) }

// An adapter is told of a topic's first subscriber and of its last, however many come
// in between, and whatever still waits to be delivered.
func TestSelective(t *testing.T) {
	pool, adapter := new(line), &selectiveNode{busNode: &busNode{bus: bus{}, name: "n1"}}
	ps := pubsub.New(pubsub.Config{Shards: 4, Adapter: adapter}, pool)
	if err := ps.Start(); err != nil {
		t.Fatal(err)
	}
	defer ps.Close()
	want := func(when string, all ...string) {
		t.Helper()
		if !slices.Equal(adapter.said, all) {
			t.Errorf("%s: told %v, want %v", when, adapter.said, all)
		}
		adapter.said = nil
	}
	crowd := make([]sink, 5000)
	for i := range crowd {
		ps.Subscribe("a", &crowd[i])
	}
	want("all have come", "+a")
	if err := ps.Publish(&pubsub.Message{Topic: "a", Event: "e"}); err != nil {
		t.Fatal(err)
	}
	for i := range crowd {
		ps.Unsubscribe(&crowd[i])
	}
	pool.run()
	want("all have gone", "-a")
	s := new(sink)
	ps.Subscribe("b", s)
	ps.Unsubscribe(s)
	ps.Unsubscribe(s)
	want("one comes and goes", "+b", "-b")
}

// A message without subscribers here is not inspected, and does not wait: adapters bring
// more than a node listens to.
func TestForNobodyHere(t *testing.T) {
	b := bus{}
	sender := &busNode{bus: b, name: "n2"}
	inspect := func(m *pubsub.Message) error { t.Errorf("asked about %s", m.Topic); return nil }
	ps := pubsub.New(pubsub.Config{Adapter: &busNode{bus: b, name: "n1"}, Inspect: inspect}, new(line))
	if err := ps.Start(); err != nil {
		t.Fatal(err)
	}
	defer ps.Close()
	if err := sender.Broadcast(&pubsub.Message{Topic: "a", Event: "e"}); err != nil {
		t.Errorf("deliver = %v, want nil", err)
	}
}
