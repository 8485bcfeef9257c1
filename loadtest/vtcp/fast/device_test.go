package fast_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/vtcp"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
)

// TestDevice has a kernel's server send to one client behind a TUN device: what the
// program takes never comes out of the device, and the server's socket has its ACKs.
func TestDevice(t *testing.T) {
	t.Run("plain", func(t *testing.T) { testDevice(t, false) })
	t.Run("timestamps", func(t *testing.T) { testDevice(t, true) })
}

func testDevice(t *testing.T, stamped bool) {
	device, index := openTUN(t)
	p := load(t, 1)
	if err := p.Attach(index); err != nil {
		t.Fatal(err)
	}
	conn, r := connect(t, device, stamped)
	p.Records()[0] = r
	p.Stamp(clientStamp)

	const broadcasts = 300
	for n := uint32(1); n <= broadcasts; n++ {
		b := text(n, 60+int(n)%900)
		set(t, p, int(n)%fast.Slots, fast.Message{Frame: b, Room: 1, Number: n, Sent: order.Now()})
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		awaitACK(t, conn)
		if c := p.Counts(int(n) % fast.Slots); c.Received != 1 {
			t.Fatalf("broadcast %d: %d receipts, want 1", n, c.Received)
		}
	}
	if info := tcpInfo(t, conn); (info.Options&optionTimestamps != 0) != stamped {
		t.Errorf("the socket has options %#x", info.Options)
	}
	if got := p.Records()[0].Received; got != broadcasts {
		t.Errorf("the record has %d broadcasts, want %d", got, broadcasts)
	}
	info := tcpInfo(t, conn)
	if info.Total_retrans > 0 || info.Bytes_acked != info.Bytes_sent {
		t.Errorf("%d of %d bytes acknowledged, %d segments sent again", info.Bytes_acked, info.Bytes_sent, info.Total_retrans)
	}

	// What the program does not know is the first to come out of the device.
	last := []byte("something else")
	if _, err := conn.Write(last); err != nil {
		t.Fatal(err)
	}
	if b := next(t, device); !bytes.HasSuffix(b, last) || binary.BigEndian.Uint32(b[24:]) != p.Records()[0].RcvNxt {
		t.Errorf("the device has %x, want %q from %d on", b, last, p.Records()[0].RcvNxt)
	}
}

// clientStamp is the TSval of all that the client sends.
const clientStamp = 17

// optionTimestamps is TCPI_OPT_TIMESTAMPS of linux/tcp.h.
const optionTimestamps = 1

// openTUN makes a device in a network namespace that ends with the test, whose
// goroutine is in it from now on. Behind it are all clients, and at 10.0.0.1 are
// their servers.
func openTUN(t testing.TB) (device *os.File, index int) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("a network namespace: %v: run this test as root", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("/dev/net/tun: %v: want the tun module, and this test as root", err)
	}
	request, err := unix.NewIfreq("virtual")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		t.Fatal(err)
	}
	device = os.NewFile(uintptr(fd), "tun") // after TUNSETIFF: only then it can be polled
	t.Cleanup(func() { device.Close() })
	for _, args := range []string{
		"link set lo up", "addr add 10.0.0.1/32 dev lo",
		"link set virtual up mtu 65000", "route add 10.64.0.0/16 dev virtual",
	} {
		if b, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, b)
		}
	}
	at, err := net.InterfaceByName("virtual")
	if err != nil {
		t.Fatal(err)
	}
	return device, at.Index
}

// connect has client 0 connect to a server, with timestamps or without, and returns
// the server's end and the client's record.
func connect(t testing.TB, device *os.File, stamped bool) (*net.TCPConn, vtcp.Record) {
	t.Helper()
	l, err := net.Listen("tcp4", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const first, syn, mss = 100, 0x02, 64960
	send := func(packet []byte) {
		if _, err := device.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	var options []byte
	if stamped {
		options = stamps(clientStamp, 0)
	}
	send(segment(endpoint(0), server, first, 0, syn, vtcp.Window, append([]byte{2, 4, mss >> 8, mss & 0xff}, options...), nil))
	b := next(t, device)
	for b[33] != syn|ack { // what else there is are router solicitations
		b = next(t, device)
	}
	received := binary.BigEndian.Uint32(b[24:]) + 1
	send(answer(0, first+1, received, options))
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn), vtcp.Record{SndNxt: first + 1, RcvNxt: received, Room: 1, State: vtcp.Established, Flags: vtcp.Fast}
}

// next is the next IPv4 packet that comes out of the device.
func next(t testing.TB, device *os.File) []byte {
	t.Helper()
	b := make([]byte, 1<<16)
	if err := device.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := device.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if n >= 40 && b[0]>>4 == 4 {
			return b[:n]
		}
	}
}

// awaitACK waits until all that the server has sent is acknowledged.
func awaitACK(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for tcpInfo(t, conn).Unacked > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the server's bytes are not acknowledged")
		}
		runtime.Gosched()
	}
}

func tcpInfo(t testing.TB, conn *net.TCPConn) (info *unix.TCPInfo) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		var failed error
		if info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); failed != nil {
			panic(fmt.Sprint("TCP_INFO: ", failed))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return info
}
