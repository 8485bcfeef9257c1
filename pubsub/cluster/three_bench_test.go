package cluster_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
)

// deafNode is an environment variable that makes the test program a node without
// interest in what the benchmarks send, until its standard input ends: where NATS is, and
// a topic that it listens to.
const deafNode = "ROOST_TEST_DEAF"

func runDeaf(order string) error {
	url, topic, _ := strings.Cut(order, " ")
	n := cluster.New(cluster.Config{URL: url, Node: "deaf", Logger: quiet})
	n.Listen(topic)
	if err := n.Start(func(*pubsub.Message) error { return nil }, noGap); err != nil {
		return err
	}
	defer n.Close()
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startDeaf starts such a node in a process of its own, and returns its CPU time since.
func startDeaf(b *testing.B, url, topic string) (cpu func() time.Duration) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), deafNode+"="+url+" "+topic)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() }) // it has nothing to say
	return func() time.Duration {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		var ticks int
		for _, field := range strings.Fields(rest)[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
		return time.Duration(ticks) * 10 * time.Millisecond
	}
}

// three starts three NATS servers that are one cluster, and returns where they are.
func three(b *testing.B) (urls []string) {
	for _, p := range startNATS(b, 3) {
		urls = append(urls, p.url())
	}
	return urls
}

// one starts a node that sends what it gets of some topics into a Go channel.
func one(b *testing.B, url, name string, topics ...string) (*cluster.Link, chan *pubsub.Message) {
	b.Helper()
	in := make(chan *pubsub.Message, 1024)
	l := cluster.New(cluster.Config{URL: url, Node: name, Logger: quiet})
	for _, topic := range topics {
		l.Listen(topic)
	}
	if err := l.Start(func(m *pubsub.Message) error { in <- m; return nil }, noGap); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(l.Close)
	return l, in
}

// A broadcast from one node to another, at servers of their own, now and then: how long
// it takes.
func BenchmarkThreeNodesLatency(b *testing.B) {
	urls := three(b)
	from, _ := one(b, urls[0], "a")
	_, in := one(b, urls[1], "b", "room:1")
	startDeaf(b, urls[2], "of another bucket")
	eventually(b, "three nodes know each other", func() bool { return len(from.Stats().Peers) == 2 })
	m := text(200)
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := from.Broadcast(m); err != nil {
			b.Fatal(err)
		}
		<-in
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*p/100].Nanoseconds())/1e3, fmt.Sprintf("p%d-µs", p))
	}
}

// As many as arrive, from one node to another, or from two to two others: the difference
// is what a second lane of sending and receiving would bring.
func BenchmarkThreeNodesThroughput(b *testing.B) {
	for _, pairs := range []int{1, 2} {
		b.Run(fmt.Sprintf("pairs=%d", pairs), func(b *testing.B) {
			urls := three(b)
			startDeaf(b, urls[2], "of another bucket")
			var streams []func()
			for i := range pairs {
				m := text(200)
				m.Topic = fmt.Sprint("room:", i)
				from, _ := one(b, urls[0], fmt.Sprint("from", i))
				_, in := one(b, urls[1], fmt.Sprint("to", i), m.Topic)
				eventually(b, "the nodes know each other", func() bool { return len(from.Stats().Peers) == 2*i+2 })
				streams = append(streams, func() { stream(b, from, in, m) })
			}
			b.ResetTimer()
			var running sync.WaitGroup
			for _, s := range streams {
				running.Go(s)
			}
			running.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N*pairs)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// The cost of a broadcast for a node without subscribers of its topic, in CPU time of its
// process: nothing, unless the node listens to a topic of the same bucket.
func BenchmarkDeafNode(b *testing.B) {
	m := text(200)
	for _, same := range []bool{false, true} {
		b.Run(fmt.Sprintf("same bucket=%v", same), func(b *testing.B) {
			url := startNATS(b, 1)[0].url()
			from, _ := one(b, url, "from")
			_, in := one(b, url, "to", m.Topic)
			topic := "other"
			for i := 0; (from.Bucket(topic) == from.Bucket(m.Topic)) != same; i++ {
				topic = fmt.Sprint("other ", i)
			}
			cpu := startDeaf(b, url, topic)
			eventually(b, "the nodes know each other", func() bool { return len(from.Stats().Peers) == 2 })
			before := cpu()
			b.ResetTimer()
			stream(b, from, in, m)
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "deaf-ns/msg")
		})
	}
}

// stream sends a message b.N times, with up to 500 on their way.
func stream(b *testing.B, from *cluster.Link, in chan *pubsub.Message, m *pubsub.Message) {
	for i := range b.N {
		if err := from.Broadcast(m); err != nil {
			b.Error(err)
			return
		}
		if i >= 500 {
			<-in
		}
	}
	for range min(b.N, 500) {
		<-in
	}
}
