package pubsubtest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/pubsub"
)

// A Cluster says what to test.
type Cluster struct {
	// Node returns a node of one cluster, new and not started, whose name is its own.
	// No more than some 64 KiB should wait to be sent: the suite publishes until it is
	// refused. Nodes should make themselves heard at once, and not count as gone while a
	// busy host lets them wait for a second or two: the suite waits for them to know
	// each other.
	Node func(name string) pubsub.Adapter

	// TooLarge is a number of bytes that a payload must not have. It is required, and
	// 256 KiB have to pass.
	TooLarge int

	// Lingering names functions of libraries whose goroutines may end a while after
	// Close, by themselves: the suite does not wait for them.
	Lingering []string
}

// Run tests an adapter: one test for each promise, each in a cluster of its own,
// which start makes. That may leave to t.Cleanup what it has started. Tests run one
// after the other, and not beside others: they look for goroutines that stay behind.
func Run(t *testing.T, start func(t *testing.T) Cluster) {
	for _, promise := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{
		{"each node once", eachNodeOnce},
		{"texts of any bytes", anyBytes},
		{"order of a publisher", orderOfPublisher},
		{"to one node", toOneNode},
		{"since it listens", sinceItListens},
		{"nodes come and go", comeAndGo},
		{"too large", tooLarge},
		{"overloaded", overloaded},
		{"publishers do not wait", doesNotWait},
		{"deliver fails", deliverFails},
		{"here is no room", noRoomHere},
		{"not connected", notConnected},
		{"close sends what waits", closeSends},
		{"close waits for deliver", closeWaits},
		{"close while all publish", closeWhilePublishing},
		{"count", count},
		{"watch", watch},
	} {
		t.Run(promise.name, func(t *testing.T) {
			c := &cluster{Cluster: start(t)}
			running := []goleak.Option{goleak.IgnoreCurrent()}
			for _, name := range c.Lingering {
				running = append(running, goleak.IgnoreAnyFunction(name))
			}
			t.Cleanup(c.close) // if the test fails
			promise.test(t, c)
			c.close()
			eventually(t, "the nodes leave no goroutine", func() bool { return goleak.Find(running...) == nil })
		})
	}
}
