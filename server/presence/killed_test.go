package presence_test

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// A chronicle counts what the application of a node is told: joins, and leaves, by key.
type chronicle struct {
	mu    sync.Mutex
	times map[string]int // "+ann", "-ann"
}

func (c *chronicle) changed(d presence.Diff) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range d.Joins {
		c.times["+"+key]++
	}
	for key := range d.Leaves {
		c.times["-"+key]++
	}
}

// tells waits until it is these changes, each once. More are never right again.
func (c *chronicle) tells(t *testing.T, node string, want ...string) {
	t.Helper()
	all := make(map[string]int)
	for _, change := range want {
		all[change] = 1
	}
	eventually(t, fmt.Sprintf("%s is told %v", node, want), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for change, n := range c.times {
			if n > all[change] {
				t.Fatalf("%s is told %v, want %v", node, c.times, want)
			}
		}
		return reflect.DeepEqual(c.times, all)
	})
}

// startTold starts a node with a chronicle. It prefers the first of the NATS servers.
func startTold(t *testing.T, name string, urls []string, cfg presence.Config) (node, *chronicle) {
	t.Helper()
	c := &chronicle{times: make(map[string]int)}
	cfg.Changed = c.changed
	return startNodeOver(t, cluster.Config{
		URL:     strings.Join(urls, ","),
		Options: []nats.Option{nats.DontRandomize(), nats.ReconnectWait(20 * time.Millisecond)},
	}, name, cfg), c
}

// One after the other, each NATS server of three is killed with kill -9, and people come
// and go meanwhile, also on the node that was connected to it. Each node is told of each
// of them once, and that nobody leaves who stays.
func TestNATSServersKilled(t *testing.T) {
	t.Parallel()
	servers, urls := startCluster(t)
	cfg := presence.Config{DownAfter: time.Hour}
	var nodes []node
	var told []*chronicle
	var changes []string
	for i, name := range []string{"a", "b", "c"} {
		n, c := startTold(t, name, append(urls[i:len(urls):len(urls)], urls[:i]...), cfg)
		nodes, told = append(nodes, n), append(told, c)
		join(t, n.Endpoint, "of "+name)
		changes = append(changes, "+of "+name)
	}
	agree := func() {
		t.Helper()
		for i, c := range told {
			c.tells(t, nodes[i].Node(), changes...)
		}
	}
	agree()
	var last *phxtest.Channel
	for i, s := range servers {
		s.kill()
		if last != nil {
			last.Leave()
			changes = append(changes, fmt.Sprint("-guest ", i-1))
		}
		last = join(t, nodes[i].Endpoint, fmt.Sprint("guest ", i))
		changes = append(changes, fmt.Sprint("+guest ", i))
		agree() // over the other two
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
	}
	last.Leave()
	changes = append(changes, "-guest 2")
	agree()
}

// A node is killed with kill -9. Its people leave after DownAfter, on all other nodes, and
// nobody else does. When it is there again, they are.
func TestNodeKilled(t *testing.T) {
	t.Parallel()
	urls := []string{startNATS(t).URL()}
	cfg := presence.Config{DownAfter: 3 * time.Second}
	a, toldA := startTold(t, "a", urls, cfg)
	b, toldB := startTold(t, "b", urls, cfg)
	join(t, a.Endpoint, "ann")
	join(t, b.Endpoint, "bea")
	bobs := startProcess(t, nodeURL+"="+urls[0])
	for _, c := range []*chronicle{toldA, toldB} {
		c.tells(t, "each", "+ann", "+bea", "+bob")
	}
	bobs.kill()
	for _, c := range []*chronicle{toldA, toldB} {
		c.tells(t, "each", "+ann", "+bea", "+bob", "-bob")
	}
	startProcess(t, bobs.env)
	for _, n := range []node{a, b} {
		n.sees(t, "ann", "bea", "bob")
	}
}
