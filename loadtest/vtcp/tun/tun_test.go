package tun_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/tun"
)

var host = netip.MustParseAddr("127.0.0.1")

// enterNamespace puts a test into a network namespace of its own, with loopback on.
// All sockets and devices are to be made in the test's goroutine.
func enterNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace and a TUN device need root, and this is not")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test, and with it the namespace
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("unshare: %v", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// A lab is a device, and a stack behind it whose clients a test drives.
type lab struct {
	t *testing.T
	*vtcp.Stack
	device  *tun.Device
	records []vtcp.Record
	started time.Time
	in, out hop
}

// A hop is a part of the way that loses some packets, carries some twice and others
// behind the next one. The zero value does none of that.
type hop struct {
	chance *rand.Rand // nil: of nothing
	late   []byte
}

func (h *hop) carry(packet []byte, on func([]byte)) {
	n := 100
	if h.chance != nil {
		n = h.chance.IntN(100)
	}
	switch {
	case n < 2:
		return
	case n < 4:
		on(packet)
	case n < 6 && h.late == nil:
		h.late = bytes.Clone(packet)
		return
	}
	on(packet)
	if late := h.late; late != nil {
		h.late = nil
		on(late)
	}
}

func newLab(t *testing.T, clients int, timestamps bool) *lab {
	t.Helper()
	return newLabWith(t, clients, timestamps, tun.Config{})
}

func newLabWith(t *testing.T, clients int, timestamps bool, c tun.Config) *lab {
	t.Helper()
	d, err := tun.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, device: d, records: make([]vtcp.Record, clients), started: time.Now()}
	l.Stack, err = vtcp.New(vtcp.Config{Records: l.records, Network: d.Network().Addr(), MTU: d.MTU(), Partial: true, Timestamps: timestamps, Send: func(p []byte) {
		l.out.carry(p, func(p []byte) {
			if err := d.Write(p); err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run handles events until done, which is asked after each.
func (l *lab) run(handle func(vtcp.Event), done func() bool) {
	limit := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(limit) {
			l.t.Fatalf("not over after a minute: %+v", l.Counts())
		}
		if err := l.device.Interrupt(time.Now().Add(vtcp.Tick)); err != nil {
			l.t.Fatal(err)
		}
		for !done() {
			err := l.device.Read(func(packet []byte, vouched bool) {
				l.in.carry(packet, func(packet []byte) {
					e := l.Take(packet, vouched)
					handle(e)
					l.Settle(e.Client, true)
				})
			})
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				l.t.Fatal(err)
			}
		}
		l.Advance(uint32(time.Since(l.started) / vtcp.Tick))
		for e, ok := l.Next(); ok; e, ok = l.Next() {
			handle(e)
		}
	}
}

// listen serves connections until the test is over.
func listen(t *testing.T, serve func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				defer context.AfterFunc(t.Context(), func() { c.Close() })() // nobody may be at the other end
				serve(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// TestKernelEchoes has the kernel's TCP at the other end: all that clients send
// comes back, from the first byte in SYN-SENT to the last before the end, which
// either side makes in each way that there is.
func TestKernelEchoes(t *testing.T) {
	for _, timestamps := range []bool{false, true} {
		t.Run(fmt.Sprintf("timestamps=%v", timestamps), func(t *testing.T) { echoes(t, timestamps) })
	}
}

func echoes(t *testing.T, timestamps bool) {
	t.Parallel()
	enterNamespace(t)
	const clients = 200
	at := listen(t, func(c *net.TCPConn) {
		first := make([]byte, 1)
		if _, err := io.ReadFull(c, first); err != nil {
			return
		}
		n := int64(1) << 40
		if first[0] == 'h' { // hangs up after the first kilobyte
			n = 1023
		}
		_, _ = c.Write(first)
		_, _ = io.CopyN(c, c, n)
	})
	l := newLab(t, clients, timestamps)
	defer l.device.Close()
	sent, got := make([][]byte, clients), make([]int, clients)
	ended := 0
	for i := range clients {
		kind := "hcr"[i%3]
		size := 1024
		if kind != 'h' {
			size = 1 << (i % 20)
		}
		sent[i] = bytes.Repeat([]byte{kind, byte(i), 3, 5, 7}, size/5+1)[:size]
		if err := l.Dial(i, at); err != nil {
			t.Fatal(err)
		}
		if err := l.Send(i, sent[i][:1]); err != nil {
			t.Fatal(err)
		}
		if err := l.SendShared(i, sent[i][1:]); err != nil {
			t.Fatal(err)
		}
	}
	l.run(func(e vtcp.Event) {
		if e.Client < 0 {
			return
		}
		i := e.Client
		want := sent[i][got[i]:]
		if !bytes.HasPrefix(want, e.Data) {
			t.Fatalf("client %d: %d bytes that are not those sent, after %d", i, len(e.Data), got[i])
		}
		got[i] += len(e.Data)
		if e.Closed {
			ended++
			if e.Err != nil || got[i] != len(sent[i]) {
				t.Errorf("client %d ended with %v after %d of %d bytes", i, e.Err, got[i], len(sent[i]))
			}
		} else if len(e.Data) > 0 && got[i] == len(sent[i]) {
			switch sent[i][0] {
			case 'c':
				l.Close(i)
			case 'r':
				l.Abort(i)
				ended++
			}
		}
	}, func() bool { return ended == clients && closed(l.records) })
	if c := l.Counts(); c.Malformed > 0 || c.GivenUp > 0 {
		t.Errorf("timestamps %v: %+v", timestamps, c)
	}
	if n, err := l.device.Dropped(); n != 0 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
}

func closed(records []vtcp.Record) bool {
	for i := range records {
		if records[i].State != vtcp.Closed {
			return false
		}
	}
	return true
}

// TestKernelOverABadWay has packets lost, doubled and out of order on both ways: all comes
// all the same, and in order.
func TestKernelOverABadWay(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	const clients, size = 20, 32 << 10
	at := listen(t, func(c *net.TCPConn) { _, _ = io.Copy(c, c) })
	l := newLabWith(t, clients, false, tun.Config{MTU: 1500})
	defer l.device.Close()
	l.in.chance, l.out.chance = rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(3, 4))
	sent, got, whole := make([][]byte, clients), make([]int, clients), 0
	for i := range clients {
		sent[i] = bytes.Repeat([]byte{byte(i), 3, 5, 7, 11}, size/5+1)[:size]
		if err := errors.Join(l.Dial(i, at), l.SendShared(i, sent[i])); err != nil {
			t.Fatal(err)
		}
	}
	l.run(func(e vtcp.Event) {
		i := e.Client
		switch {
		case i < 0:
			return
		case e.Closed:
			t.Fatalf("client %d ended with %v after %d bytes", i, e.Err, got[i])
		case !bytes.HasPrefix(sent[i][got[i]:], e.Data):
			t.Fatalf("client %d: %d bytes that are not those sent, after %d", i, len(e.Data), got[i])
		}
		if got[i] += len(e.Data); len(e.Data) > 0 && got[i] == size {
			whole++
		}
	}, func() bool { return whole == clients })
	if c := l.Counts(); c.Early == 0 || c.Repeated == 0 || c.Retransmitted == 0 || c.GivenUp > 0 {
		t.Errorf("the way was not so bad: %+v", c)
	}
}

// TestKernelResets has the server end connections by RST, with data before it.
func TestKernelResets(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	const clients = 20
	at := listen(t, func(c *net.TCPConn) {
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		_ = c.SetLinger(0) // Close sends RST
	})
	l := newLab(t, clients, false)
	defer l.device.Close()
	for i := range clients {
		if err := errors.Join(l.Dial(i, at), l.Send(i, []byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	reset := 0
	l.run(func(e vtcp.Event) {
		if e.Client < 0 || !e.Closed {
			return
		}
		if reset++; !errors.Is(e.Err, unix.ECONNRESET) {
			t.Errorf("client %d ended with %v, want ECONNRESET", e.Client, e.Err)
		}
	}, func() bool { return reset == clients })
	if !closed(l.records) {
		t.Error("connections are left")
	}
}

// TestKernelIsRefused connects to nobody, and is told so; and comes back to a
// server that has closed, whose end still waits for what may be under way.
func TestKernelIsRefused(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	at := listen(t, func(c *net.TCPConn) {})
	l := newLab(t, 2, false)
	defer l.device.Close()
	if err := l.Dial(1, netip.AddrPortFrom(host, 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Dial(0, at); err != nil {
		t.Fatal(err)
	}
	refused, back := false, 0
	l.run(func(e vtcp.Event) {
		if e.Client == 1 && e.Closed {
			refused = errors.Is(e.Err, unix.ECONNREFUSED)
		}
		if e.Client == 0 && e.Closed {
			if e.Err != nil {
				t.Errorf("hung up with %v", e.Err)
			}
			back++
		}
		if e.Client == 0 && l.records[0].State == vtcp.Closed && back < 5 {
			if err := l.Dial(0, at); err != nil {
				t.Error(err)
			}
		}
	}, func() bool { return refused && back == 5 })
}

// TestKernelWaits has a client read nothing for a while, as long as the server asks
// twice whether it does; then all comes.
func TestKernelWaits(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	const size = 1 << 20
	at := listen(t, func(c *net.TCPConn) {
		if _, err := c.Write(make([]byte, size)); err != nil {
			t.Errorf("write: %v", err)
		}
	})
	l := newLab(t, 1, false)
	defer l.device.Close()
	if err := l.Dial(0, at); err != nil {
		t.Fatal(err)
	}
	stalled, probes, got, over := false, 0, 0, false
	l.run(func(e vtcp.Event) {
		got += len(e.Data)
		over = over || e.Closed
		switch {
		case !stalled && got > 0:
			l.Stall(0)
			stalled = true
		case stalled && len(e.Data) == 0:
			if probes++; probes == 3 { // the first was under way
				l.Resume(0)
			}
		}
	}, func() bool { return over })
	if got != size {
		t.Errorf("%d bytes came, want %d", got, size)
	}
}

// TestDropped fills the queue of a device that nobody reads.
func TestDropped(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	l := newLabWith(t, 1, false, tun.Config{Queue: 100})
	defer l.device.Close()
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(l.Addr(0)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const sent = 200
	for range sent {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := l.device.Dropped(); n == 0 || n >= sent || err != nil {
		t.Errorf("after %d packets: %d dropped, %v", sent, n, err)
	}
	first := true
	if err := l.device.Read(func(packet []byte, _ bool) {
		if e := l.Take(packet, true); first && (e.Client != -1 || l.Counts().Malformed != 1) {
			t.Errorf("a packet of UDP: %+v, %+v", e, l.Counts())
		}
		first = false
	}); err != nil || first {
		t.Errorf("Read: %v, and a packet: %t", err, !first)
	}
}

// TestClose ends a Read that waits.
func TestClose(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	l := newLab(t, 1, false)
	ended := make(chan error)
	go func() {
		ended <- l.device.Read(func([]byte, bool) {})
	}()
	if err := l.device.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read of a closed device: %v", err)
	}
	if _, err := l.device.Dropped(); err == nil {
		t.Error("Dropped of a closed device: no error")
	}
}

// TestDevices has two in one namespace, each with clients of its own.
func TestDevices(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	at := listen(t, func(c *net.TCPConn) { _, _ = c.Write([]byte(c.RemoteAddr().String())) })
	for i, want := range []string{"10.64.0.1:16384", "10.65.0.1:16384"} {
		l := newLab(t, 1, false)
		defer l.device.Close()
		if err := l.Dial(0, at); err != nil {
			t.Fatal(err)
		}
		var got []byte
		over := false
		l.run(func(e vtcp.Event) { got = append(got, e.Data...); over = over || e.Closed }, func() bool { return over })
		if string(got) != want {
			t.Errorf("device %d: the server sees %s, want %s", i, got, want)
		}
	}
}

// TestReadLate reads after the moment has come, as a loop does that was late: what is
// there is read all the same, or nothing would ever be.
func TestReadLate(t *testing.T) {
	t.Parallel()
	enterNamespace(t)
	l := newLab(t, 1, false)
	defer l.device.Close()
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(l.Addr(0)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := l.device.Interrupt(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	read := 0
	for range 2 {
		if err := l.device.Read(func([]byte, bool) { read++ }); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want os.ErrDeadlineExceeded", err)
		}
	}
	if read != 1 {
		t.Errorf("%d packets, want 1", read)
	}
}

// TestPatience asks a server's TCP when it sends again what its client does not
// acknowledge: not within the time that the device asks for.
func TestPatience(t *testing.T) {
	for _, patience := range []time.Duration{0, time.Minute} {
		t.Run(patience.String(), func(t *testing.T) {
			t.Parallel()
			enterNamespace(t)
			timeout := make(chan time.Duration, 1)
			at := listen(t, func(c *net.TCPConn) {
				if _, err := c.Write([]byte("now")); err != nil {
					t.Error(err)
				}
				timeout <- retransmissionTimeout(t, c)
				_, _ = c.Read(make([]byte, 1))
			})
			l := newLabWith(t, 1, false, tun.Config{Patience: patience})
			defer l.device.Close()
			if err := l.Dial(0, at); err != nil {
				t.Fatal(err)
			}
			got := 0
			l.run(func(e vtcp.Event) { got += len(e.Data) }, func() bool { return got > 0 })
			if d := <-timeout; d < patience || patience == 0 && d > 10*time.Second {
				t.Errorf("it sends again after %v", d)
			}
			l.Abort(0)
		})
	}
}

// retransmissionTimeout is that of a connection, RFC 6298.
func retransmissionTimeout(t *testing.T, c *net.TCPConn) (d time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		t.Error(err)
		return 0
	}
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Error(err)
			return
		}
		d = time.Duration(info.Rto) * time.Microsecond
	})
	if err != nil {
		t.Error(err)
	}
	return d
}

// TestConfig refuses what no device can be.
func TestConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []tun.Config{
		{Network: netip.MustParsePrefix("2001:db8::/64")}, {Network: netip.MustParsePrefix("10.0.0.0/30")},
		{MTU: 500}, {MTU: tun.MTU + 1}, {Queue: -1}, {Patience: -1},
	} {
		if _, err := tun.Open(c); err == nil {
			t.Errorf("Open(%+v) has no error", c)
		}
	}
}
