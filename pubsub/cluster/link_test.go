package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

var _ pubsub.Adapter = (*cluster.Link)(nil)

func TestBroadcastReachesEachOtherNodeOnce(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a", "b", "c")
	send(t, all[0], "1", "2")
	want(t, all[1], "1", "2")
	want(t, all[2], "1", "2")
	send(t, all[1], "3")
	want(t, all[0], "3") // and neither 1 nor 2
	want(t, all[2], "1", "2", "3")
	if got := all[2].Stats(); got.Received != 3 || got.Published != 0 || got.Missed != 0 {
		t.Errorf("c: Stats = %+v, want 3 received", got)
	}
	if got := all[0].Stats(); got.Published != 2 || got.Dropped != 0 {
		t.Errorf("a: Stats = %+v, want 2 published", got)
	}
}

func TestMessageArrivesWhole(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a")
	in := make(chan *pubsub.Message, 1)
	b := newNode(cluster.Config{URL: s.URL(), Node: "b", Logger: quiet})
	b.Listen("räume:1")
	if err := b.Start(func(m *pubsub.Message) error { in <- m; return nil }, noGap); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, "b knows a", func() bool { return len(b.Stats().Peers) == 1 })
	m := &pubsub.Message{Topic: "räume:1", Event: "new", Payload: []byte{0, 0xff}, Binary: true, From: new(nobody)}
	if err := all[0].Broadcast(m); err != nil {
		t.Fatal(err)
	}
	got := <-in
	if got.Topic != m.Topic || got.Event != m.Event || string(got.Payload) != string(m.Payload) || !got.Binary || got.From != nil {
		t.Errorf("got %+v, want %+v without From", got, m)
	}
}

type nobody struct{ pubsub.Subscriber }

// A message that deliver finds invalid is counted as invalid, not as missed.
func TestInvalidMessage(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a")
	b := newNode(cluster.Config{URL: s.URL(), Node: "b", Logger: quiet})
	if err := b.Start(func(m *pubsub.Message) error { return fmt.Errorf("not for us: %w", pubsub.ErrInvalid) }, noGap); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, "b knows a", func() bool { return len(b.Stats().Peers) == 1 })
	send(t, all[0], "1")
	eventually(t, "it is counted", func() bool { return b.Stats().Invalid == 1 })
	if got := b.Stats(); got.Missed != 0 || got.Received != 0 {
		t.Errorf("Stats = %+v, want only Invalid", got)
	}
}

func TestSendReachesOneNode(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a", "b", "c")
	if err := all[0].Send("b", &pubsub.Message{Topic: "t", Event: "for b"}); err != nil {
		t.Fatal(err)
	}
	want(t, all[1], "for b")
	send(t, all[0], "for all")
	want(t, all[2], "for all")
	for _, name := range []string{"a", "nobody", ""} {
		if err := all[0].Send(name, &pubsub.Message{}); !errors.Is(err, pubsub.ErrUnknownNode) {
			t.Errorf("Send(%q) = %v, want ErrUnknownNode", name, err)
		}
	}
}

func TestClustersOfOtherNamesAreApart(t *testing.T) {
	s := serve(t, natsserver.Config{})
	blue := openAll(t, cluster.Config{URL: s.URL(), Cluster: "blue"}, "a", "b")
	green := openAll(t, cluster.Config{URL: s.URL(), Cluster: "green"}, "a", "b")
	send(t, blue[0], "blue")
	send(t, green[0], "green")
	want(t, blue[1], "blue")
	want(t, green[1], "green")
}

// Each publisher's messages arrive everywhere, in order, while others publish.
func TestOrderOfEachPublisher(t *testing.T) {
	const publishers, messages = 4, 300
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a", "b", "c")
	var running sync.WaitGroup
	for _, n := range all {
		for p := range publishers {
			running.Go(func() {
				for i := range messages {
					send(t, n, fmt.Sprintf("%s%d %04d", n.Node(), p, i))
				}
			})
		}
	}
	running.Wait()
	for _, n := range all {
		total := (len(all) - 1) * publishers * messages
		eventually(t, "everything has arrived", func() bool { return len(n.got()) >= total })
		inOrder(t, n, total)
	}
}

// inOrder checks that a node has got total events and those with the same first
// word in order, none twice.
func inOrder(t *testing.T, n *node, total int) {
	t.Helper()
	got, last := n.got(), map[string]string{}
	if len(got) != total {
		t.Errorf("node %s got %d events, want %d", n.Node(), len(got), total)
	}
	for _, e := range got {
		from, _, _ := strings.Cut(e, " ")
		if e <= last[from] {
			t.Fatalf("node %s got %q after %q", n.Node(), e, last[from])
		}
		last[from] = e
	}
}

func TestTooLarge(t *testing.T) {
	s := serve(t, natsserver.Config{MaxPayload: 5000})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a", "b")
	m := &pubsub.Message{Topic: "room:1", Event: "pic", Payload: make([]byte, 5000)}
	for what, err := range map[string]error{"Broadcast": all[0].Broadcast(m), "Send": all[0].Send("b", m)} {
		if !errors.Is(err, pubsub.ErrTooLarge) || !strings.Contains(err.Error(), "max_payload") {
			t.Errorf("%s = %v, want ErrTooLarge and what to do", what, err)
		}
	}
	send(t, all[0], "small")
	want(t, all[1], "small") // the link has survived
}

// The largest message that NATS takes is known to a byte, with a seal and without: all
// that are accepted arrive.
func TestLargestMessage(t *testing.T) {
	const limit = 4 << 10
	s := serve(t, natsserver.Config{MaxPayload: limit})
	for _, secret := range []string{"", secret} {
		all := openAll(t, cluster.Config{URL: s.URL(), Cluster: fmt.Sprint("of", len(secret)), Secret: secret}, "a", "b")
		var taken []string
		for size := limit - 100; size < limit; size++ {
			e := fmt.Sprint(size)
			err := all[0].Broadcast(&pubsub.Message{Topic: "room:1", Event: e, Payload: make([]byte, size)})
			if err == nil {
				taken = append(taken, e)
			} else if !errors.Is(err, pubsub.ErrTooLarge) {
				t.Fatalf("%d bytes: %v, want nil or ErrTooLarge", size, err)
			}
		}
		want(t, all[1], taken...)
		if n := len(taken); n == 0 || n == 100 {
			t.Errorf("%d of 100 sizes are taken, want some", n)
		}
	}
}

func TestCloseSendsTheRestAndSaysGoodbye(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL(), Beat: 1e12}, "a", "b")
	events := numbers(0, 2000)
	send(t, all[0], events...)
	all[0].Close()
	all[0].Close()
	want(t, all[1], events...)
	eventually(t, "b knows that a has left", func() bool { return len(all[1].Stats().Peers) == 0 })
	for what, err := range map[string]error{
		"Broadcast": all[0].Broadcast(&pubsub.Message{}),
		"Send":      all[0].Send("b", &pubsub.Message{}),
		"Start":     all[0].Start(nil, nil),
	} {
		if !errors.Is(err, pubsub.ErrNotConnected) {
			t.Errorf("%s after Close = %v, want ErrNotConnected", what, err)
		}
	}
	if all[0].Stats().Connected {
		t.Error("connected after Close")
	}
	fresh := cluster.New(cluster.Config{URL: s.URL()})
	if err := fresh.Broadcast(&pubsub.Message{}); !errors.Is(err, pubsub.ErrNotConnected) {
		t.Errorf("Broadcast before Start = %v, want ErrNotConnected", err)
	}
	fresh.Close()
}

func TestStartErrorsSayWhatToDo(t *testing.T) {
	s := serve(t, natsserver.Config{Token: "sesame"})
	host := strings.TrimPrefix(s.URL(), "nats://sesame@")
	for _, c := range []struct {
		cfg   cluster.Config
		words []string
	}{
		{cluster.Config{URL: "nats://joe:hush@127.0.0.1:1"}, []string{"nats://127.0.0.1:1:", "Config.URL"}},
		{cluster.Config{URL: "nats://joe:hush@127.0.0.1:x"}, []string{"Config.URL", "nats://user:password@host:4222"}},
		{cluster.Config{URL: "nats://joe:hush@" + host}, []string{"nats://" + host, "user and password"}},
		{cluster.Config{URL: s.URL(), Cluster: "a.b"}, []string{"Config.Cluster", `"a.b"`}},
		{cluster.Config{URL: s.URL(), Cluster: "*"}, []string{"Config.Cluster"}},
		{cluster.Config{URL: s.URL(), Node: strings.Repeat("n", 256)}, []string{"Config.Node", "255"}},
		{cluster.Config{URL: s.URL(), Node: "n\xff"}, []string{"Config.Node", "UTF-8"}},
		{cluster.Config{URL: s.URL(), MaxPending: -1}, []string{"Config.MaxPending"}},
		{cluster.Config{URL: serve(t, natsserver.Config{MaxPayload: 1000}).URL()}, []string{"1000 bytes", "1024 or more", "max_payload"}},
	} {
		l := cluster.New(c.cfg)
		err := l.Start(func(*pubsub.Message) error { return nil }, noGap)
		l.Close()
		if err == nil {
			t.Errorf("Start(%+v) succeeds", c.cfg)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("Start = %q, want %q in it", err, w)
			}
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("Start = %q shows the password", err)
		}
	}
}

// A node can wait for its NATS server by starting again.
func TestStartAgainAfterFailure(t *testing.T) {
	s := serve(t, natsserver.Config{})
	s.Close()
	n := newNode(cluster.Config{URL: s.URL(), Logger: quiet})
	defer n.Close()
	if err := n.Start(n.deliver, n.gap); err == nil {
		t.Fatal("Start without a server succeeds")
	}
	serve(t, natsserver.Config{Addr: strings.TrimPrefix(s.URL(), "nats://")})
	if err := n.Start(n.deliver, n.gap); err != nil {
		t.Fatalf("Start with a server = %v", err)
	}
	if got := n.Stats(); !got.Connected || got.Reconnects != 0 {
		t.Errorf("Stats = %+v, want connected for the first time", got)
	}
}

func TestPeers(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "b", "c")
	nc := outsider(t, s)
	if err := nc.Publish("roost.default.all", []byte(hello(1))); err != nil { // and never again
		t.Fatal(err)
	}
	peers := func(names ...string) func() bool {
		return func() bool { return slices.Equal(all[0].Stats().Peers, names) }
	}
	eventually(t, "b knows c and n1", peers("c", "n1"))
	eventually(t, "n1 has gone silent", peers("c"))
	all[1].Close()
	eventually(t, "c has left", peers())
	open(t, cluster.Config{URL: s.URL(), Node: "c"})
	eventually(t, "c is back", peers("c"))
}
