package kernel_test

import (
	"os"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

func TestMemory(t *testing.T) {
	root := machine{
		"proc/meminfo":      "MemTotal:       1000 kB\nMemAvailable:    300 kB\nSlab:             20 kB\n",
		"proc/net/sockstat": "sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3\nUDP: inuse 1 mem 8\n",
	}.write(t)
	empty := kernel.Root(t.TempDir())
	for _, test := range []struct {
		name      string
		got, want kernel.Count
	}{
		{"total", root.MemoryTotal(), 1000 << 10},
		{"available", root.MemoryAvailable(), 300 << 10},
		{"of the kernel", root.MemoryOfKernel(), 20<<10 + kernel.Count(3*os.Getpagesize())},
		{"total, unreadable", empty.MemoryTotal(), kernel.Unknown},
		{"of the kernel, unreadable", empty.MemoryOfKernel(), kernel.Unknown},
	} {
		if test.got != test.want {
			t.Errorf("%s: %d, want %d", test.name, test.got, test.want)
		}
	}
}
