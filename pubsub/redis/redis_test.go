package redis_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/pubsubtest"
	"github.com/roost-rt/roost/pubsub/redis"
)

// lingering are goroutines of rueidis that end by themselves, within five seconds.
var lingering = []string{"github.com/redis/rueidis.(*call).DelayDo.func1", "github.com/redis/rueidis.(*clusterClient)._refresh.func2"}

func TestMain(m *testing.M) {
	options := []goleak.Option{goleak.IgnoreCurrent()}
	for _, name := range lingering {
		options = append(options, goleak.IgnoreAnyFunction(name))
	}
	goleak.VerifyTestMain(m, options...)
}

var quiet = slog.New(slog.DiscardHandler)

// A server is a Redis server at a Unix socket, to be killed and started again.
type server struct {
	dir  string
	args []string
	port string // of a server of a Redis Cluster
	cmd  *exec.Cmd
	said sync.WaitGroup
}

// serve runs a Redis server until the test ends.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatalf("%v: apt-get install redis-server, or run scripts/test, which does", err)
	}
	dir, err := os.MkdirTemp("", "redis") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{dir: dir, args: args}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *server) start(t testing.TB) {
	t.Helper()
	args := append([]string{"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", ""}, s.args...)
	s.cmd = exec.Command("redis-server", args...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, text := bufio.NewScanner(out), ""
	for !strings.Contains(strings.ToLower(text), "ready to accept connections") {
		if !lines.Scan() {
			t.Fatalf("redis-server ends: %s", text)
		}
		text += lines.Text() + "\n"
	}
	s.said.Go(func() { _, _ = io.Copy(io.Discard, out) })
}

func (s *server) socket() string { return filepath.Join(s.dir, "socket") }

// url is where the server is, for a user, such as "name:password@", or nobody.
func (s *server) url(user string) string { return "unix://" + user + s.socket() }

func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	s.said.Wait()
	_ = s.cmd.Wait() // killed
}

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// do sends a command as somebody who is no node, and returns the answer.
func (s *server) do(t testing.TB, words ...string) string {
	t.Helper()
	o, err := rueidis.ParseURL(s.url(""))
	if err != nil {
		t.Fatal(err)
	}
	o.DisableCache, o.ForceSingleClient = true, true
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := c.Do(t.Context(), c.B().Arbitrary(words...).Build()).ToAny()
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return fmt.Sprint(answer)
}

// Clusters of other names share the server.
func TestAdapter(t *testing.T) {
	one, several, clusters := serve(t).url(""), urlOf(serveCluster(t)), 0
	for name, cfg := range map[string]redis.Config{
		"one server":               {URL: one},
		"one server, sharded":      {URL: one, Sharded: true},
		"several servers":          {URL: several},
		"several servers, sharded": {URL: several, Sharded: true},
	} {
		cfg.MaxMessage = 1 << 20
		t.Run(name, func(t *testing.T) {
			pubsubtest.Run(t, func(*testing.T) pubsubtest.Cluster {
				clusters++
				return pubsubtest.Cluster{
					Node: func(name string) pubsub.Adapter {
						return cluster.New(cluster.Config{
							Carrier: redis.New(cfg), Cluster: fmt.Sprint("test", clusters), Node: name,
							MaxPending: 64 << 10, Beat: time.Second, Logger: quiet,
						})
					},
					TooLarge: 1 << 20, Lingering: lingering,
				}
			})
		})
	}
}

// A node is a Link and the events it has delivered.
type node struct {
	*cluster.Link
	hold   chan struct{} // closed when it takes what comes
	mu     sync.Mutex
	events []string
}

func (n *node) deliver(m *pubsub.Message) error {
	<-n.hold
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, m.Event)
	return nil
}

func (n *node) got() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.events)
}

// pair starts two nodes that know each other. The second takes nothing until its hold
// is closed.
func pair(t *testing.T, carrier redis.Config, cfg cluster.Config) (a, b *node) {
	t.Helper()
	a, b = open(t, "a", carrier, cfg), open(t, "b", carrier, cfg)
	close(a.hold)
	meet(t, a, b)
	return a, b
}

// open starts a node that is closed when the test ends.
func open(t *testing.T, name string, carrier redis.Config, cfg cluster.Config) *node {
	t.Helper()
	cfg.Carrier, cfg.Node = redis.New(carrier), name
	cfg.Beat, cfg.Logger = 50*time.Millisecond, quiet
	n := &node{Link: cluster.New(cfg), hold: make(chan struct{})}
	n.Listen("a")
	if err := n.Start(n.deliver, func(pubsub.Gap) {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// meet waits until two nodes know each other.
func meet(t *testing.T, a, b *node) {
	t.Helper()
	eventually(t, "the nodes know each other", func() bool { return len(a.Stats().Peers) == 1 && len(b.Stats().Peers) == 1 })
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// Two nodes talk while Redis is in trouble. Each message that Broadcast has accepted
// arrives, once and in order.
func TestServerInTrouble(t *testing.T) {
	for name, trouble := range map[string]func(t *testing.T, s *server, n *node){
		"killed": func(t *testing.T, s *server, n *node) {
			s.kill()
			eventually(t, "the node knows", func() bool { return !n.Stats().Connected })
			s.start(t)
		},
		"clients lost": func(t *testing.T, s *server, _ *node) { s.do(t, "CLIENT", "KILL", "TYPE", "pubsub") },
		"hung": func(t *testing.T, s *server, _ *node) {
			s.signal(t, syscall.SIGSTOP)
			defer s.signal(t, syscall.SIGCONT)
			<-time.After(200 * time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			a, b := pair(t, redis.Config{URL: s.url("")}, cluster.Config{})
			talk(t, a, b, func() { trouble(t, s, a) })
			for _, n := range []*node{a, b} {
				if s := n.Stats(); name != "hung" && s.Reconnects == 0 {
					t.Errorf("%s: Stats = %+v, want a link that was lost", n.Node(), s)
				}
			}
		})
	}
}

// talk has one node broadcast to another during the trouble, and checks that everything
// arrives.
func talk(t *testing.T, a, b *node, trouble func()) {
	t.Helper()
	close(b.hold)
	var sent []string
	say := func() {
		e := fmt.Sprintf("%06d", len(sent))
		if err := a.Broadcast(&pubsub.Message{Topic: "a", Event: e, Payload: make([]byte, 1000)}); err != nil {
			t.Fatalf("Broadcast = %v", err)
		}
		sent = append(sent, e)
	}
	say()
	eventually(t, "the first arrives, so that its number is known", func() bool { return len(b.got()) == 1 })
	ended := make(chan struct{})
	for range 1000 {
		say()
	}
	go func() { defer close(ended); trouble() }()
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for over := false; !over; {
		say()
		select {
		case <-ticks.C:
		case <-ended:
			over = true
		}
	}
	for range 100 {
		say()
	}
	eventually(t, "all arrive", func() bool { return len(b.got()) >= len(sent) })
	if got := b.got(); !slices.Equal(got, sent) {
		t.Errorf("got %d messages, not the %d in order", len(got), len(sent))
	}
	for _, n := range []*node{a, b} {
		eventually(t, "the link is back", func() bool { return n.Stats().Connected })
		s := n.Stats()
		t.Logf("%s: %d of %d came again; %d reconnects", n.Node(), s.Repaired, len(sent), s.Reconnects)
		if s.Missed != 0 || s.Dropped != 0 {
			t.Errorf("%s: Stats = %+v, want nothing lost", n.Node(), s)
		}
	}
}

// A node asks later for broadcasts that it had no room for, and counts lost messages to
// it alone. It goes on reading meanwhile.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	a, b := pair(t, redis.Config{URL: serve(t).url("")}, cluster.Config{MaxInbound: 20_000})
	takes := sync.OnceFunc(func() { close(b.hold) })
	defer takes()
	const each = 50
	for i := range each {
		m := func(event string) *pubsub.Message {
			return &pubsub.Message{Topic: "a", Event: fmt.Sprintf("%s %06d", event, i), Payload: make([]byte, 1000)}
		}
		if err := errors.Join(a.Send("b", m("one")), a.Broadcast(m("all"))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "some are dropped", func() bool { return b.Stats().Missed > 0 })
	takes()
	eventually(t, "all have come or are counted", func() bool { s := b.Stats(); return s.Received+s.Missed == 2*each })
	all := slices.DeleteFunc(b.got(), func(e string) bool { return !strings.HasPrefix(e, "all") })
	if len(all) != each || !slices.IsSorted(all) {
		t.Errorf("%d broadcasts came, %q, want %d in order", len(all), all, each)
	}
}

// Errors of Start say what to do, and show no password.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	s := serve(t, "--requirepass", "sesame", "--user", "deaf", "on", ">secret123", "+@all", "resetchannels")
	for _, c := range []struct {
		cfg   redis.Config
		words string
	}{
		{redis.Config{URL: "redis://user:secret123@127.0.0.1:1"}, "127.0.0.1:1: dial"},
		{redis.Config{URL: "redis://user:secret123@127.0.0.1:1"}, "is one running there? Start it, or correct Config.URL"},
		{redis.Config{URL: "redis://user:secret123@127.0.0.1:nine"}, "Config.URL cannot be read"},
		{redis.Config{URL: "nats://secret123@127.0.0.1:1"}, "Config.URL cannot be read"},
		{redis.Config{MaxMessage: -1}, "Config.MaxMessage is -1"},
		{redis.Config{URL: s.url("")}, "put user and password into Config.URL"},
		{redis.Config{URL: s.url("default:secret123@")}, "put user and password into Config.URL"},
		{redis.Config{URL: s.url("deaf:secret123@")}, "&roost.default.* +publish"},
	} {
		l := cluster.New(cluster.Config{Carrier: redis.New(c.cfg), Logger: quiet})
		err := l.Start(func(*pubsub.Message) error { return nil }, func(pubsub.Gap) {})
		l.Close()
		if err == nil {
			t.Errorf("Start(%+v) succeeds, want an error with %q", c.cfg, c.words)
		} else if text := err.Error(); !strings.Contains(text, c.words) || strings.Contains(text, "secret123") {
			t.Errorf("Start(%+v) = %q, want %q in it and no password", c.cfg, text, c.words)
		}
	}
	l := cluster.New(cluster.Config{Carrier: redis.New(redis.Config{URL: s.url("default:sesame@")}), Node: "with spaces, ü", Logger: quiet})
	if err := l.Start(func(*pubsub.Message) error { return nil }, func(pubsub.Gap) {}); err != nil {
		t.Errorf("Start with the password = %v", err)
	}
	l.Close()
}
