package poller_test

import (
	"bytes"
	"regexp"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/poller"
)

// bubbled is how many goroutines the caller's bubble of synctest has: others of the process,
// such as those that an earlier test has left, come and go.
func bubbled(t *testing.T) int {
	t.Helper()
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)] // the caller comes first
	mark := regexp.MustCompile(`synctest bubble \d+\]`).Find(text)
	if mark == nil {
		t.Fatalf("the runtime does not say which goroutines are in a bubble: %.200s", text)
	}
	return bytes.Count(text, mark)
}

// A pool without turns has no goroutines, not even those that ants ticks with; it
// gets them back.
func TestPoolRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := bubbled(t)
		p := newElastic(t, poller.PoolConfig{Places: 4})
		for range 3 {
			ran := make(chan bool)
			for range 4 {
				p.Go(turn(func() { ran <- true }))
			}
			for range 4 {
				<-ran
			}
			if n := bubbled(t) - before; n == 0 {
				t.Error("no goroutines after a turn: the test looks for nothing")
			}
			time.Sleep(30 * time.Second)
			if n := bubbled(t) - before; n > 0 {
				t.Errorf("%d goroutines of a pool that has rested for 30 s, want none", n)
			}
		}
	})
}
