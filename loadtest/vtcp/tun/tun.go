// Package tun is the device that carries the segments of clients whose TCP is
// package vtcp's: what the host sends to their addresses is read here, and what
// is written here comes in at the host as if from a network card.
//
// It needs CAP_NET_ADMIN, and belongs in a network namespace of its own: the
// route to the clients is the whole namespace's. Servers in there are reached at
// each of its addresses, those of loopback as well.
//
// # Concurrency
//
// One goroutine reads and one at a time writes; Interrupt and Dropped are for
// anybody.
package tun

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// MTU is the largest packet, in bytes: a frame of 64 KB less is one.
const MTU = 65000

// Queue is about as many packets as the kernel lets wait to be read. A broadcast comes
// as fast as servers write, and what comes to a full queue is dropped.
const Queue = 500_000

// header is the length of struct virtio_net_hdr, which stands before each packet.
// It says that a checksum is to be completed, or need not be: so nobody adds up
// what never leaves the host.
const header = 10

// Flags of that header.
const (
	needsChecksum = 1
	dataValid     = 2
)

// A Device is a TUN device, which is there until it is closed.
type Device struct {
	name    string
	index   int
	network netip.Prefix
	file    *os.File
	in      [header + MTU]byte
	out     [header + MTU]byte

	mu    sync.Mutex
	stats *os.File // guarded by mu
}

// Open makes a device in the network namespace of the calling thread, with a queue of
// so many packets, such as Queue.
func Open(queue int) (*Device, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	d := &Device{}
	if err := d.setUp(fd, queue); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up a TUN device: %w", err)
	}
	// It stays that of this namespace.
	if d.stats, err = os.Open("/proc/thread-self/net/dev"); err != nil {
		unix.Close(fd)
		return nil, err
	}
	d.file = os.NewFile(uintptr(fd), d.name)
	head := d.out[:header] // of all packets that are written, little-endian as the host
	head[0] = needsChecksum
	head[6], head[8] = 20, 16 // where TCP begins, and where in it the checksum is
	return d, nil
}

// Index is the number of the device, for programs that are attached to it.
func (d *Device) Index() int { return d.index }

// Network has the addresses that lead to this device: 10.64.0.0/16 for the first of
// a namespace, 10.65.0.0/16 for the second and so on.
func (d *Device) Network() netip.Prefix { return d.network }

// Read waits for a packet, which is lent until the next call. vouched says that
// its checksum is right, or would have been completed by a network card. The
// error is os.ErrDeadlineExceeded after Interrupt, os.ErrClosed after Close.
func (d *Device) Read() (packet []byte, vouched bool, err error) {
	n, err := d.file.Read(d.in[:])
	if err != nil {
		return nil, false, err
	}
	n = max(n, header)
	return d.in[header:n], d.in[0]&(needsChecksum|dataValid) != 0, nil
}

// Interrupt makes Read return once the moment has come, also one that is under
// way; and so until it is called with another moment.
func (d *Device) Interrupt(at time.Time) error { return d.file.SetReadDeadline(at) }

// Write gives the host a packet, whose TCP checksum is that of the pseudo header
// alone. The host has done its part when Write returns.
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
