package pubsub_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// Publishing to a room of two costs the same on one processor and on many:
//
//	go test ./pubsub -run '^$' -bench PublishToTwo -cpu 1
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

// Publishers, 64 of them with -cpu 64, publish to ten thousand rooms, and seldom to the
// same one. The profile shows at which locks they meet, and -contentions how often:
//
//	go test ./pubsub -run '^$' -bench PublishToManyRooms/shards=64 -cpu 64 -benchtime 1000000x \
//		-mutexprofile mutex.prof -mutexprofilefraction 1
//	go tool pprof -top -contentions mutex.prof
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

// A room of 18,000, on few shards and on many.
func BenchmarkCrowd(b *testing.B) {
	for _, shards := range []int{2, 8, 64} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) { fanOut(b, 1, 18_000, shards) })
	}
}

// A thousand rooms of 500, each walked in the turns of its shard. With more shards than
// processors, no processor idles while another has rooms left.
func BenchmarkRooms(b *testing.B) {
	for _, each := range []int{1, 4} {
		b.Run(fmt.Sprintf("shards each=%d", each), func(b *testing.B) {
			fanOut(b, 1000, 500, each*runtime.GOMAXPROCS(0))
		})
	}
}

// fanOut publishes to all rooms and waits until all members have it.
func fanOut(b *testing.B, rooms, members, shards int) {
	var pool goroutines
	ps := pubsub.New(pubsub.Config{Shards: shards}, &pool)
	names := make([]string, rooms)
	for i := range names {
		names[i] = fmt.Sprint("room:", i)
		for range members {
			ps.Subscribe(names[i], new(sink))
		}
	}
	payload := make([]byte, 128)
	for b.Loop() {
		for _, name := range names {
			if err := ps.Publish(&pubsub.Message{Topic: name, Event: "e", Payload: payload}); err != nil {
				b.Fatal(err)
			}
		}
		pool.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rooms*members), "ns/delivery")
}
