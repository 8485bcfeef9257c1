package pubsub_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// One publish to a room of two costs the same on one processor and on many: run it
// with -cpu, too.
func BenchmarkPublishToTwo(b *testing.B) {
	for _, shards := range []int{1, 2, 16, 64} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) {
			ps := pubsub.New(pubsub.Config{Shards: shards}, new(stack))
			for range 2 {
				ps.Subscribe("a", new(sink))
			}
			payload := make([]byte, 128)
			b.ReportAllocs()
			for b.Loop() {
				if err := ps.Publish(&pubsub.Message{Topic: "a", Event: "e", Payload: payload}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Ten thousand rooms, and publishers that share no room but now and then: 64 of them
// with -cpu 64. With -mutexprofile it shows which locks they meet at.
func BenchmarkPublishToManyRooms(b *testing.B) {
	const rooms = 10_000
	for _, shards := range []int{1, 64} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) {
			ps := pubsub.New(pubsub.Config{Shards: shards}, new(stack))
			for i := range 2 * rooms {
				ps.Subscribe(fmt.Sprint("room:", i/2), new(reader))
			}
			names := make([]string, rooms)
			for i := range names {
				names[i] = fmt.Sprint("room:", i)
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := ps.Publish(&pubsub.Message{Topic: names[rand.IntN(rooms)], Event: "e"}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// A room of 18,000 on as many shards as there are processors, each with its turns.
func BenchmarkCrowd(b *testing.B) {
	const members = 18_000
	var pool goroutines
	ps := pubsub.New(pubsub.Config{Shards: 2}, &pool)
	for range members {
		ps.Subscribe("a", new(sink))
	}
	payload := make([]byte, 128)
	for b.Loop() {
		if err := ps.Publish(&pubsub.Message{Topic: "a", Event: "e", Payload: payload}); err != nil {
			b.Fatal(err)
		}
		pool.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/delivery")
}
