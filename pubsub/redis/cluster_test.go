package redis_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/redis"
)

// slots is how many hash slots the keys and channels of a Redis Cluster lie in.
const slots = 16384

// serveCluster runs a Redis Cluster of three servers, and a replica of the first one,
// until the test ends. A server that is gone is missed after half a second.
func serveCluster(t testing.TB) (all []*server) {
	t.Helper()
	ports := free(8)
	for i := range 4 {
		all = append(all, serve(t, "--bind", "127.0.0.1", "--port", ports[2*i], "--cluster-enabled", "yes",
			"--cluster-port", ports[2*i+1], "--cluster-node-timeout", "500", "--repl-diskless-sync-delay", "0"))
		all[i].port = ports[2*i]
	}
	masters := all[:3]
	for i, s := range masters {
		s.do(t, "CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		s.do(t, "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(slots*i/3), fmt.Sprint(slots*(i+1)/3-1))
	}
	for i := range all[1:] {
		all[0].do(t, "CLUSTER", "MEET", "127.0.0.1", ports[2*i+2], ports[2*i+3])
	}
	replica := all[3]
	eventually(t, "the servers know each other", func() bool {
		return strings.Contains(replica.do(t, "CLUSTER", "INFO"), "cluster_known_nodes:4") && whole(t, masters)
	})
	replica.do(t, "CLUSTER", "REPLICATE", all[0].do(t, "CLUSTER", "MYID"))
	eventually(t, "the replica has what its master has", func() bool {
		return strings.Contains(replica.do(t, "INFO", "replication"), "master_link_status:up") && whole(t, all)
	})
	return all
}

// whole reports whether all slots are served, as far as the given servers know.
func whole(t testing.TB, some []*server) bool {
	t.Helper()
	for _, s := range some {
		if !strings.Contains(s.do(t, "CLUSTER", "INFO"), "cluster_state:ok") {
			return false
		}
	}
	return true
}

// free are ports on which nobody listens, below those that the kernel gives to others
// while a server is away.
func free(n int) (ports []string) {
	for len(ports) < n {
		port := fmt.Sprint(10_000 + rand.IntN(20_000))
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			defer ln.Close() // when all are known to differ
			ports = append(ports, port)
		}
	}
	return ports
}

// urlOf returns the URL of a Redis Cluster.
func urlOf(servers []*server) string {
	url := "redis://127.0.0.1:" + servers[0].port
	for i, s := range servers[1:] {
		url += fmt.Sprintf("%caddr=127.0.0.1:%s", "?&"[min(i, 1)], s.port)
	}
	return url
}

// The same holds for sharded channels while a server of a Redis Cluster is in trouble: its
// replica takes over, and later it is a replica itself.
func TestClusterInTrouble(t *testing.T) {
	for name, trouble := range map[string]func(t *testing.T, all []*server){
		"killed": func(t *testing.T, all []*server) {
			all[0].kill()
			takenOver(t, all)
			all[0].start(t)
		},
		"hung": func(t *testing.T, all []*server) {
			all[0].signal(t, syscall.SIGSTOP)
			defer all[0].signal(t, syscall.SIGCONT)
			takenOver(t, all)
		},
		"killed, one after the other": func(t *testing.T, all []*server) {
			for _, s := range all[1:] {
				s.kill()
				s.start(t)
				eventually(t, "all slots are served again", func() bool { return whole(t, all) })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := serveCluster(t)
			a, b := pair(t, redis.Config{URL: urlOf(all), Sharded: true}, cluster.Config{})
			talk(t, a, b, func() { trouble(t, all) })
		})
	}
}

// takenOver waits until the replica of the first server serves its slots.
func takenOver(t *testing.T, all []*server) {
	t.Helper()
	eventually(t, "the replica has taken over", func() bool {
		return strings.Contains(all[3].do(t, "INFO", "replication"), "role:master") && whole(t, all[1:])
	})
}

// Every server of a Redis Cluster passes on what is not sharded: the node uses one that
// is left.
func TestOneServerIsLeft(t *testing.T) {
	t.Parallel()
	all := serveCluster(t)
	a, b := pair(t, redis.Config{URL: urlOf(all)}, cluster.Config{})
	talk(t, a, b, func() {
		for _, s := range append(all[:1:1], all[2:]...) {
			s.kill()
		}
		eventually(t, "the nodes have found it", func() bool {
			return strings.Contains(all[1].do(t, "PUBSUB", "NUMSUB", "roost.default.all"), "roost.default.all 2")
		})
	})
}
