package redis_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/redis"
)

// Broadcasts from one of three nodes to another, while the third listens to other topics:
// one at a time, and with up to 500 on their way.
func BenchmarkThreeNodes(b *testing.B) {
	for _, ahead := range []int{1, 500} {
		b.Run(fmt.Sprintf("ahead=%d", ahead), func(b *testing.B) {
			s := serve(b)
			in := make(chan time.Duration, 1024)
			begin := time.Now()
			deliver := func(m *pubsub.Message) error { in <- time.Since(begin); return nil }
			var nodes []*cluster.Link
			for _, topic := range []string{"of nobody", "room:1", "another"} {
				l := cluster.New(cluster.Config{Carrier: redis.New(redis.Config{URL: s.url("")}), Node: topic, Logger: quiet})
				l.Listen(topic)
				if err := l.Start(deliver, func(pubsub.Gap) {}); err != nil {
					b.Fatal(err)
				}
				b.Cleanup(l.Close)
				nodes = append(nodes, l)
			}
			eventually(b, "three nodes know each other", func() bool { return len(nodes[0].Stats().Peers) == 2 })
			m := &pubsub.Message{Topic: "room:1", Event: "new_msg", Payload: fmt.Appendf(nil, `{"text":"%0*d"}`, 200, 0)}
			var sent, took []time.Duration
			arrive := func() { took = append(took, <-in-sent[len(took)]) }
			for b.Loop() {
				sent = append(sent, time.Since(begin))
				if err := nodes[0].Broadcast(m); err != nil {
					b.Fatal(err)
				}
				if len(sent) >= ahead {
					arrive()
				}
			}
			for len(took) < len(sent) {
				arrive()
			}
			b.ReportMetric(float64(len(sent))/b.Elapsed().Seconds(), "msg/s")
			slices.Sort(took)
			for _, p := range []int{50, 99} {
				b.ReportMetric(float64(took[len(took)*p/100].Nanoseconds())/1e3, fmt.Sprintf("p%d-µs", p))
			}
		})
	}
}
