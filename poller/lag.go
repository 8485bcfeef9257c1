package poller

import (
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lagBounds are the durations by which passes are counted. A shorter pass is not noticed.
var lagBounds = [...]time.Duration{
	2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 1 * time.Second,
}

// sampled is how old the sample of the thread's processor time may be that a long
// pass is compared with: to take one each time would cost two system calls a pass.
const sampled = time.Millisecond

// A LoopLag says how long one event loop was busy without looking at its other
// connections: a pass. A pass is the work from one look to the next, with up to
// 128 connections; also the tasks posted to the loop, a batch of up to 128
// connections accepted, and a tick of its clock. Passes of less than 2 ms do
// not count here.
type LoopLag struct {
	// Longest is the duration of the longest pass since the loop was last asked, and
	// Worked the most processor time that a pass used. If Worked is much less, the loop
	// had no processor: the host or Go's scheduler had given it to others. Worked is at
	// most 1 ms too much. It is the loop's own work, system calls included, and what Go's
	// memory management has the loop do meanwhile.
	Longest time.Duration `json:"longest_ns"`
	Worked  time.Duration `json:"worked_ns"`

	// Slow counts the passes since the start. Of Moved it is not known what they
	// worked, as the loop had come to another thread shortly before.
	Slow  [len(lagBounds)]SlowPasses `json:"slow"`
	Moved uint64                     `json:"moved"`
}

// SlowPasses count the passes that took, and those that worked, at least From
// and less than the From of the next entry.
type SlowPasses struct {
	From   time.Duration `json:"from_ns"`
	Took   uint64        `json:"took"`
	Worked uint64        `json:"worked"`
}

// A meter measures the passes of a loop.
type meter struct {
	start time.Time     // immutable
	began time.Duration // loop only: when the pass did, since start
	base  sample        // loop only: from before it did

	took, worked passes
	moved        atomic.Uint64
}

// passes are a distribution, and its largest value since that was asked for.
type passes struct {
	most atomic.Int64
	by   [len(lagBounds)]atomic.Uint64
}

// A sample is how much a thread has worked.
type sample struct {
	at     time.Duration // since meter.start
	thread uintptr
	worked time.Duration
}

// begin is the begin of a pass. Until its end nothing else runs on the loop's thread, as
// its work would count as the loop's: Go gives the thread to others where the loop has
// run for 10 ms, or waits for a lock. Loop only.
func (m *meter) begin() {
	runtime.LockOSThread()
	m.beginAt(time.Since(m.start))
}

func (m *meter) beginAt(now time.Duration) {
	m.began = now
	if now-m.base.at >= sampled {
		m.base = takeSample(now)
	}
}

// end is the end of a pass. The sample may serve the next one. Loop only.
func (m *meter) end() {
	defer runtime.UnlockOSThread()
	now := time.Since(m.start)
	if took := now - m.began; took >= lagBounds[0] {
		s := takeSample(now)
		m.note(took, s.worked-m.base.worked, s.thread == m.base.thread)
		m.base = s
	}
	m.beginAt(now)
}

// note keeps what a long pass took, and what it worked if it stayed on its thread.
func (m *meter) note(took, worked time.Duration, stayed bool) {
	m.took.add(took)
	if stayed {
		m.worked.add(min(worked, took))
	} else {
		m.moved.Add(1)
	}
}

// add has only one caller at a time.
func (p *passes) add(d time.Duration) {
	if i, found := slices.BinarySearch(lagBounds[:], d); found {
		p.by[i].Add(1)
	} else if i > 0 {
		p.by[i-1].Add(1)
	}
	for old := p.most.Load(); int64(d) > old && !p.most.CompareAndSwap(old, int64(d)); old = p.most.Load() {
	}
}

func (m *meter) lag() LoopLag {
	l := LoopLag{Longest: time.Duration(m.took.most.Swap(0)), Worked: time.Duration(m.worked.most.Swap(0)), Moved: m.moved.Load()}
	copy(l.Slow[:], m.slow())
	return l
}

// slow counts the passes since the start.
func (m *meter) slow() []SlowPasses {
	all := make([]SlowPasses, len(lagBounds))
	for i, from := range lagBounds {
		all[i] = SlowPasses{from, m.took.by[i].Load(), m.worked.by[i].Load()}
	}
	return all
}

// LoopLag returns the lag of each loop. Each call starts the search for the
// longest pass anew.
func (p *Poller) LoopLag() []LoopLag {
	all := make([]LoopLag, len(p.loops))
	for i, l := range p.loops {
		all[i] = l.meter.lag()
	}
	return all
}

// SlowPasses returns LoopLag.Slow of each loop. Unlike LoopLag it changes
// nothing, so there may be any number of callers.
func (p *Poller) SlowPasses() [][]SlowPasses {
	all := make([][]SlowPasses, len(p.loops))
	for i, l := range p.loops {
		all[i] = l.meter.slow()
	}
	return all
}

// takeSample is how much the thread that runs the goroutine has worked by now.
func takeSample(now time.Duration) sample {
	runtime.LockOSThread() // lest it is another one for the second question
	defer runtime.UnlockOSThread()
	var cpu unix.Timespec
	thread, _, _ := syscall.RawSyscall(unix.SYS_GETTID, 0, 0, 0)
	syscall.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, uintptr(unsafe.Pointer(&cpu)), 0) // neither fails
	return sample{at: now, thread: thread, worked: time.Duration(cpu.Nano())}
}
