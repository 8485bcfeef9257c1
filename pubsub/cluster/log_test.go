package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// A stalled handler takes no line until it is released.
type stalled struct {
	slog.Handler
	released chan struct{}
}

func (s stalled) Handle(context.Context, slog.Record) error { <-s.released; return nil }
func (s stalled) Enabled(context.Context, slog.Level) bool  { return true }
func (s stalled) WithAttrs([]slog.Attr) slog.Handler        { return s }

// A log handler that blocks does not delay what comes from other nodes, although the log
// is told of them first, and delays the end of the link by a second at most.
func TestStalledLog(t *testing.T) {
	log := stalled{released: make(chan struct{})}
	defer close(log.released)
	server := serve(t, natsserver.Config{})
	deaf := newNode(cluster.Config{URL: server.URL(), Node: "deaf", Beat: 50 * time.Millisecond, Logger: slog.New(log)})
	if err := deaf.Start(deaf.deliver, deaf.gap); err != nil {
		t.Fatal(err)
	}
	other := open(t, cluster.Config{URL: server.URL(), Node: "other"})
	meet(t, deaf, other)
	send(t, other, "a", "b")
	want(t, deaf, "a", "b")
	ended := make(chan struct{})
	go func() { defer close(ended); deaf.Close() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("Close has not returned after 15 s")
	}
}

// A page holds what a log has written.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// lines returns the lines that contain a text.
func (p *page) lines(what string) (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(p.text.String()) {
		if strings.Contains(line, what) {
			all = append(all, line)
		}
	}
	return all
}

// Nodes that come and leave are counted in the log, and named only at level debug: of
// many that start together, each would log a line about each of the others.
func TestLogCountsNodes(t *testing.T) {
	t.Parallel()
	const others = 6
	server := serve(t, natsserver.Config{})
	all, short := new(page), new(page)
	watch := func(name string, to *page, level slog.Level) *node {
		n := newNode(cluster.Config{URL: server.URL(), Node: name, Beat: 50 * time.Millisecond,
			Logger: slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))})
		if err := n.Start(n.deliver, n.gap); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Close)
		return n
	}
	nodes := []*node{watch("all", all, slog.LevelDebug), watch("short", short, slog.LevelInfo)}
	meet(t, nodes...)
	for i := range others {
		nodes = append(nodes, open(t, cluster.Config{URL: server.URL(), Node: fmt.Sprint("n", i)}))
	}
	meet(t, nodes...)
	nodes[2].Close()
	counted := func() (came, left int) {
		for _, line := range short.lines("nodes have come or left") {
			var c, l int
			_, text, _ := strings.Cut(line, " came=")
			if _, err := fmt.Sscanf(text, "%d left=%d", &c, &l); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			came, left = came+c, left+l
		}
		return came, left
	}
	eventually(t, "the log has counted them", func() bool { // on a busy host one may come twice
		came, left := counted()
		return came >= others+1 && left >= 1
	})
	if names := short.lines("node has"); len(names) > 0 {
		t.Errorf("lines about one node each:\n%s", strings.Join(names, ""))
	}
	eventually(t, "they are named at level debug", func() bool { return len(all.lines("node has come")) >= others+1 })
}
