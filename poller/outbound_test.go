package poller_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// clog sends until at least so many bytes wait, and returns what was sent.
func clog(t *testing.T, c *poller.Conn, waiting int) []byte {
	t.Helper()
	var sent []byte
	shared := bytes.Repeat([]byte("shared."), 1000)
	original := bytes.Clone(shared)
	own := make([]byte, 5000)
	for i := uint32(0); c.Waiting() < waiting; i++ {
		for j := range own {
			own[j] = byte(i) // the last use of own may still wait
		}
		binary.BigEndian.PutUint32(own, i)
		send, b := c.Send, own
		if i%2 == 1 {
			send, b = c.SendShared, shared
		}
		if err := send(b); err != nil {
			t.Fatalf("send %d: %v", i, err)
		}
		sent = append(sent, b...)
	}
	if err := c.Send(nil); err != nil { // nothing, and yet in the queue
		t.Fatal(err)
	}
	if !bytes.Equal(shared, original) {
		t.Error("shared bytes were changed")
	}
	return sent
}

func expect(t *testing.T, nc io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(nc, got); err != nil {
		t.Fatalf("after %d of %d bytes: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Error("what arrived is not what was sent")
	}
}

// What the kernel does not take waits, and leaves in order when the peer reads.
func TestQueueDrains(t *testing.T) {
	p := start(t, poller.Config{SendBuffer: 8 << 10, OutboundMax: 8 << 20})
	c, nc := pair(t, p, hooks{})
	for range 3 { // armed, disarmed, armed again
		expect(t, nc, clog(t, c, 1<<20))
		eventually(t, "the queue is empty", func() bool { return c.Waiting() == 0 })
	}
	c.Send([]byte("direct"))
	expect(t, nc, []byte("direct"))

	// Were the socket still armed, the loop would spin on its being writable.
	begin, window := ownTime(t), 200*time.Millisecond
	<-time.After(window)
	if used := ownTime(t) - begin; used > window/2 {
		t.Errorf("%v of processor time in %v with nothing to do", used, window)
	}
}

// ownTime is the processor time of this process.
func ownTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Frames that are small wait together: their bytes, which count, are most of what they
// need. The order stays that of the sends, shared and large ones included.
func TestSmallFramesWaitTogether(t *testing.T) {
	p := start(t, poller.Config{SendBuffer: 8 << 10})
	c, nc := pair(t, p, hooks{})
	want, shared := clog(t, c, 100_000), []byte("shared")
	before := c.Entries()
	for i := range 20_000 {
		b := binary.BigEndian.AppendUint16(nil, uint16(i))
		if err := c.Send(b); err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
		if i%5000 == 0 {
			large := noise(20_000)
			if err := errors.Join(c.Send(large), c.SendShared(shared), c.SendShared(shared)); err != nil {
				t.Fatal(err)
			}
			want = append(append(append(want, large...), shared...), shared...)
		}
	}
	if n := c.Entries() - before; n > 40 {
		t.Errorf("20,000 frames of 2 bytes and 12 others wait as %d, want some 20", n)
	}
	expect(t, nc, want)
	eventually(t, "nothing waits", func() bool { return c.Waiting() == 0 })
	if bytes, _ := p.Backlog(); bytes != 0 {
		t.Errorf("%d bytes are left in the backlog", bytes)
	}
}

// The order holds while the queue fills and drains all the time.
func TestQueueOrder(t *testing.T) {
	const messages, size = 20000, 3000
	p := start(t, poller.Config{SendBuffer: 8 << 10})
	c, nc := pair(t, p, hooks{})
	var sender sync.WaitGroup
	sender.Go(func() {
		b := make([]byte, size)
		for i := range uint32(messages) {
			binary.BigEndian.PutUint32(b, i)
			if err := c.Send(b); err != nil {
				t.Error(err)
				return
			}
			for c.Waiting() > 2*size {
				runtime.Gosched()
			}
		}
	})
	defer sender.Wait()
	b := make([]byte, size)
	for i := range uint32(messages) {
		if _, err := io.ReadFull(nc, b); err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint32(b); got != i {
			t.Fatalf("message %d, want %d", got, i)
		}
	}
}

// A client that does not read is ended when its queue is full. Nobody else is
// concerned, and the queue is let go.
func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	p := start(t, poller.Config{Loops: 1, SendBuffer: 8 << 10, OutboundMax: 256 << 10})
	closed := make(chan error, 1)
	slow, _ := pair(t, p, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
	good, nc := pair(t, p, hooks{data: func(c *poller.Conn, b []byte) { c.Send(b) }})

	var alive atomic.Int32
	var err error
	for err == nil {
		frame := make([]byte, 32<<10)
		alive.Add(1)
		runtime.AddCleanup(&frame[0], func(n *atomic.Int32) { n.Add(-1) }, &alive)
		if err = slow.SendShared(frame); slow.Waiting() > (256+32)<<10 {
			t.Fatalf("%d bytes wait, more than OutboundMax and a frame", slow.Waiting())
		}
	}
	if !errors.Is(err, poller.ErrSlowConsumer) {
		t.Errorf("SendShared = %v, want %v", err, poller.ErrSlowConsumer)
	}
	if err := within(t, closed); !errors.Is(err, poller.ErrSlowConsumer) {
		t.Errorf("Closed(%v), want %v", err, poller.ErrSlowConsumer)
	}
	if n := slow.Waiting(); n != 0 {
		t.Errorf("%d bytes still wait", n)
	}
	eventually(t, "frames of the dead queue are collected", func() bool { runtime.GC(); return alive.Load() == 0 })
	if n := p.SlowConsumers(); n != 1 {
		t.Errorf("SlowConsumers = %d, want 1", n)
	}
	nc.Write([]byte("alive"))
	expect(t, nc, []byte("alive"))
	if err := good.Send([]byte("well")); err != nil {
		t.Error(err)
	}
	expect(t, nc, []byte("well"))
}

// Kill drops what waits in the kernel, too: a peer that begins to read gets what
// it has received already, and then a reset. So does one whose time to close
// after Finish is over.
func TestKillResets(t *testing.T) {
	for name, end := range map[string]func(*poller.Conn){
		"kill":         func(c *poller.Conn) { c.Kill(errOwn) },
		"finish, kill": func(c *poller.Conn) { c.Finish(nil); c.Kill(errOwn) },
		"linger":       func(c *poller.Conn) { c.Finish(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, poller.Config{SendBuffer: 8 << 10, OutboundMax: 8 << 20, Linger: 200 * time.Millisecond})
			closed := make(chan error, 1)
			c, nc := pair(t, p, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
			clog(t, c, 1<<20)
			eventually(t, "the peer's kernel takes no more", func() bool { // else it might get all, and FIN before the reset
				before := c.Waiting()
				time.Sleep(20 * time.Millisecond)
				return c.Waiting() == before
			})
			end(c)
			within(t, closed)
			if n, err := io.Copy(io.Discard, nc); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read %d bytes, then %v, want %v", n, err, syscall.ECONNRESET)
			}
		})
	}
}

// Finish sends what waits, then FIN, and takes nothing more.
func TestFinishFlushes(t *testing.T) {
	p := start(t, poller.Config{SendBuffer: 8 << 10, OutboundMax: 8 << 20})
	closed := make(chan error, 1)
	c, nc := pair(t, p, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
	sent := clog(t, c, 1<<20)
	c.Finish(nil)
	if err := c.Send([]byte("late")); err != poller.ErrClosed {
		t.Errorf("Send after Finish = %v, want %v", err, poller.ErrClosed)
	}
	got, err := io.ReadAll(nc)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read %d bytes, %v, want the %d that waited", len(got), err, len(sent))
	}
	nc.Close()
	if err := within(t, closed); err != nil {
		t.Errorf("Closed(%v), want nil", err)
	}
}

// A peer that neither reads nor closes is killed, and a handler that takes over
// or a deadline that is set meanwhile does not change that.
func TestFinishLingers(t *testing.T) {
	tests := map[string]struct {
		before func(*testing.T, *poller.Conn)
		after  func(*poller.Conn)
	}{
		"idle":     {},
		"clogged":  {before: func(t *testing.T, c *poller.Conn) { clog(t, c, 1<<20) }},
		"deadline": {after: func(c *poller.Conn) { c.SetDeadline(time.Hour); c.SetIdle(0) }},
		"handler":  {after: func(c *poller.Conn) { c.SetHandler(c.Handler()) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, poller.Config{SendBuffer: 8 << 10, OutboundMax: 8 << 20, Linger: 200 * time.Millisecond})
			closed := make(chan error, 1)
			c, nc := pair(t, p, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
			if tt.before != nil {
				tt.before(t, c)
			}
			begin := time.Now()
			c.Finish(nil)
			if tt.after != nil {
				c.Post(func() { tt.after(c) })
			}
			if err := within(t, closed); err != poller.ErrTimeout {
				t.Errorf("Closed(%v), want %v", err, poller.ErrTimeout)
			}
			if d := time.Since(begin); d < 200*time.Millisecond || d > 20*time.Second {
				t.Errorf("lingered %v, want 200 ms", d)
			}
			runtime.KeepAlive(nc)
		})
	}
}

// Bytes are sent by many goroutines while others end the connection.
func TestSendAgainstEnd(t *testing.T) {
	for name, end := range map[string]func(*poller.Conn, *net.TCPConn){
		"kill":   func(c *poller.Conn, _ *net.TCPConn) { c.Kill(errOwn) },
		"finish": func(c *poller.Conn, _ *net.TCPConn) { c.Finish(nil) },
		"reset":  func(_ *poller.Conn, nc *net.TCPConn) { nc.SetLinger(0); nc.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, poller.Config{SendBuffer: 8 << 10, Linger: 100 * time.Millisecond})
			for range 5 {
				closed := make(chan error, 1)
				c, nc := pair(t, p, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
				ended := make(chan error)
				for range 4 {
					go func() {
						b := make([]byte, 3000)
						for {
							if err := c.Send(b); err != nil {
								ended <- err
								return
							}
						}
					}()
				}
				end(c, nc)
				for range 4 {
					if err := within(t, ended); !errors.Is(err, poller.ErrClosed) && !errors.Is(err, poller.ErrSlowConsumer) {
						t.Errorf("Send = %v", err)
					}
				}
				within(t, closed)
			}
		})
	}
}

func TestSendAllocates(t *testing.T) {
	p := start(t, poller.Config{})
	c, nc := pair(t, p, hooks{})
	go io.Copy(io.Discard, nc)
	b := make([]byte, 128)
	for name, send := range map[string]func([]byte) error{"Send": c.Send, "SendShared": c.SendShared} {
		n := testing.AllocsPerRun(1000, func() {
			if err := send(b); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
}
