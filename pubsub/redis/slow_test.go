package redis_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/redis"
)

// Redis hangs up on a node whose host is too busy to read (client-output-buffer-limit):
// what it missed it asks for, and gets once and in order.
func TestRedisHangsUp(t *testing.T) {
	t.Parallel()
	const most, size = 40, 256 << 10 // 10 MiB, more than the limit and what sockets hold
	s := serve(t, "--client-output-buffer-limit", "pubsub", "2mb", "2mb", "0")
	p := newProxy(t, s.socket())
	a := open(t, "a", redis.Config{URL: s.url("")}, cluster.Config{})
	b := open(t, "b", redis.Config{URL: "unix://" + p.addr}, cluster.Config{})
	close(a.hold)
	close(b.hold)
	meet(t, a, b)
	var sent []string
	say := func() {
		sent = append(sent, fmt.Sprintf("%06d", len(sent)))
		if err := a.Broadcast(&pubsub.Message{Topic: "a", Event: sent[len(sent)-1], Payload: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	say()
	eventually(t, "the first arrives", func() bool { return len(b.got()) == 1 })
	p.mu.Lock()
	release := sync.OnceFunc(p.mu.Unlock)
	defer release()
	for range most {
		say()
	}
	eventually(t, "Redis has hung up", func() bool { return !strings.Contains(s.do(t, "CLIENT", "LIST", "TYPE", "pubsub"), "name=roost-b") })
	release()
	eventually(t, "all arrive", func() bool { return len(b.got()) >= len(sent) })
	if got := b.got(); !slices.Equal(got, sent) {
		t.Errorf("got %q, want %d in order", got, len(sent))
	}
	if got := b.Stats(); got.Missed != 0 || got.Reconnects == 0 || got.Repaired == 0 {
		t.Errorf("Stats = %+v, want some repaired, none missed, and a link that was lost", got)
	}
}

// A proxy passes on what clients send, and what the server answers while nobody holds mu.
type proxy struct {
	addr string
	mu   sync.Mutex
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	p := &proxy{addr: filepath.Join(filepath.Dir(to), "proxy")}
	l, err := net.Listen("unix", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { l.Close(); running.Wait() })
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			server, err := net.Dial("unix", to)
			if err != nil {
				client.Close()
				continue
			}
			running.Go(func() { _, _ = io.Copy(server, client); server.Close() })
			running.Go(func() { _, _ = io.Copy(held{p, client}, server); client.Close() })
		}
	})
	return p
}

// held writes while nobody holds the proxy.
type held struct {
	*proxy
	io.Writer
}

func (h held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Writer.Write(b)
}
