package phx_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// idleClients is how many clients BenchmarkIdleMemory has: many, as what a
// process needs anyway is divided by them. Each takes a descriptor here and one
// in the server.
const idleClients = 15_000

// BenchmarkIdleMemory measures the memory that a server keeps for a client that has
// connected, or also joined, and is idle since. Kernel memory is not in it. The server is a
// process of its own. Run it with -benchtime 1x.
func BenchmarkIdleMemory(b *testing.B) { benchmarkIdleMemory(b, "plain", idleClients) }

// BenchmarkIdleMemoryTLS is the same over TLS, with fewer clients: shaking hands
// takes its time.
func BenchmarkIdleMemoryTLS(b *testing.B) { benchmarkIdleMemory(b, "TLS", idleClients/3) }

func benchmarkIdleMemory(b *testing.B, role string, clients int) {
	for _, kind := range []struct {
		name  string
		enter func(c *client, i int)
	}{
		{"connected", func(*client, int) {}},
		{"joined one topic", func(c *client, _ int) { c.join("room:lobby") }},
		{"joined each its own", func(c *client, i int) { c.join(fmt.Sprintf("room:%d", i)) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				server := startProcess(b, role)
				enter := func(i int) net.Conn {
					c := server.dial(b)
					kind.enter(c, i)
					return c.conn
				}
				conns := []net.Conn{enter(0)} // what is made for the first is not each one's
				empty := server.resident(b)
				for i := range clients {
					conns = append(conns, enter(i+1))
				}
				b.ReportMetric(float64(server.resident(b)-empty)/float64(clients), "B/client")
				for _, conn := range conns {
					conn.Close()
				}
				server.end()
			}
			b.ReportMetric(0, "ns/op") // means nothing here
		})
	}
}

// memoryRole is the environment variable that makes this test binary a server
// instead of running tests: "plain", one with "TLS", or one with "long polling"; or the
// "bystander of" the one at an address.
const memoryRole = "PHX_TEST_MEMORY"

// serveMemory serves until its input ends. It answers each line of it: "cpu" with
// its processor time in ns, "broadcast" with 0 and one to room:lobby, and any other
// with its resident memory in bytes.
func serveMemory() error {
	if addr, found := strings.CutPrefix(os.Getenv(memoryRole), "bystander of "); found {
		return bystand(addr)
	}
	cfg := phx.Config{
		Addr:   "127.0.0.1:0",
		Hosts:  []string{phx.AnyHost},
		Logger: slog.New(slog.DiscardHandler),
		Mounts: []phx.Mount{{Path: "/socket", Idle: time.Hour, Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{}}}}},
	}
	if os.Getenv(memoryRole) == "TLS" {
		cert, _, err := newCertificate()
		if err != nil {
			return err
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if os.Getenv(memoryRole) == "long polling" {
		cfg.Mounts[0].LongPoll = &phx.LongPoll{Window: time.Minute}
	}
	ep, err := phx.Start(cfg)
	if err != nil {
		return err
	}
	fmt.Println(ep.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "cpu":
			var u syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
				return err
			}
			fmt.Println(u.Utime.Nano() + u.Stime.Nano())
			continue
		case "broadcast":
			if err := ep.LocalBroadcast("room:lobby", "e", map[string]string{"text": strings.Repeat("x", 100)}); err != nil {
				return err
			}
			fmt.Println(0)
			continue
		}
		for range 2 { // sync.Pool lets go at the second
			runtime.GC()
		}
		debug.FreeOSMemory()
		n, err := residentBytes()
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
	return nil
}

// residentBytes is field 2 of proc_pid_statm(5), in pages.
func residentBytes() (int, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize(), err
}

// A memoryServer is a process that runs serveMemory.
type memoryServer struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
	role string
}

// startProcess starts one. It ends with the test, or else by end.
func startProcess(t testing.TB, role string) *memoryServer {
	t.Helper()
	s := &memoryServer{cmd: exec.Command(os.Args[0]), role: role}
	s.cmd.Env = append(os.Environ(), memoryRole+"="+role)
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	s.in, s.out = in, bufio.NewReader(out)
	s.addr = s.line(t)
	return s
}

func (s *memoryServer) line(t testing.TB) string {
	t.Helper()
	text, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the server says %q, then %v", text, err)
	}
	return strings.TrimSpace(text)
}

// resident is the server's memory in bytes, after a garbage collection.
func (s *memoryServer) resident(t testing.TB) int {
	t.Helper()
	return s.ask(t, "memory")
}

// ask is a line that the server answers with a number.
func (s *memoryServer) ask(t testing.TB, what string) int {
	t.Helper()
	if _, err := io.WriteString(s.in, what+"\n"); err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(s.line(t))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// dial opens a socket.
func (s *memoryServer) dial(t testing.TB) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn}
	if s.role == "TLS" {
		c = c.shakeHands(&tls.Config{InsecureSkipVerify: true})
	}
	c.write(request("/socket/websocket?vsn=2.0.0"))
	c.head()
	return c
}

func (s *memoryServer) end() {
	s.in.Close()
	s.cmd.Wait()
}
