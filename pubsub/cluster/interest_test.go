package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

var _ pubsub.Selective = (*cluster.Link)(nil)

// An ear is a Carrier that notes what it is asked to listen to, and what comes.
type ear struct {
	cluster.Carrier
	cluster.Conn

	mu    sync.Mutex
	turns int            // of Listen and Ignore
	on    []string       // subjects of buckets
	came  map[string]int // envelopes by subject
}

func (e *ear) Connect(s cluster.Session) (_ cluster.Conn, err error) {
	e.came = make(map[string]int)
	e.on = slices.DeleteFunc(slices.Clone(s.Subjects), func(s string) bool { return !strings.Contains(s, ".b.") })
	receive := s.Receive
	s.Receive = func(subject string, data []byte) {
		e.mu.Lock()
		e.came[subject]++
		e.mu.Unlock()
		receive(subject, data)
	}
	e.Conn, err = e.Carrier.Connect(s)
	return e, err
}

func (e *ear) Listen(subjects []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turns++
	e.on = append(e.on, subjects...)
	return e.Conn.Listen(subjects)
}

func (e *ear) Ignore(subjects []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turns++
	e.on = slices.DeleteFunc(e.on, func(s string) bool { return slices.Contains(subjects, s) })
	return e.Conn.Ignore(subjects)
}

// asked is how often the carrier was asked to listen or to ignore.
func (e *ear) asked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.turns
}

func (e *ear) listens(subject string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.on, subject)
}

// broadcasts are how many envelopes came for buckets.
func (e *ear) broadcasts() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for subject, came := range e.came {
		if strings.Contains(subject, ".b.") {
			n += came
		}
	}
	return n
}

// beats are how many envelopes came for all nodes.
func (e *ear) beats() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.came["roost.default.all"]
}

// openEar starts a node that listens to nothing.
func openEar(t *testing.T, url, name string) (*node, *ear) {
	t.Helper()
	e := &ear{Carrier: cluster.NATS(cluster.Config{URL: url})}
	n := &node{Link: cluster.New(cluster.Config{Carrier: e, Node: name, Beat: 50 * time.Millisecond, Logger: quiet})}
	if err := n.Start(n.deliver, n.gap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n, e
}

// A node hears nothing of topics without subscribers there, and counts none of it as
// missed.
func TestNoInterest(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a", "b")
	deaf, ear := openEar(t, s.URL(), "deaf")
	meet(t, append(all, deaf)...)
	send(t, all[0], numbers(0, 1000)...)
	want(t, all[1], numbers(0, 1000)...)
	if err := all[1].Send("deaf", &pubsub.Message{Topic: "room:1", Event: "for deaf"}); err != nil {
		t.Fatal(err)
	}
	want(t, deaf, "for deaf")
	eventually(t, "a further beat has come", func() bool { return ear.beats() > 2*len(all) })
	if got := ear.broadcasts(); got > 0 {
		t.Errorf("%d broadcasts came, want none", got)
	}
	if got := deaf.Stats(); got.Missed != 0 || got.Received != 1 {
		t.Errorf("Stats = %+v, want one received and none missed", got)
	}
}

// A topic that comes and goes changes no subscription of the carrier. When it stays away,
// the node hears nothing more, and when it listens again, it misses nothing of the time
// between.
func TestInterestLingers(t *testing.T) {
	s := serve(t, natsserver.Config{})
	a := open(t, cluster.Config{URL: s.URL(), Node: "a", MaxKept: 1})
	b, ear := openEar(t, s.URL(), "b")
	meet(t, a, b)
	hears := func(event string) {
		t.Helper()
		b.Listen("room:1")
		eventually(t, "b hears "+event, func() bool {
			send(t, a, event) // nothing is kept
			return slices.Contains(b.got(), event)
		})
	}
	hears("x")
	b.Ignore("room:1")
	eventually(t, "20 beats have come", func() bool {
		b.Listen("room:1")
		b.Ignore("room:1")
		return ear.beats() >= 20
	})
	if got := ear.asked(); got > 10 { // one, unless this goroutine was left standing
		t.Errorf("the carrier was asked %d times, want once to listen", got)
	}
	eventually(t, "it listens no more", func() bool { return !ear.listens(a.Bucket("room:1")) })
	send(t, a, numbers(0, 100)...)
	hears("y")
	if got := b.Stats(); got.Missed != 0 {
		t.Errorf("Stats = %+v, want nothing missed", got)
	}
}

// What is published after Subscribe has returned arrives, even if the link was down at
// the time.
func TestSubscribeWhileLinkIsDown(t *testing.T) {
	all, proxies := apart(t)
	send(t, all[2], "0")
	want(t, all[0], "0")
	proxies[0].cut(true)
	eventually(t, "a has noticed", func() bool { return !all[0].Stats().Connected })
	all[0].Listen("room:2")
	all[1].Listen("room:2")
	for _, e := range numbers(1, 100) {
		if err := all[2].Broadcast(&pubsub.Message{Topic: "room:2", Event: e}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "b has got the last", func() bool { return slices.Contains(all[1].got(), "000099") })
	proxies[0].cut(false)
	want(t, all[0], append([]string{"0"}, numbers(1, 100)...)...)
}

// Nodes that come when others have broadcast for a long time get what is broadcast from
// then on, in every bucket, and miss nothing.
func TestSubscribersOfManyTopics(t *testing.T) {
	const topics = 3000
	s := serve(t, natsserver.Config{})
	var pool goroutines
	nodes := make([]*pubsub.PubSub, 2)
	for i := range nodes {
		link := cluster.New(cluster.Config{URL: s.URL(), Node: fmt.Sprint("n", i), Beat: time.Hour, Logger: quiet})
		nodes[i] = pubsub.New(pubsub.Config{Shards: 3, Adapter: link}, &pool)
		if err := nodes[i].Start(); err != nil {
			t.Fatal(err)
		}
		defer nodes[i].Close()
	}
	publish := func(topic, event string) {
		t.Helper()
		if err := nodes[0].Publish(&pubsub.Message{Topic: topic, Event: event}); err != nil {
			t.Fatal(err)
		}
	}
	crowd := make([]*listener, topics)
	for i := range crowd {
		topic := fmt.Sprint("room:", i)
		publish(topic, "before")
		crowd[i] = new(listener)
		nodes[1].Subscribe(topic, crowd[i])
		publish(topic, "after")
	}
	for i, l := range crowd {
		eventually(t, fmt.Sprintf("subscriber %d gets what was published then", i), func() bool { return slices.Contains(l.got(), "after") })
		if got := l.got(); len(got) > 2 || got[len(got)-1] != "after" {
			t.Errorf("subscriber %d got %v, want after, and before it at most before", i, got)
		}
	}
	if got := nodes[1].AdapterStats(); got.Missed != 0 {
		t.Errorf("Stats = %+v, want nothing missed", got)
	}
	pool.Wait()
}

// Listening to one more topic costs only what concerns its bucket, however many others
// are in use: a new room must not move the tables of all nodes.
func TestListeningCostsLittle(t *testing.T) {
	const topics, each = 2000, 10
	s := serve(t, natsserver.Config{})
	cfg := cluster.Config{URL: s.URL(), Beat: time.Hour}
	all := openAll(t, cfg, "a", "b", "c")
	for i := range topics {
		if err := all[i%2].Broadcast(&pubsub.Message{Topic: fmt.Sprint("busy:", i)}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all is sent", func() bool { return all[0].Stats().Published+all[1].Stats().Published == topics })
	var answers, bytes atomic.Int64
	nc := outsider(t, s)
	if _, err := nc.Subscribe("roost.default.>", func(m *nats.Msg) {
		if strings.Contains(m.Subject, ".b.") {
			return // a broadcast that is still on its way
		}
		bytes.Add(int64(len(m.Data)))
		if strings.Contains(m.Subject, ".node.") {
			answers.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := range int64(each) {
		all[2].Listen(fmt.Sprint("new:", i))
		eventually(t, "both others answer", func() bool { return answers.Load() >= 2*(i+1) })
	}
	if got := bytes.Load() / each; got > 500 {
		t.Errorf("a topic costs %d bytes, want at most 500", got)
	}
}
