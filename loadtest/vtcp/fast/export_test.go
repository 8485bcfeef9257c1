package fast

import (
	"bytes"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

// Run has the kernel run the program once, with a packet that leaves by no device.
// It returns the verdict and what became of the packet.
func (p *Path) Run(packet []byte) (verdict uint32, out []byte, err error) {
	o := ebpf.RunOptions{Data: packet, DataOut: make([]byte, len(packet))}
	verdict, err = p.objects.Fast.Run(&o)
	return verdict, o.DataOut, err
}

// Time runs the program so many times with the same packet, and returns how long
// one run takes.
func (p *Path) Time(packet []byte, runs int) (time.Duration, error) {
	_, each, err := p.objects.Fast.Benchmark(packet, runs, nil)
	return each, err
}

// Bytes returns the bytes of a message as the program has it.
func (p *Path) Bytes(slot int) []byte {
	m := &p.messages[slot]
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(m)), unsafe.Sizeof(*m)))
}

// Layout is what C says of itself, in the order of testdata/oracle.c.
func Layout() []uint32 {
	var (
		r vtcp.Record
		m programMessage
		p programProcessor
	)
	return []uint32{
		16384, 15, vtcp.Window, uint32(Slots), MaxFrame, uint32(len(p.Counts[0].Latency)), uint32(vtcp.Fast),
		uint32(unsafe.Sizeof(r)), uint32(unsafe.Offsetof(r.SndNxt)), uint32(unsafe.Offsetof(r.RcvNxt)),
		uint32(unsafe.Offsetof(r.Received)), uint32(unsafe.Offsetof(r.Room)), uint32(unsafe.Offsetof(r.Flags)),
		uint32(unsafe.Sizeof(m)), uint32(unsafe.Offsetof(m.Length)), uint32(unsafe.Offsetof(m.Frame)),
		uint32(unsafe.Sizeof(p)), uint32(unsafe.Offsetof(p.Counts)), uint32(unsafe.Sizeof(p.Counts[0])),
	}
}

// Step is what the program does when a run begins, and when it ends.
func (p *Path) Step(processor int) { atomic.AddUint32(&p.processors[processor].Runs, 1) }

// Runs is how many of either there were.
func (p *Path) Runs() (n uint32) {
	for i := range p.processors {
		n += atomic.LoadUint32(&p.processors[i].Runs)
	}
	return n
}

// Current is whether the program may take the message in a slot.
func (p *Path) Current(slot int) bool { return atomic.LoadUint32(&p.messages[slot].Length) > 0 }
