package fast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

const (
	// Slots is how many messages are current at a time.
	Slots = len(programProcessor{}.Counts)

	// MaxFrame is the longest frame that is taken, in bytes, its header included.
	MaxFrame = 1024
)

// maxClients is how many addresses and ports there are for clients.
const maxClients = 1<<32 - 1

// ErrFrame is for a message longer than MaxFrame. Its packets go the slow way.
var ErrFrame = errors.New("fast path: more than 1024 bytes in a frame")

// A Path is the program, and the memory that it shares. Its methods may be called
// from any goroutine.
type Path struct {
	objects    programObjects
	at         link.Link        // nil until Attach
	clients    []programClients // one
	records    []vtcp.Record
	processors []programProcessor

	mu       sync.Mutex // guards the rest, but what the program does
	messages []programMessage
}

// Load gives the kernel the program, and each of so many clients a record, all zero.
// They have the addresses and ports of a vtcp.Stack with that Network.
// The program sees no packets before Attach.
func Load(clients int, network netip.Addr) (*Path, error) {
	if !network.IsValid() {
		network = netip.AddrFrom4([4]byte{10, 64}) // as in a Stack
	}
	if !network.Is4() {
		return nil, fmt.Errorf("fast path: network %s: want an IPv4 address", network)
	}
	if clients < 1 || clients > maxClients {
		return nil, fmt.Errorf("fast path: %d clients: want 1 to %d", clients, maxClients)
	}
	processors, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("fast path: %w", err)
	}
	spec, err := loadProgram()
	if err != nil {
		return nil, fmt.Errorf("fast path: %w", err)
	}
	spec.Maps[programMapRecords].MaxEntries = uint32(clients)
	spec.Maps[programMapProcessors].MaxEntries = uint32(processors)
	p := new(Path)
	if err := spec.LoadAndAssign(&p.objects, nil); err != nil {
		return nil, explain("load", err)
	}
	if err := p.mapMemory(); err != nil {
		return nil, errors.Join(fmt.Errorf("fast path: %w", err), p.Close())
	}
	p.clients[0].Network = binary.BigEndian.Uint32(network.AsSlice())
	return p, nil
}

// explain says what a refusal of the kernel asks for.
func explain(what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("fast path: %s: %w: run as root, or with CAP_BPF and CAP_NET_ADMIN", what, err)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("fast path: %s: %w: want Linux 6.6 or newer", what, err)
	}
	return fmt.Errorf("fast path: %s: %w", what, err)
}

func (p *Path) mapMemory() (err error) {
	if p.clients, err = shared[programClients](p.objects.Clients); err != nil {
		return err
	}
	if p.records, err = shared[vtcp.Record](p.objects.Records); err != nil {
		return err
	}
	if p.processors, err = shared[programProcessor](p.objects.Processors); err != nil {
		return err
	}
	p.messages, err = shared[programMessage](p.objects.Messages)
	return err
}

// shared returns the values of an array map, as they lie in the kernel. T has no
// pointers, and a multiple of eight bytes, which is how far values are apart.
func shared[T any](m *ebpf.Map) ([]T, error) {
	if size := unsafe.Sizeof(*new(T)); size != uintptr(m.ValueSize()) || size%8 != 0 {
		return nil, fmt.Errorf("%s: %d bytes in Go, %d in C", m, size, m.ValueSize())
	}
	size := int(m.ValueSize()) * int(m.MaxEntries())
	b, err := unix.Mmap(m.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap %s: %w", m, err)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), m.MaxEntries()), nil
}

// unmap takes back what shared gave.
func unmap[T any](values []T) error {
	if values == nil {
		return nil
	}
	first := unsafe.SliceData(values)
	return unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(first)), len(values)*int(unsafe.Sizeof(*first))))
}

// Attach has the program see what leaves by a device, by its index in the network
// namespace of the calling thread. It may be called once.
func (p *Path) Attach(device int) error {
	at, err := link.AttachTCX(link.TCXOptions{Interface: device, Program: p.objects.Fast, Attach: ebpf.AttachTCXEgress})
	if err != nil {
		return explain(fmt.Sprintf("attach to device %d", device), err)
	}
	p.at = at
	return nil
}

// Close detaches the program and takes back all memory: what Records returned
// must not be used any more.
func (p *Path) Close() error {
	var detach error
	if p.at != nil {
		detach = p.at.Close()
	}
	err := errors.Join(detach, unmap(p.clients), unmap(p.records), unmap(p.processors), unmap(p.messages), p.objects.Close())
	p.at, p.clients, p.records, p.processors, p.messages = nil, nil, nil, nil, nil
	return err
}

// Records returns the records of all clients, until Close. The package comment says who
// may change one.
func (p *Path) Records() []vtcp.Record { return p.records }

// Stamp sets the TSval of acknowledgments, for connections with timestamps (RFC 7323
// §3). It is the stack's, and so never goes back. It is 0 before the first call.
func (p *Path) Stamp(value uint32) { atomic.StoreUint32(&p.clients[0].Stamp, value) }

// Settle returns when all runs of the program that began before the call have
// ended. They take about a microsecond each; at most one a processor is under way.
func (p *Path) Settle() {
	for i := range p.processors {
		runs := &p.processors[i].Runs
		before := atomic.LoadUint32(runs)
		for before%2 == 1 && atomic.LoadUint32(runs) == before {
			runtime.Gosched()
		}
	}
}
