package poller_test

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/poller"
)

// TestMain fails on goroutines that are left over. netpoll's loops and the two
// of the pool that ants makes when it is imported live as long as the process.
func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" { // see spawn
		runChild(role)
		return
	}
	if err := openNetpoll(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
	)
}

// openNetpoll makes netpoll open what it keeps for good, so that tests may count
// descriptors.
func openNetpoll() error {
	p, err := poller.New(poller.Config{})
	if err != nil {
		return err
	}
	p.Close()
	return nil
}

// hooks is a Handler made of functions; those that are nil do nothing.
type hooks struct {
	data    func(*poller.Conn, []byte)
	timeout func(*poller.Conn)
	closed  func(*poller.Conn, error)
}

func (h hooks) Data(c *poller.Conn, b []byte) {
	if h.data != nil {
		h.data(c, b)
	}
}

func (h hooks) Timeout(c *poller.Conn) {
	if h.timeout != nil {
		h.timeout(c)
	}
}

func (h hooks) Closed(c *poller.Conn, err error) {
	if h.closed != nil {
		h.closed(c, err)
	}
}

// start returns a Poller that is closed when the test ends.
func start(t testing.TB, cfg poller.Config) *poller.Poller {
	t.Helper()
	p, err := poller.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// listen accepts until the test ends and returns the address.
func listen(t testing.TB, p *poller.Poller, open func(*poller.Conn) poller.Handler) string {
	t.Helper()
	ln, err := p.Listen("127.0.0.1:0", open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ln.Close)
	return ln.Addr().String()
}

// dial connects a client that knows nothing of this package. Its reads and
// writes end after ten seconds.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return nc.(*net.TCPConn)
}

// pair is one connection: ours with handler h, and the client's end of it.
func pair(t testing.TB, p *poller.Poller, h poller.Handler) (*poller.Conn, *net.TCPConn) {
	t.Helper()
	opened := make(chan *poller.Conn, 1)
	addr := listen(t, p, func(c *poller.Conn) poller.Handler {
		opened <- c
		return h
	})
	nc := dial(t, addr)
	return within(t, opened), nc
}

// within waits for a value.
func within[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing within 30 s")
		panic("unreachable")
	}
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

// descriptors is how many files this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
