package chat

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// After a load, memory is given back once; and again only if there was another.
func TestHousekeeperGivesBack(t *testing.T) {
	t.Setenv("GOGC", "100")
	given := make(chan bool, 10)
	h := keepHouse(time.Millisecond, func() { given <- true })
	defer h.stop()
	runtime.GC() // the least is by what lives
	for range 3 {
		garbage = make([]byte, leastGarbage()+minGarbage/2)
		garbage = nil
		runtime.GC()
		select {
		case <-given:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was given back within 10 s of a collection")
		}
		h.giveBack() // as after the collection that giving back is itself
		if len(given) > 0 {
			t.Fatal("given back twice")
		}
	}
}

var garbage []byte // allocated on the heap, as the compiler cannot know that nobody reads it

// A small heap may grow while a load goes on, a large one at most to twice its size,
// and the environment's GOGC stays.
func TestHousekeeperPercent(t *testing.T) {
	for _, test := range []struct {
		live, heap uint64
		want       int
	}{
		{0, 16 << 20, 400}, {1 << 20, 16 << 20, 400}, {4 << 20, 16 << 20, 300}, {6 << 20, 16 << 20, 166}, {8 << 20, 16 << 20, 100},
		{1 << 40, 16 << 20, 100}, {0, 6 << 20, 150}, {9 << 18, 6 << 20, 150}, {10 << 18, 6 << 20, 140}, {3 << 20, 6 << 20, 100}, {5 << 20, 6 << 20, 100},
	} {
		if got := percentFor(test.live, test.heap); got != test.want {
			t.Errorf("percentFor(%d, %d) = %d, want %d", test.live, test.heap, got, test.want)
		}
	}
	was := debug.SetGCPercent(77)
	defer debug.SetGCPercent(was)
	t.Setenv("GOGC", "77")
	keepHouse(time.Hour, debug.FreeOSMemory).stop()
	if now := debug.SetGCPercent(77); now != 77 {
		t.Errorf("GOGC is %d in spite of the environment, want 77", now)
	}
	t.Setenv("GOGC", "")
	h := keepHouse(time.Hour, debug.FreeOSMemory)
	percent := func() int {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.percent
	}
	collect := func(want int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); percent() != want; runtime.GC() {
			if time.Now().After(end) {
				t.Fatalf("GOGC is %d, want %d", percent(), want)
			}
		}
	}
	for range busyCycles / 2 { // as when clients join
		runtime.GC()
	}
	if p := percent(); p > 150 {
		t.Errorf("GOGC is %d after a short load, want 150", p)
	}
	collect(400)
	h.giveBack()
	if p := percent(); p > 150 {
		t.Errorf("GOGC is %d after the load, want 150", p)
	}
	collect(400)
	live := make([]byte, 3*busyHeap)
	collect(100)
	runtime.KeepAlive(live)
	h.stop()
	if now := debug.SetGCPercent(77); now != 77 {
		t.Errorf("GOGC is %d at the end, want 77 as before", now)
	}
}
