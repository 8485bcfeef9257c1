package poller_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A peer that is owed much is not read from until it has taken half: what its
// requests make for it stays bounded, and nothing of it is lost.
func TestOwedIsNotReadFrom(t *testing.T) {
	const high, size, messages = 256 << 10, 64 << 10, 64
	p := start(t, poller.Config{OutboundHigh: high, OutboundMax: 1 << 20})
	var most atomic.Int64
	c, nc := pair(t, p, hooks{data: func(c *poller.Conn, b []byte) {
		if err := c.Send(b); err != nil {
			t.Errorf("Send: %v", err)
		}
		most.Store(max(most.Load(), int64(c.Waiting())))
	}})
	sent := make([]byte, messages*size)
	for i := range sent {
		sent[i] = byte(i / 777)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		if _, err := nc.Write(sent); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "it is owed much", func() bool { return c.Waiting() > high/2 && most.Load() > high })
	noSpin(t)
	expect(t, nc, sent)
	writer.Wait()
	if got := most.Load(); got > high+size {
		t.Errorf("%d bytes waited, more than OutboundHigh and a message", got)
	}
}

// noSpin fails if the loop burns processor time with nothing to do.
func noSpin(t *testing.T) {
	t.Helper()
	begin, window := ownTime(t), 200*time.Millisecond
	<-time.After(window)
	if used := ownTime(t) - begin; used > window/2 {
		t.Errorf("%v of processor time in %v with nothing to do", used, window)
	}
}

// What a handler gives back comes again, before what came in later, after other
// connections had their turn.
func TestUnread(t *testing.T) {
	p := start(t, poller.Config{Loops: 1})
	var log []byte // of the loop
	done := make(chan struct{})
	step := func(name byte) func(*poller.Conn, []byte) {
		return func(c *poller.Conn, b []byte) {
			log = append(log, name, b[0])
			if b[0] == '.' {
				done <- struct{}{}
			}
			c.Unread(b[1:])
		}
	}
	a, from := pair(t, p, hooks{data: step('a')})
	b, other := pair(t, p, hooks{data: step('b')})
	a.Post(func() { // both are readable before the loop looks
		from.Write([]byte("123456."))
		other.Write([]byte("123456."))
	})
	within(t, done)
	within(t, done)
	a.Post(func() { done <- struct{}{} })
	within(t, done) // log is ours now
	var turns int
	for i := 2; i < len(log); i += 2 {
		if log[i] != log[i-2] {
			turns++
		}
	}
	if turns < 10 {
		t.Errorf("%s: %d changes of turn, want them by turns", log, turns)
	}
	for _, name := range "ab" {
		var got []byte
		for i := 0; i < len(log); i += 2 {
			if log[i] == byte(name) {
				got = append(got, log[i+1])
			}
		}
		if string(got) != "123456." {
			t.Errorf("%c got %q", name, got)
		}
	}
	runtime.KeepAlive(b)
}

// A peer that hangs up at once has all of its bytes handled, however slowly.
func TestUnreadAtTheEnd(t *testing.T) {
	p := start(t, poller.Config{Loops: 1})
	want := bytes.Repeat([]byte("0123456789"), 30_000)
	var got []byte
	closed := make(chan error, 1)
	_, nc := pair(t, p, hooks{
		data: func(c *poller.Conn, b []byte) {
			n := min(len(b), 1000)
			got = append(got, b[:n]...)
			c.Unread(b[n:])
		},
		closed: func(_ *poller.Conn, err error) { closed <- err },
	})
	nc.Write(want)
	nc.Close()
	if err := within(t, closed); err != nil {
		t.Errorf("Closed(%v), want nil", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes handled, want %d in order", len(got), len(want))
	}
}

// However many tasks wait, connections that have something new are looked at between
// them, and each task has its share of a pass. Their order is kept.
func TestPassRunsTasks(t *testing.T) {
	const tasks = 1000
	p := start(t, poller.Config{Loops: 1})
	var ran []int // of the loop
	before, done := make(chan int, 1), make(chan bool)
	c, nc := pair(t, p, hooks{data: func(*poller.Conn, []byte) { before <- len(ran) }})
	holding, hold := make(chan bool), make(chan bool)
	c.Post(func() { holding <- true; <-hold })
	<-holding
	for i := range tasks {
		c.Post(func() {
			ran = append(ran, i)
			if n := c.Share(); n != 8<<10 && tasks-i > 128 {
				t.Errorf("task %d has a share of %d bytes, want 8 KiB", i, n)
			}
			if i%2 == 0 { // behind all others
				c.Post(func() { ran = append(ran, tasks+i/2) })
			}
		})
	}
	nc.Write([]byte("x"))
	close(hold)
	if n := within(t, before); n > 256 {
		t.Errorf("the connection had to wait for %d tasks, want two passes of 128 at most", n)
	}
	c.Post(func() { c.Post(func() { close(done) }) })
	within(t, done)
	if len(ran) != tasks*3/2 || !slices.IsSorted(ran) {
		t.Errorf("%d tasks ran, in order: %v; want %d, in order", len(ran), slices.IsSorted(ran), tasks*3/2)
	}
}

// Many clients who send much at the same time do not have it all read in one pass of the
// loop, for which all others would wait.
func TestPassReads(t *testing.T) {
	const conns, size = 120, 50 << 10
	p := start(t, poller.Config{Loops: 1})
	opened, begun, done := make(chan *poller.Conn, conns), make(chan int, 1), make(chan bool, 1)
	total := 0 // loop only
	h := hooks{data: func(c *poller.Conn, b []byte) {
		if total == 0 {
			c.Post(func() { begun <- total }) // after this pass and the next
		}
		if n := c.Share(); n < len(b) {
			t.Errorf("%d bytes are read, where a connection's share is %d", len(b), n)
		}
		if total += len(b); total == conns*size {
			done <- true
		}
	}}
	addr := listen(t, p, func(c *poller.Conn) poller.Handler { opened <- c; return h })
	clients := make([]net.Conn, conns)
	var last *poller.Conn
	for i := range clients {
		clients[i] = dial(t, addr)
		last = within(t, opened)
	}
	hold := make(chan bool)
	last.Post(func() { <-hold })
	for _, nc := range clients {
		nc.Write(make([]byte, size))
	}
	close(hold)
	if n := within(t, begun); n > 2<<20 {
		t.Errorf("two passes read %d bytes, want at most 1 MiB each", n)
	}
	within(t, done)
}

// Nor does a pass write all that waits for many, however fast they read.
func TestPassWrites(t *testing.T) {
	const conns, size = 100, 1 << 20
	p := start(t, poller.Config{Loops: 1})
	opened := make(chan *poller.Conn, conns)
	addr := listen(t, p, func(c *poller.Conn) poller.Handler { opened <- c; return hooks{} })
	var all []*poller.Conn
	var peers []net.Conn
	waiting := func() (n int) {
		for _, c := range all {
			n += c.Waiting()
		}
		return n
	}
	for range conns {
		peers = append(peers, dial(t, addr))
		all = append(all, within(t, opened))
	}
	holding, hold, wrote, done := make(chan bool), make(chan bool), make(chan int, 1), make(chan error, conns)
	all[0].Post(func() { holding <- true; <-hold })
	<-holding
	for i, c := range all {
		if err := c.Send(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := io.CopyN(io.Discard, peers[i], size)
			done <- err
		}()
	}
	before := waiting()
	all[0].Post(func() { wrote <- before - waiting() })
	close(hold)
	if n := within(t, wrote); n > 2<<20 {
		t.Errorf("two passes wrote %d of %d bytes, want at most 1 MiB each", n, before)
	}
	for range conns {
		if err := within(t, done); err != nil {
			t.Fatal(err)
		}
	}
}

// While a connection is paused its handler hears nothing, not even of time; the
// rest follows in order, and the end last.
func TestPause(t *testing.T) {
	p := start(t, poller.Config{Loops: 1})
	got, closed := make(chan string, 100), make(chan error, 1)
	c, nc := pair(t, p, hooks{
		data: func(c *poller.Conn, b []byte) {
			c.SetIdle(100 * time.Millisecond)
			got <- string(b[:1])
			c.Pause()
			c.Unread(b[1:])
		},
		timeout: func(*poller.Conn) { got <- "timeout" },
		closed:  func(_ *poller.Conn, err error) { closed <- err },
	})
	nc.Write([]byte("ab"))
	if s := within(t, got); s != "a" {
		t.Fatalf("got %q", s)
	}
	nc.Write([]byte("cd"))
	noSpin(t)
	nc.Close()
	noSpin(t)
	for _, want := range []string{"b", "c", "d"} {
		select {
		case s := <-got:
			t.Fatalf("got %q while paused", s)
		case err := <-closed:
			t.Fatalf("Closed(%v) while paused", err)
		case <-time.After(300 * time.Millisecond):
		}
		c.Post(c.Resume)
		if s := within(t, got); s != want {
			t.Fatalf("got %q, want %q", s, want)
		}
	}
	c.Post(c.Resume)
	if err := within(t, closed); err != nil {
		t.Errorf("Closed(%v), want nil", err)
	}
}

// A paused connection can be ended by either side.
func TestPausedEnds(t *testing.T) {
	for name, end := range map[string]func(*poller.Conn, net.Conn){
		"kill":             func(c *poller.Conn, _ net.Conn) { c.Kill(errOwn) },
		"finish":           func(c *poller.Conn, nc net.Conn) { c.Finish(nil); io.Copy(io.Discard, nc); nc.Close() },
		"hang up and kill": func(c *poller.Conn, nc net.Conn) { nc.Close(); c.Kill(errOwn) },
		"poller":           nil,
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, poller.Config{Loops: 1})
			paused, closed := make(chan bool, 1), make(chan error, 1)
			c, nc := pair(t, p, hooks{
				data:   func(c *poller.Conn, b []byte) { c.Pause(); c.Unread(b); paused <- true },
				closed: func(_ *poller.Conn, err error) { closed <- err },
			})
			nc.Write([]byte("x"))
			within(t, paused)
			nc.Write([]byte("y"))
			if end != nil {
				end(c, nc)
			} else {
				go p.Close()
			}
			within(t, closed)
		})
	}
}

// Who reads, however slowly, is no slow consumer; who does not read for
// WriteTimeout is, and the error says how it stood. (How late that is found out:
// TestSlowConsumerInTime.)
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	p := start(t, poller.Config{Loops: 1, SendBuffer: 8 << 10, OutboundMax: 8 << 20, WriteTimeout: 2 * time.Second, Linger: 100 * time.Millisecond})
	closed := make(chan error, 2)
	c, nc := pair(t, p, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
	clog(t, c, 4<<20)
	nc.SetReadBuffer(64 << 10) // else it grows, and takes all that waits
	var owing []poller.Owed
	p.EachOwing(func(_ *poller.Conn, o poller.Owed) { owing = append(owing, o) })
	if len(owing) != 1 || owing[0].Waiting == 0 {
		t.Errorf("owing: %+v, want one connection", owing)
	}
	b := make([]byte, 256<<10)
	for range 8 { // twice as long as the timeout
		if _, err := io.ReadFull(nc, b); err != nil {
			t.Fatalf("a peer that reads: %v", err)
		}
		<-time.After(500 * time.Millisecond)
	}
	var slow *poller.SlowConsumerError
	if err := within(t, closed); !errors.As(err, &slow) || slow.Waiting == 0 || slow.Quiet < 2*time.Second {
		t.Errorf("Closed(%v), want a SlowConsumerError after two seconds", err)
	}
}

// A slow consumer is also found where nothing else happens.
func TestSlowConsumerWakesClock(t *testing.T) {
	t.Parallel()
	p := start(t, poller.Config{Loops: 1, SendBuffer: 8 << 10, WriteTimeout: time.Second, Linger: 100 * time.Millisecond})
	closed := make(chan error, 1)
	c, _ := pair(t, p, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
	eventually(t, "the clock sleeps", func() bool { return p.Asleep(time.Minute) })
	clog(t, c, 512<<10)
	if err := within(t, closed); !errors.Is(err, poller.ErrSlowConsumer) {
		t.Errorf("Closed(%v), want a SlowConsumerError", err)
	}
	eventually(t, "the clock sleeps again", func() bool { return p.Asleep(time.Minute) })
}

// leaver is a handler with a last word.
type leaver struct {
	hooks
	word []byte
}

func (l leaver) Leave(_ *poller.Conn, why *poller.SlowConsumerError) []byte {
	return fmt.Appendf(nil, "%s %v", l.word, why.Waiting > 0)
}

// A slow consumer that reads on gets the frame that was under way, and then the
// reason instead of all others.
func TestSlowConsumerIsTold(t *testing.T) {
	const size = 100_000
	p := start(t, poller.Config{Loops: 1, SendBuffer: 8 << 10, OutboundMax: 1 << 20})
	closed := make(chan error, 1)
	c, nc := pair(t, p, leaver{hooks{closed: func(_ *poller.Conn, err error) { closed <- err }}, []byte("too slow")})
	for i := byte(0); ; i++ {
		if err := c.SendShared(bytes.Repeat([]byte{i}, size)); err != nil {
			if !errors.Is(err, poller.ErrSlowConsumer) {
				t.Fatalf("SendShared: %v", err)
			}
			break
		}
	}
	if err := c.Send([]byte("more")); err != poller.ErrClosed {
		t.Errorf("Send after the end = %v, want %v", err, poller.ErrClosed)
	}
	all, err := io.ReadAll(nc)
	if err != nil {
		t.Fatal(err)
	}
	frames, ok := bytes.CutSuffix(all, []byte("too slow true"))
	if !ok || len(frames)%size != 0 {
		t.Fatalf("%d bytes, want whole frames of %d and the last word", len(all), size)
	}
	for i, b := range frames {
		if b != byte(i/size) {
			t.Fatalf("byte %d is of frame %d", i, b)
		}
	}
	nc.Close()
	if err := within(t, closed); !errors.Is(err, poller.ErrSlowConsumer) {
		t.Errorf("Closed(%v), want %v", err, poller.ErrSlowConsumer)
	}
}

// Shared bytes count once in the backlog, and it is empty when all connections
// have ended, however they did.
func TestBacklog(t *testing.T) {
	const size = 1 << 20
	ends := map[string]func(*poller.Conn, *net.TCPConn){
		"drained": func(c *poller.Conn, nc *net.TCPConn) { go io.Copy(io.Discard, nc) },
		"killed":  func(c *poller.Conn, _ *net.TCPConn) { c.Kill(errOwn) },
		"reset":   func(_ *poller.Conn, nc *net.TCPConn) { nc.SetLinger(0); nc.Close() },
		"closed":  func(_ *poller.Conn, nc *net.TCPConn) { nc.Close() },
		"slow": func(c *poller.Conn, nc *net.TCPConn) {
			for c.Send(make([]byte, size)) == nil {
			}
		},
		"finished": func(c *poller.Conn, nc *net.TCPConn) { c.Finish([]byte("bye")) },
	}
	p := start(t, poller.Config{Loops: 1, SendBuffer: 8 << 10, OutboundMax: 40 << 20, Linger: 100 * time.Millisecond})
	conns, peers := make(map[string]*poller.Conn), make(map[string]*net.TCPConn)
	for name := range ends {
		conns[name], peers[name] = pair(t, p, hooks{})
		for conns[name].Waiting() == 0 { // fill the kernel's buffers
			conns[name].Send(make([]byte, 64<<10))
		}
	}
	before, _ := p.Backlog()
	frame := make([]byte, size)
	for _, c := range conns {
		for range 3 {
			if err := c.SendShared(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after, _ := p.Backlog(); after <= before || after > before+size { // the kernels may have taken some more
		t.Errorf("backlog grew by %d, want at most %d", after-before, size)
	}
	for name, end := range ends {
		end(conns[name], peers[name])
	}
	eventually(t, "nothing is owed any more", func() bool { n, _ := p.Backlog(); return n == 0 })
}

// While all together are owed too much, connections that are owed much end, and no others.
func TestBacklogFull(t *testing.T) {
	p := start(t, poller.Config{Loops: 1, SendBuffer: 8 << 10, OutboundHigh: 1 << 20, BacklogMax: 2 << 20, OutboundMax: 64 << 20})
	little, nc := pair(t, p, hooks{})
	clog(t, little, 30<<10)
	much, _ := pair(t, p, hooks{})
	var err error
	for n := 0; err == nil; n++ {
		if err = much.Send(make([]byte, 64<<10)); n > 1000 {
			t.Fatal("the backlog has no bound")
		}
	}
	if !errors.Is(err, poller.ErrSlowConsumer) {
		t.Errorf("Send = %v, want %v", err, poller.ErrSlowConsumer)
	}
	if err := little.Send([]byte("x")); err != nil {
		t.Errorf("Send to the other = %v", err)
	}
	runtime.KeepAlive(nc)
}

// A turn that waits for a connection to take its outbound bytes is called once it has, or
// has ended.
func TestHold(t *testing.T) {
	for name, end := range map[string]func(*poller.Conn, net.Conn){
		"taken":  func(_ *poller.Conn, nc net.Conn) { go io.Copy(io.Discard, nc) },
		"killed": func(c *poller.Conn, _ net.Conn) { c.Kill(errOwn) },
		"closed": func(_ *poller.Conn, nc net.Conn) { nc.Close() },
		"finish": func(c *poller.Conn, _ net.Conn) { c.Finish(nil) },
		"slow":   func(*poller.Conn, net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := poller.Config{Loops: 1, SendBuffer: 8 << 10, OutboundHigh: 1 << 20, OutboundMax: 8 << 20}
			if name == "slow" {
				cfg.WriteTimeout = 3 * time.Second // a busy machine may take one until all is clogged
			}
			p := start(t, cfg)
			c, nc := pair(t, p, hooks{})
			pool, err := poller.NewPool(poller.PoolConfig{Places: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close(time.Second)
			resumed := make(chan struct{}, 9)
			turn := turnFunc(func() { resumed <- struct{}{} })
			if c.Hold(pool, turn) {
				t.Fatal("held although nothing is owed")
			}
			clog(t, c, 2<<20)
			if !c.Hold(pool, turn) {
				t.Fatal("not held although much is owed")
			}
			select {
			case <-resumed:
				t.Fatal("resumed at once")
			default:
			}
			end(c, nc)
			within(t, resumed)
			eventually(t, "it is not held any more", func() bool { return !c.Hold(pool, turn) })
		})
	}
}

// turnFunc is a turn that is a function.
type turnFunc func()

func (f turnFunc) Turn() { f() }
