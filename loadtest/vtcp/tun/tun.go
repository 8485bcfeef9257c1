// Package tun is the device that carries the segments of clients whose TCP is
// package vtcp's. It reads the packets that the host sends to their addresses, and the
// packets that it writes come in at the host as if from a network card.
//
// It needs CAP_NET_ADMIN. With the network that it takes by itself it belongs in a
// network namespace of its own, as the route to the clients is the whole namespace's.
// Servers in there are reached at each of its addresses, loopback included.
//
// # Concurrency
//
// One goroutine reads and one at a time writes; any goroutine may call Interrupt and
// Dropped.
package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MTU is the largest packet on the way to servers of this host, in bytes: a frame of
// 64 KB less is one.
const MTU = 65000

// queue is about as many packets as the kernel lets wait to be read. A broadcast comes
// as fast as servers write, and what comes to a full queue is dropped.
const queue = 500_000

// A Config says what device to make. The zero value is one for servers of this host.
type Config struct {
	// Network has the addresses that lead to the device: IPv4, of 8 to 29 bits. The
	// last before that for all of it is the device's own. The zero Prefix means
	// 10.64.0.0/16 for the first device of a namespace, 10.65.0.0/16 for the second and
	// so on, and servers of this host; another one is routed here by the network of the
	// servers, which are elsewhere: see [CheckWay].
	Network netip.Prefix

	// MTU is the largest packet, in bytes, from 576. Zero means the constant MTU.
	MTU int

	// Queue is how many packets may wait to be read. Zero means 500,000.
	Queue int

	// Patience is for how long the host's TCP waits at least for the acknowledgement of
	// what it has sent to the device before it sends that again. A whole broadcast may
	// be in the queue, and what is sent again stands behind it, and makes all that
	// follows later still. Zero leaves it to the kernel: 200 ms.
	Patience time.Duration
}

// header is the length of struct virtio_net_hdr, which stands before each packet.
// It says whether a checksum must be completed: so packets that never leave the host
// need no sum.
const header = 10

// Flags of that header.
const (
	needsChecksum = 1
	dataValid     = 2
)

// batch is how many packets Read takes before it looks at the time.
const batch = 256

// A Device is a TUN device, which is there until it is closed.
type Device struct {
	config Config // complete
	name   string
	index  int
	file   *os.File
	raw    syscall.RawConn // of file
	in     [header + MTU]byte
	out    [header + MTU]byte

	mu    sync.Mutex
	stats *os.File // guarded by mu
}

// Open makes a device in the network namespace of the calling thread.
func Open(c Config) (*Device, error) {
	if c.MTU == 0 {
		c.MTU = MTU
	}
	if c.Queue == 0 {
		c.Queue = queue
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	d := &Device{config: c}
	if err := d.setUp(fd); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up a TUN device: %w", err)
	}
	// It stays that of this namespace.
	if d.stats, err = os.Open("/proc/thread-self/net/dev"); err != nil {
		unix.Close(fd)
		return nil, err
	}
	d.file = os.NewFile(uintptr(fd), d.name)
	if d.raw, err = d.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	head := d.out[:header] // of all packets that are written, little-endian as the host
	head[0] = needsChecksum
	head[6], head[8] = 20, 16 // where TCP begins, and where in it the checksum is
	return d, nil
}

func (c Config) check() error {
	switch n := c.Network; {
	case n.IsValid() && (!n.Addr().Is4() || n.Bits() < 8 || n.Bits() > 29):
		return fmt.Errorf("tun: Network %s: want IPv4 with 8 to 29 bits, such as 10.64.0.0/16", n)
	case c.MTU < 576 || c.MTU > MTU:
		return fmt.Errorf("tun: MTU %d: want 576 to %d", c.MTU, MTU)
	case c.Queue < 0 || c.Patience < 0:
		return fmt.Errorf("tun: Queue %d, Patience %v: want none below 0", c.Queue, c.Patience)
	}
	return nil
}

// Index is the number of the device, for programs that are attached to it.
func (d *Device) Index() int { return d.index }

// Network has the addresses that lead to this device, as Config.Network.
func (d *Device) Network() netip.Prefix { return d.config.Network }

// MTU is the largest packet, in bytes.
func (d *Device) MTU() int { return d.config.MTU }

// Read waits for packets, and hands those that are there to take, some hundred at most,
// which are lent until it returns. vouched says that the checksum of one is right, or
// would have been completed by a network card. Once the moment of Interrupt has come
// the error is os.ErrDeadlineExceeded, but what is there was taken all the same: so who
// calls it late reads, too. It fails after Close.
func (d *Device) Read(take func(packet []byte, vouched bool)) error {
	var read int
	var failed error
	drain := func(fd uintptr) { read, failed = d.drain(int(fd), take) }
	err := d.raw.Read(func(fd uintptr) bool {
		drain(fd)
		return read > 0 || failed != nil
	})
	if errors.Is(err, os.ErrDeadlineExceeded) && read == 0 {
		if err := d.raw.Control(drain); err != nil {
			return err
		}
	}
	return errors.Join(failed, err)
}

// drain reads what is there.
func (d *Device) drain(fd int, take func(packet []byte, vouched bool)) (read int, err error) {
	for read < batch {
		n, err := unix.Read(fd, d.in[:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return read, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return read, os.NewSyscallError("read", err)
		}
		read++
		n = max(n, header)
		take(d.in[header:n], d.in[0]&(needsChecksum|dataValid) != 0)
	}
	return read, nil
}

// Interrupt makes Read return once the moment has come, also one that is under
// way; and so until it is called with another moment.
func (d *Device) Interrupt(at time.Time) error { return d.file.SetReadDeadline(at) }

// Write gives the host a packet. Its TCP checksum covers the pseudo header alone. The
// host has done its part when Write returns.
func (d *Device) Write(packet []byte) error {
	n := copy(d.out[header:], packet)
	_, err := d.file.Write(d.out[:header+n])
	return err
}

// Close takes the device away.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.stats.Close() // it was only read
	return d.file.Close()
}
