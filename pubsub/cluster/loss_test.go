package cluster_test

import (
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// stop stops a NATS server. The function it returns starts another in its place.
func stop(t *testing.T, s *natsserver.Server, all ...*node) (restart func() *natsserver.Server) {
	t.Helper()
	s.Close()
	for _, n := range all {
		eventually(t, n.Node()+" has noticed", func() bool { return !n.Stats().Connected })
	}
	return func() *natsserver.Server {
		t.Helper()
		return serve(t, natsserver.Config{Addr: strings.TrimPrefix(s.URL(), "nats://")})
	}
}

func TestRestartLosesNothing(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL(), Beat: 300 * time.Millisecond}, "a", "b", "c")
	send(t, all[0], numbers(0, 10)...)
	for _, n := range all[1:] {
		want(t, n, numbers(0, 10)...)
	}
	restart := stop(t, s, all...)
	send(t, all[0], numbers(10, 500)...)
	if got := all[0].Stats(); got.Pending == 0 || got.Dropped != 0 {
		t.Errorf("without a server: Stats = %+v, want all pending", got)
	}
	restart()
	for _, n := range all[1:] {
		want(t, n, numbers(0, 500)...)
		if got := n.Stats(); got.Missed != 0 || got.Reconnects != 1 {
			t.Errorf("%s: Stats = %+v, want 1 reconnect and nothing missed", n.Node(), got)
		}
	}
	meet(t, all...)
}

// apart is nodes a and b, each behind a proxy, c and their NATS server.
func apart(t *testing.T) (all []*node, proxies []*proxy) {
	t.Helper()
	s := serve(t, natsserver.Config{})
	for range 2 {
		proxies = append(proxies, newProxy(t, strings.TrimPrefix(s.URL(), "nats://")))
	}
	for i, name := range []string{"a", "b", "c"} {
		cfg := cluster.Config{URL: s.URL(), Node: name, Beat: 500 * time.Millisecond}
		if i < len(proxies) {
			cfg.URL = "nats://" + proxies[i].addr
		}
		all = append(all, open(t, cfg))
	}
	meet(t, all...)
	return all, proxies
}

// cut cuts off nodes a and b.
func cut(t *testing.T, all []*node, proxies []*proxy) {
	t.Helper()
	for i, p := range proxies {
		p.cut(true)
		eventually(t, all[i].Node()+" has noticed", func() bool { return !all[i].Stats().Connected })
	}
}

// The node that is back first waits for the other one, for which NATS keeps nothing.
func TestFirstOneBackWaits(t *testing.T) {
	all, proxies := apart(t)
	cut(t, all, proxies)
	send(t, all[0], "1", "2", "3")
	proxies[0].cut(false)
	eventually(t, "a is back", func() bool { return all[0].Stats().Connected })
	send(t, all[0], "4")
	proxies[1].cut(false)
	want(t, all[1], "1", "2", "3", "4")
	want(t, all[2], "1", "2", "3", "4")
}

// It does not wait for ever.
func TestFirstOneBackGivesUpWaiting(t *testing.T) {
	all, proxies := apart(t)
	cut(t, all, proxies)
	send(t, all[0], "1", "2", "3")
	proxies[0].cut(false)
	want(t, all[2], "1", "2", "3")
	want(t, all[1])
}

// When NATS servers die under load, nothing comes twice or out of order, and what has not
// come is counted.
func TestRestartUnderLoad(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL(), Beat: 300 * time.Millisecond}, "a", "b")
	send(t, all[0], "0 first") // b knows the numbers from here on
	want(t, all[1], "0 first")
	const publishers = 2
	var running sync.WaitGroup
	enough := make(chan struct{})
	sent := make([]int, publishers)
	for p := range publishers {
		running.Go(func() {
			for ; ; sent[p]++ {
				select {
				case <-enough:
					return
				default:
					send(t, all[0], string(rune('1'+p))+" "+numbers(sent[p], sent[p]+1)[0])
				}
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	stopPublishers := sync.OnceFunc(func() {
		close(enough)
		running.Wait()
	})
	defer stopPublishers()
	for range 3 {
		before := all[1].Stats().Received
		eventually(t, "messages arrive", func() bool { return all[1].Stats().Received > before+100 })
		s = stop(t, s, all...)()
		eventually(t, "the link is back", func() bool { return all[0].Stats().Connected && all[1].Stats().Connected })
	}
	stopPublishers()
	total := uint64(1 + sent[0] + sent[1])
	eventually(t, "everything is accounted for", func() bool {
		got := all[1].Stats()
		return got.Received+got.Missed == total
	})
	inOrder(t, all[1], int(all[1].Stats().Received))
	t.Logf("of %d messages %d were missed", total, all[1].Stats().Missed)
}

func TestTooMuchWaits(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL(), MaxPending: 10_000, Beat: 300 * time.Millisecond}, "a", "b")
	send(t, all[0], numbers(0, 1)...)
	want(t, all[1], numbers(0, 1)...)
	restart := stop(t, s, all...)
	send(t, all[0], numbers(1, 101)...)
	dropped := int(all[0].Stats().Dropped)
	if dropped == 0 || dropped > 99 {
		t.Fatalf("%d messages dropped, want some of 100", dropped)
	}
	restart()
	want(t, all[1], numbers(0, 101-dropped)...)
	eventually(t, "b knows what it has missed", func() bool { return int(all[1].Stats().Missed) == dropped })
	eventually(t, "applications are told at both ends", func() bool {
		return int(all[0].told("a")) == dropped && int(all[1].told("a")) == dropped
	})
	send(t, all[0], "z")
	want(t, all[1], append(numbers(0, 101-dropped), "z")...)
}

func TestTooLongWait(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL(), MaxWait: time.Second, Beat: 300 * time.Millisecond}, "a", "b")
	send(t, all[0], "1")
	want(t, all[1], "1")
	restart := stop(t, s, all...)
	send(t, all[0], "2", "3")
	eventually(t, "both are dropped", func() bool { return all[0].Stats().Dropped == 2 })
	if got := all[0].Stats().Pending; got != 0 {
		t.Errorf("%d bytes pending, want 0", got)
	}
	restart()
	meet(t, all...)
	send(t, all[0], "4")
	want(t, all[1], "1", "4")
	if got := all[1].Stats().Missed; got != 2 {
		t.Errorf("%d missed, want 2", got)
	}
}

// A node that does not keep up asks for what it has missed; the others do not
// notice.
func TestSlowNode(t *testing.T) {
	if got := slowNode(t, 0); got.Missed != 0 || got.Repaired == 0 {
		t.Errorf("Stats = %+v, want all repaired", got)
	}
}

// If they are no longer kept, it knows how many it has missed.
func TestSlowNodeAsksTooLate(t *testing.T) {
	if got := slowNode(t, 100_000); got.Missed == 0 || got.Gaps == 0 {
		t.Errorf("Stats = %+v, want a gap", got)
	}
}

// slowNode returns the final Stats of a node that has not kept up.
func slowNode(t *testing.T, kept int) pubsub.AdapterStats {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL(), MaxKept: kept}, "a", "b")
	slow := newNode(cluster.Config{URL: s.URL(), Node: "c", MaxInbound: 2 << 20, Beat: 50e6, Logger: quiet})
	proceed := make(chan struct{})
	release := sync.OnceFunc(func() { close(proceed) })
	defer release()
	if err := slow.Start(func(m *pubsub.Message) error { <-proceed; return slow.deliver(m) }, noGap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slow.Close)
	meet(t, append(all, slow)...)
	const total = 5000
	publish(t, all[0], 1000, numbers(0, total)...)
	want(t, all[1], numbers(0, total)...)
	release()
	eventually(t, "everything is accounted for", func() bool {
		got := slow.Stats()
		return got.Received+got.Missed == total
	})
	if got := slow.got(); !slices.IsSorted(got) || len(slices.Compact(got)) != int(slow.Stats().Received) {
		t.Errorf("got %v, want each once and in order", brief(got))
	}
	return slow.Stats()
}

func TestSlowNodeMissesWhatIsForItOnly(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a")
	slow := cluster.New(cluster.Config{URL: s.URL(), Node: "b", MaxInbound: 20_000, Beat: 50e6, Logger: quiet})
	proceed := make(chan struct{})
	release := sync.OnceFunc(func() { close(proceed) })
	defer release()
	if err := slow.Start(func(*pubsub.Message) error { <-proceed; return nil }, noGap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slow.Close)
	eventually(t, "they know each other", func() bool { return len(all[0].Stats().Peers) == 1 })
	for range 1000 {
		if err := all[0].Send("b", &pubsub.Message{Topic: "room:1", Event: "e"}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "some are missed", func() bool { return slow.Stats().Missed > 0 })
	release()
	eventually(t, "everything is accounted for", func() bool {
		got := slow.Stats()
		return got.Received+got.Missed == 1000
	})
}

// What the node cannot take in time counts as missed, too.
func TestOverloadedNode(t *testing.T) {
	s := serve(t, natsserver.Config{})
	all := openAll(t, cluster.Config{URL: s.URL()}, "a")
	full := newNode(cluster.Config{URL: s.URL(), Node: "b", MaxWait: 50 * time.Millisecond, Logger: quiet})
	if err := full.Start(func(*pubsub.Message) error { return pubsub.ErrOverloaded }, noGap); err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	send(t, all[0], "1")
	eventually(t, "1 is missed", func() bool { return full.Stats().Missed == 1 })
	if got := full.Stats().Received; got != 0 {
		t.Errorf("%d received, want 0", got)
	}
}

// Losses appear in the log, in one line for each beat.
func TestLossesAreLogged(t *testing.T) {
	s := serve(t, natsserver.Config{})
	var out lines
	n := &node{Link: cluster.New(cluster.Config{
		URL: s.URL(), Node: "a", MaxPending: 1, Beat: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&out, nil)),
	})}
	if err := n.Start(n.deliver, n.gap); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	stop(t, s, n)
	send(t, n, numbers(0, 101)...) // there is room for one
	const line = `level=WARN msg="messages lost between nodes" cluster=default node=a dropped=`
	eventually(t, "100 messages in the log", func() bool {
		total := 0
		for _, l := range strings.Split(out.String(), "\n") {
			if _, rest, ok := strings.Cut(l, line); ok {
				count, _, _ := strings.Cut(rest, " ")
				k, err := strconv.Atoi(count)
				if err != nil {
					t.Fatalf("log line %q", l)
				}
				total += k
			}
		}
		return total == 100
	})
	if got := strings.Count(out.String(), line); got > 10 {
		t.Errorf("%d lines in the log for 100 messages", got)
	}
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// Broadcasts come in the order of their numbers or not at all, whatever NATS does, even if
// the node that sent them answers no questions.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     []string
		want   string
		missed uint64
	}{
		{"in order", []string{say(1, "1"), say(2, "2"), say(3, "3")}, "123", 0},
		{"twice", []string{say(1, "1"), say(1, "1"), say(2, "2"), say(1, "1")}, "12", 0},
		{"a gap", []string{say(1, "1"), say(4, "4")}, "14", 2},
		{"late", []string{say(1, "1"), say(3, "3"), say(2, "2"), say(4, "4")}, "1234", 0},
		{"came in the middle", []string{say(7, "7"), say(8, "8")}, "78", 0},
		{"a gap before silence", []string{say(1, "1"), hello(4)}, "1", 2},
		{"goodbye after a gap", []string{say(1, "1"), tell(6, 4)}, "1", 2},
		{"goodbye before what it sent", []string{say(1, "1"), tell(6, 4), say(2, "2"), say(3, "3")}, "123", 0},
		{"known since a beat", []string{hello(3), say(4, "4")}, "4", 1},
		{"has sent nothing", []string{hello(1), say(3, "3")}, "3", 2},
		{"an answer is not in turn", []string{tell(5, 9), say(7, "7"), say(8, "8")}, "78", 0},
		{"no number", []string{say(5, "5"), head(2, 0, 0) + "\x01t\x01x", say(6, "6")}, "5x6", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, natsserver.Config{})
			n := open(t, cluster.Config{URL: s.URL(), MaxWait: 200 * time.Millisecond})
			nc := outsider(t, s)
			for _, b := range append(c.in, "the end") {
				subject := "roost.default.all"
				if strings.HasPrefix(b, head(1, 0, 0)[:2]) {
					subject = n.Bucket("room:1")
				}
				if err := nc.Publish(subject, []byte(b)); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the end has come", func() bool {
				got := n.Stats()
				return got.Invalid == 1 && got.Missed >= c.missed && len(n.got()) >= len(c.want)
			})
			if got := strings.Join(n.got(), ""); got != c.want || n.Stats().Missed != c.missed {
				t.Errorf("got %q and missed %d, want %q and %d", got, n.Stats().Missed, c.want, c.missed)
			}
		})
	}
}

// Publishers do not wait for a NATS server that takes nothing, and the node looks for
// another one.
func TestStuckLink(t *testing.T) {
	t.Parallel()
	s := serve(t, natsserver.Config{})
	p := newProxy(t, strings.TrimPrefix(s.URL(), "nats://"))
	all := openAll(t, cluster.Config{
		URL: "nats://" + p.addr, MaxPending: 1 << 20, Options: []nats.Option{nats.FlusherTimeout(time.Second)},
	}, "a")
	p.stick()
	m := &pubsub.Message{Topic: "t", Payload: make([]byte, 100_000)}
	begin := time.Now()
	eventually(t, "messages are refused", func() bool {
		err := all[0].Broadcast(m)
		if err != nil && !errors.Is(err, pubsub.ErrOverloaded) {
			t.Fatal(err)
		}
		return err != nil
	})
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("publishers waited %v", took)
	}
	eventually(t, "the link counts as lost", func() bool { return !all[0].Stats().Connected })
}

// A proxy passes bytes on until it is stuck.
type proxy struct {
	addr     string
	listener net.Listener
	stuck    chan struct{}
	running  sync.WaitGroup

	mu    sync.Mutex
	off   bool
	conns []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: ln.Addr().String(), listener: ln, stuck: make(chan struct{})}
	p.running.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			p.serve(in, to)
		}
	})
	t.Cleanup(p.close)
	return p
}

func (p *proxy) serve(in net.Conn, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := net.Dial("tcp", to)
	if err != nil || p.off {
		in.Close()
		if err == nil {
			out.Close()
		}
		return
	}
	p.conns = append(p.conns, in, out)
	p.running.Go(func() { p.pass(out, in) })
	p.running.Go(func() { p.pass(in, out) })
}

// pass copies until one end is closed, and closes the other; when the proxy is
// stuck it reads no more.
func (p *proxy) pass(to, from net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		select {
		case <-p.stuck:
			return
		default:
		}
		if err == nil {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// stick makes the proxy take and pass nothing more, without closing anything.
func (p *proxy) stick() { close(p.stuck) }

// cut closes connections, old and new ones, or ends that.
func (p *proxy) cut(off bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = off
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) close() {
	p.listener.Close()
	p.cut(true)
	p.running.Wait()
}
