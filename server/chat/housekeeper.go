package chat

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// minHeap is how large the heap may become, in bytes, before it is collected. Go's
	// own 4 MB would be collected nine times while ten thousand clients join, a tenth of
	// what these joins take; so it is five times.
	minHeap = 6 << 20

	// busyHeap is minHeap while a load goes on. With 4 MB, one of echoes is collected 14
	// times a second, which is 7 % of its processor time; so it is 1 %.
	busyHeap = 16 << 20

	// busyCycles is how many collections in a row, each within a second of the one
	// before, make a load. The joins of ten thousand clients take five: they would leave
	// 16 MB behind, most of it garbage.
	busyCycles = 8

	// lull is how long nothing was collected when a load is over. Workers that are
	// idle have gone by then.
	lull = 30 * time.Second

	// minGarbage is how many bytes must have been allocated since the last time for
	// memory to be given back, if little lives.
	minGarbage = 1 << 20
)

// A housekeeper fits Go's garbage collector to a server: it lets a small heap grow
// while a load goes on, and gives what that leaves behind back to the system, once,
// when it is over. It has nothing to do but after a collection, and in an idle process
// Go makes one every two minutes.
//
// What it does is for the whole process. So it is the program's, not a library's.
type housekeeper struct {
	lull time.Duration
	free func() // collects, and gives free memory back

	mu        sync.Mutex // guards the rest
	over      *time.Timer
	allocated uint64 // in all, when memory was last given back
	before    int    // GOGC at the start, or -1 if it stays
	percent   int    // GOGC now
	last      time.Time
	cycles    int  // in a row; see busyCycles
	busy      bool // a load goes on
	done      bool
}

// keepHouse starts a housekeeper. GOGC in the environment stays as it is.
func keepHouse(lull time.Duration, free func()) *housekeeper {
	h := &housekeeper{lull: lull, free: free, before: -1, allocated: read("/gc/heap/allocs:bytes")}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = time.AfterFunc(lull, h.giveBack)
	if os.Getenv("GOGC") == "" {
		h.percent = percentFor(0, minHeap)
		h.before = debug.SetGCPercent(h.percent)
	}
	h.awaitLocked()
	return h
}

// stop leaves the collector as it was.
func (h *housekeeper) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = true
	h.over.Stop()
	if h.before >= 0 {
		debug.SetGCPercent(h.before)
	}
}

// awaitLocked has collected called after the next garbage collection, which finds the
// object made here unreachable.
func (h *housekeeper) awaitLocked() {
	runtime.AddCleanup(new([32]byte), func(h *housekeeper) { h.collected() }, h)
}

// collected is called after each collection.
func (h *housekeeper) collected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return
	}
	h.over.Reset(h.lull)
	if h.cycles++; time.Since(h.last) > time.Second {
		h.cycles = 1
	}
	h.last = time.Now()
	heap := uint64(minHeap)
	if h.cycles >= busyCycles {
		h.busy = true // until the lull, though it makes collections rarer
	}
	if h.busy {
		heap = busyHeap
	}
	h.setLocked(percentFor(read("/gc/heap/live:bytes"), heap))
	h.awaitLocked()
}

// setLocked sets GOGC. That stops the world for a moment: not for a little.
func (h *housekeeper) setLocked(percent int) {
	if h.before >= 0 && (percent < h.percent*7/8 || percent > h.percent*9/8) {
		h.percent = percent
		debug.SetGCPercent(percent)
	}
}

// percentFor is the GOGC by which a heap grows to so many bytes, and at least to
// twice what lives.
func percentFor(live, heap uint64) int {
	const goMin = 4 << 20 // what Go's runtime multiplies by GOGC/100 for the least heap
	if live <= heap*goMin/(heap+goMin) {
		return int(100 * heap / goMin)
	}
	return max(100, int(100*heap/live)-100)
}

// giveBack is called when a load seems to be over.
func (h *housekeeper) giveBack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return
	}
	h.cycles, h.busy = 0, false
	h.setLocked(percentFor(read("/gc/heap/live:bytes"), minHeap))
	if read("/gc/heap/allocs:bytes") < h.allocated+leastGarbage() {
		return
	}
	h.free()
	h.allocated = read("/gc/heap/allocs:bytes")
}

// leastGarbage is how many bytes must have been allocated for memory to be given back, as
// that marks all that lives: as many as it takes to have all of it made twice. A
// client's join allocates four times what it keeps; its heartbeats take minutes for
// so much, and give nothing to gain.
func leastGarbage() uint64 { return max(minGarbage, 2*read("/gc/heap/live:bytes")) }

// read is one of the runtime's figures; see package metrics.
func read(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
