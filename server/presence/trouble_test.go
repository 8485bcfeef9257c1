package presence_test

import (
	"bufio"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/pubsub/redis"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// An engine connects nodes, and can be in trouble.
type engine struct {
	link func() cluster.Config
	fall func(t *testing.T)
	rise func(t *testing.T)
}

// natsEngine is a NATS server that is stopped and started again.
func natsEngine(t *testing.T) engine {
	s := startNATS(t)
	url := s.URL()
	return engine{
		func() cluster.Config { return cluster.Config{URL: url} },
		func(*testing.T) { s.Close() },
		func(t *testing.T) {
			again, err := natsserver.Start(natsserver.Config{Addr: strings.TrimPrefix(url, "nats://"), Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(again.Close)
		},
	}
}

// A redisServer is a process that listens on a Unix socket.
type redisServer struct {
	dir string
	cmd *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &redisServer{dir: dir}
	s.start(t)
	t.Cleanup(func() { s.kill(t) })
	return s
}

func (s *redisServer) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("%v: apt-get install redis-server, or run scripts/test, which does", err)
	}
	for lines := bufio.NewScanner(out); !strings.Contains(strings.ToLower(lines.Text()), "ready to accept connections"); {
		if !lines.Scan() {
			t.Fatal("redis-server ends")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the server
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "socket") }

func (s *redisServer) kill(*testing.T) {
	_ = s.cmd.Process.Kill() // it may have ended
	_ = s.cmd.Wait()         // killed
}

func (s *redisServer) link() cluster.Config {
	return cluster.Config{Carrier: redis.New(redis.Config{URL: "unix://" + s.socket()})}
}

func (s *redisServer) signal(sig syscall.Signal) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
}

// People come and go while the engine between the nodes is in trouble. Once it has
// recovered, all nodes agree, and each client has been told of each change once.
func TestEngineInTrouble(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) engine{
		"NATS restarted": natsEngine,
		"Redis killed": func(t *testing.T) engine {
			s := startRedis(t)
			return engine{s.link, s.kill, s.start}
		},
		"Redis hung": func(t *testing.T) engine {
			s := startRedis(t)
			return engine{s.link, s.signal(syscall.SIGSTOP), s.signal(syscall.SIGCONT)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, cfg := start(t), presence.Config{DownAfter: time.Hour}
			a, b := startNodeOver(t, e.link(), "a", cfg), startNodeOver(t, e.link(), "b", cfg)
			ann, bob := join(t, a.Endpoint, "ann"), join(t, b.Endpoint, "bob")
			next(t, ann, "bob")
			b.sees(t, "ann", "bob")
			e.fall(t)
			bob.Leave()
			bea, cat := join(t, b.Endpoint, "bea"), join(t, a.Endpoint, "cat")
			e.rise(t)
			for _, n := range []node{a, b} {
				n.sees(t, "ann", "bea", "cat")
			}
			join(t, b.Endpoint, "dan")
			hearsOfDan(t, ann, "ann", "+bea", "+cat", "+dan", "-bob")
			hearsOfDan(t, bea, "bea", "+cat", "+dan")
			hearsOfDan(t, cat, "cat", "+bea", "+dan", "-bob")
		})
	}
}

// hearsOfDan reads what a client is told of others until dan is there, and compares it
// with these changes.
func hearsOfDan(t *testing.T, ch *phxtest.Channel, me string, want ...string) {
	t.Helper()
	var got []string
	for !slices.Contains(got, "+dan") {
		m := ch.Next()
		if m.Event != "presence_diff" {
			continue
		}
		d := decode[diff](t, m)
		for user := range d.Joins {
			got = append(got, "+"+user)
		}
		for user := range d.Leaves {
			got = append(got, "-"+user)
		}
	}
	got = slices.DeleteFunc(got, func(change string) bool { return change == "+"+me })
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s is told of %q, want %q", me, got, want)
	}
}
