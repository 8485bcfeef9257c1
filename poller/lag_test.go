package poller_test

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/poller"
)

// threadTime is how much the thread has worked.
func threadTime(t *testing.T) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		t.Error(err)
	}
	return time.Duration(ts.Nano())
}

// A pass that is long is noticed, and whether it worked or had no processor.
func TestLoopLag(t *testing.T) {
	const long = 60 * time.Millisecond
	for _, c := range []struct {
		name  string
		works bool
		spend func()
	}{
		{"works", true, func() {
			for end := threadTime(t) + long; threadTime(t) < end; {
			}
		}},
		{"waits", false, func() {
			ts := unix.NsecToTimespec(long.Nanoseconds())
			_ = unix.Nanosleep(&ts, nil) // if it is interrupted, another try follows
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, poller.Config{Loops: 1})
			conn, _ := pair(t, p, hooks{})
			for range 20 { // until a pass has stayed on its thread
				p.LoopLag()
				done := make(chan struct{})
				conn.Post(func() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					c.spend()
				})
				conn.Post(func() { conn.Post(func() { close(done) }) }) // in a later pass
				<-done
				l := p.LoopLag()[0]
				if l.Worked == 0 || l.Longest < long {
					continue
				}
				if works := l.Worked >= long*9/10; works != c.works {
					t.Errorf("a pass of %v is said to have worked %v", l.Longest, l.Worked)
				}
				took, worked := uint64(0), uint64(0)
				for _, s := range p.SlowPasses()[0] {
					if s.From >= long/2 {
						took += s.Took
						worked += s.Worked
					}
				}
				if took == 0 || (worked > 0) != c.works {
					t.Errorf("of the passes counted, %d took long and %d worked long: %v", took, worked, l.Slow)
				}
				return
			}
			t.Error("20 passes were all continued on another thread")
		})
	}
}

// What other goroutines do on the loop's thread, while a pass waits for its processor or
// a lock, does not count as the loop's work.
func TestLoopLagIsTheLoops(t *testing.T) {
	const long = 30 * time.Millisecond
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // or the other would mostly have a thread of its own
	p := start(t, poller.Config{Loops: 1})
	conn, _ := pair(t, p, hooks{})
	for range 5 {
		p.LoopLag()
		done := make(chan struct{})
		conn.Post(func() {
			other := make(chan struct{})
			go func() {
				defer close(other)
				for end := threadTime(t) + long; threadTime(t) < end; {
				}
			}()
			<-other
		})
		conn.Post(func() { conn.Post(func() { close(done) }) }) // in a later pass
		<-done
		if l := p.LoopLag()[0]; l.Worked > long/2 {
			t.Errorf("a pass of %v in which another goroutine worked %v is said to have worked %v", l.Longest, long, l.Worked)
		}
	}
}
