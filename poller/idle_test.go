package poller_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A pool without turns has no goroutines, not even those that ants ticks with; it
// gets them back.
func TestPoolRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		p := newElastic(t, poller.PoolConfig{Places: 4})
		for range 3 {
			ran := make(chan bool)
			for range 4 {
				p.Go(turn(func() { ran <- true }))
			}
			for range 4 {
				<-ran
			}
			if n := runtime.NumGoroutine() - before; n == 0 {
				t.Error("no goroutines after a turn: the test looks for nothing")
			}
			time.Sleep(30 * time.Second)
			if n := runtime.NumGoroutine() - before; n > 0 {
				t.Errorf("%d goroutines of a pool that has rested for 30 s, want none", n)
			}
		}
	})
}
