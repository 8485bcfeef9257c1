package pubsub_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// Topics yields all topics with subscribers, a crowd as one, while others come and go.
func TestTopics(t *testing.T) {
	ps := pubsub.New(pubsub.Config{Shards: 4}, new(line))
	want := map[string]int{"crowd": 3 * pubsub.Split}
	crowd(ps, "crowd", 3*pubsub.Split)
	for i := range 3000 { // more than are read under one lock
		name := fmt.Sprint("room:", i)
		crowd(ps, name, i%3)
		if i%3 > 0 {
			want[name] = i % 3
		}
	}
	var others sync.WaitGroup
	others.Go(func() {
		for i := range 2000 {
			for _, in := range crowd(ps, fmt.Sprint("brief:", i), 1) {
				ps.Unsubscribe(in)
			}
		}
	})
	got := maps.Collect(ps.Topics())
	others.Wait()
	maps.DeleteFunc(got, func(name string, _ int) bool { return name[0] == 'b' })
	if !maps.Equal(got, want) {
		t.Errorf("Topics has %d topics, want %d; the crowd has %d members, want %d", len(got), len(want), got["crowd"], want["crowd"])
	}
	for range ps.Topics() {
		break // leaves nothing locked
	}
	crowd(ps, "crowd", 1)
}
