package cluster_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// hop starts two nodes. Messages of the first come out of the Go channel.
func hop(b *testing.B) (from *cluster.Link, in chan *pubsub.Message) {
	s := serve(b, natsserver.Config{})
	in = make(chan *pubsub.Message, 1024)
	to := newNode(cluster.Config{URL: s.URL(), Node: "to", Logger: quiet})
	if err := to.Start(func(m *pubsub.Message) error { in <- m; return nil }, noGap); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(to.Close)
	from = open(b, cluster.Config{URL: s.URL(), Node: "from"}).Link
	eventually(b, "they know each other", func() bool { return len(from.Stats().Peers) == 1 })
	return from, in
}

func text(size int) *pubsub.Message {
	return &pubsub.Message{Topic: "room:1", Event: "new_msg", Payload: fmt.Appendf(nil, `{"text":"%0*d"}`, size, 0)}
}

// One message at a time: how long a broadcast takes to the other node.
func BenchmarkHopLatency(b *testing.B) {
	from, in := hop(b)
	m := text(200)
	b.ReportAllocs()
	for b.Loop() {
		if err := from.Broadcast(m); err != nil {
			b.Fatal(err)
		}
		<-in
	}
}

// As many as arrive, with up to 500 on their way: the time of one.
func BenchmarkHopThroughput(b *testing.B) {
	for _, size := range []int{200, 10_000} {
		b.Run(fmt.Sprintf("text-%dB", size), func(b *testing.B) {
			from, in := hop(b)
			m := text(size)
			b.SetBytes(int64(len(m.Payload)))
			b.ReportAllocs()
			ahead := 0
			for b.Loop() {
				if err := from.Broadcast(m); err != nil {
					b.Fatal(err)
				}
				if ahead++; ahead == 500 {
					<-in
					ahead--
				}
			}
			for range ahead {
				<-in
			}
		})
	}
}

// The cost of a broadcast for its publisher. If NATS is slower, some are refused.
func BenchmarkBroadcast(b *testing.B) {
	from, in := hop(b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range in {
			if m.Event == "end" {
				return
			}
		}
	}()
	m := text(200)
	b.ReportAllocs()
	refused := 0
	for b.Loop() {
		err := from.Broadcast(m)
		if errors.Is(err, pubsub.ErrOverloaded) {
			refused++
		} else if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(refused)/float64(b.N), "refused/op")
	eventually(b, "all sent", func() bool { return from.Stats().Pending == 0 })
	if err := from.Broadcast(&pubsub.Message{Topic: "room:1", Event: "end"}); err != nil {
		b.Fatal(err)
	}
	<-done
}
