package presence_test

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/pubsubtest"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// 100,000 on a topic of three nodes: all come at once, then a hundredth of them is
// replaced each second for five seconds. It measures what a join takes of all three
// nodes' processor time, with the leave that goes with it; what it sends to each client
// and between the nodes, in bytes of payload; what a newcomer is sent; and how long after
// the last change all nodes know, and have told their clients, who is there. To deliver a
// diff to many clients is a broadcast, and not in it.
//
//	go test ./server/presence -run '^$' -bench Nodes -benchtime 1x
func BenchmarkNodes(b *testing.B) {
	const nodes = 3
	var cluster crowdedCluster
	network := pubsubtest.Network{}
	for i := range nodes {
		link := &meter{inMemory: network.Node(fmt.Sprint("node ", i)), bytes: &cluster.between}
		ep, channels := startCrowd(b, 100_000/nodes/100*100, link)
		cluster.nodes = append(cluster.nodes, &crowded{Endpoint: ep, channels: channels})
	}
	for _, mode := range crowdModes {
		b.Run(mode.name, func(b *testing.B) {
			for b.Loop() {
				cluster.run(b, mode.name, mode.cfg)
			}
		})
	}
}

// A meter counts the bytes that a node sends: once for each other node that gets them.
type meter struct {
	*inMemory
	bytes *atomic.Int64
}

func (m *meter) Broadcast(msg *pubsub.Message) error {
	m.bytes.Add(2 * int64(len(msg.Payload)))
	return m.inMemory.Broadcast(msg)
}

func (m *meter) Send(node string, msg *pubsub.Message) error {
	m.bytes.Add(int64(len(msg.Payload)))
	return m.inMemory.Send(node, msg)
}

type inMemory = pubsubtest.Node // whose name as a field is not its method's

// crowded is a node whose channels are all on the topic.
type crowded struct {
	*phxtest.Endpoint
	*presence.Presence
	channels []*phx.Channel
	next     int // the channel that goes next
}

type crowdedCluster struct {
	nodes   []*crowded
	between atomic.Int64
	names   int // given so far
}

const crowdTopic = "crowd"

func (c *crowdedCluster) run(b *testing.B, name string, cfg presence.Config) {
	const seconds, steps = 5, 10
	cfg.Name = name
	var told atomic.Int64
	crowd := 0
	for i, n := range c.nodes {
		n.Presence = presence.New(cfg)
		defer n.Close()
		if err := n.Attach(n.Endpoint.Endpoint); err != nil {
			b.Fatal(err)
		}
		count := func(m phx.Broadcast) {
			if i == 0 {
				told.Add(int64(len(m.Payload.JSON())))
			}
		}
		defer n.Subscribe(crowdTopic, count)()
		crowd += len(n.channels)
	}

	c.between.Store(0)
	began, cpu := time.Now(), processorTime()
	for _, n := range c.nodes {
		for i := range n.channels {
			c.track(b, n, i)
		}
	}
	c.converge(b, crowd)
	b.ReportMetric(time.Since(began).Seconds(), "s/all-joined")
	b.ReportMetric(perJoin(processorTime()-cpu, crowd), "µs-cpu/first-join")
	b.ReportMetric(float64(c.between.Load())/float64(crowd), "B-between/first-join")

	time.Sleep(time.Second) // for what is on its way to clients
	c.between.Store(0)
	told.Store(0)
	cpu = processorTime()
	joins := 0
	tick := time.NewTicker(time.Second / steps)
	defer tick.Stop()
	for step := range seconds * steps {
		<-tick.C
		for _, n := range c.nodes {
			some := len(n.channels) / 100 * 2 / steps
			if step%2 == 0 {
				n.leave(some)
			} else {
				c.join(b, n, some)
				joins += some
			}
		}
	}
	ended := time.Now()
	c.converge(b, crowd)
	b.ReportMetric(float64(time.Since(ended).Milliseconds()), "ms/converge")
	b.ReportMetric(perJoin(processorTime()-cpu, joins), "µs-cpu/join")
	b.ReportMetric(float64(c.between.Load())/float64(joins), "B-between/join")
	b.ReportMetric(float64(told.Load())/float64(joins), "B-client/join")
	b.ReportMetric(float64(told.Load())/seconds, "B-client/s")
	bytes, parts := c.nodes[0].StateSize(crowdTopic)
	b.ReportMetric(float64(bytes), "B/newcomer")
	b.ReportMetric(float64(parts), "messages/newcomer")
}

func (c *crowdedCluster) track(b *testing.B, n *crowded, i int) {
	c.names++
	if _, err := n.TrackOn(n.channels[i], crowdTopic, fmt.Sprint("user ", c.names), map[string]string{"status": "online"}); err != nil {
		b.Fatal(err)
	}
}

// leave has the next so many go, and join as many others come in their place.
func (n *crowded) leave(some int) {
	for _, ch := range n.channels[n.next : n.next+some] {
		if n.CountsOnly(crowdTopic) {
			n.Stand(ch)
		} else {
			n.UntrackAll(ch)
		}
	}
}

func (c *crowdedCluster) join(b *testing.B, n *crowded, some int) {
	for i := n.next; i < n.next+some; i++ {
		if n.CountsOnly(crowdTopic) {
			n.Sit(n.channels[i], crowdTopic)
		} else {
			c.track(b, n, i)
		}
	}
	n.next = (n.next + some) % (len(n.channels) - some)
}

// converge waits until all nodes know the same of each other, and clients of each have
// been told.
func (c *crowdedCluster) converge(b *testing.B, crowd int) {
	deadline := time.Now().Add(2 * time.Minute)
	for !c.converged(crowd) {
		if time.Now().After(deadline) {
			b.Fatalf("%d, %d and %d are known of %d", c.nodes[0].Count(crowdTopic), c.nodes[1].Count(crowdTopic), c.nodes[2].Count(crowdTopic), crowd)
		}
		time.Sleep(time.Millisecond)
	}
}

func (c *crowdedCluster) converged(crowd int) bool {
	for _, n := range c.nodes {
		if n.Count(crowdTopic) != crowd || n.Pending() > 0 {
			return false
		}
		for _, other := range c.nodes {
			if other != n && other.Known(n.Node()) != n.Clock() {
				return false
			}
		}
	}
	return true
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it cannot fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func perJoin(d time.Duration, joins int) float64 { return d.Seconds() * 1e6 / float64(joins) }
