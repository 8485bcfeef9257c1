package kernel

import (
	"os"
	"strconv"
	"strings"
)

// MemoryTotal is the memory of the whole host in bytes, Unknown if that cannot be
// read.
func (r Root) MemoryTotal() Count { return r.memory("MemTotal:") }

// MemoryAvailable is how many bytes the host can still give to programs, Unknown if
// that cannot be read.
func (r Root) MemoryAvailable() Count { return r.memory("MemAvailable:") }

// MemoryOfKernel is how many bytes the kernel holds on the whole host, Unknown if
// that cannot be read: slab, where sockets live, and the buffers of TCP.
func (r Root) MemoryOfKernel() Count {
	slab := r.memory("Slab:")
	if !slab.known() {
		return Unknown
	}
	return slab + r.tcpBuffers()
}

// memory reads one line of /proc/meminfo.
func (r Root) memory(name string) Count {
	kb := r.field("proc/meminfo", name)
	if !kb.known() {
		return Unknown
	}
	return kb << 10
}

// tcpBuffers are bytes, 0 if they cannot be read.
func (r Root) tcpBuffers() Count {
	text, err := r.text("proc/net/sockstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(text) {
		if _, pages, found := strings.Cut(strings.TrimSpace(line), " mem "); found && strings.HasPrefix(line, "TCP:") {
			n, _ := strconv.ParseInt(pages, 10, 64) // 0 for what is no number
			return Count(n) * Count(os.Getpagesize())
		}
	}
	return 0
}
