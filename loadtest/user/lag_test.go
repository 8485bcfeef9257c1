package user

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// A process of users looks many times a second how long they have to wait, and tells
// it once.
func TestUsersAreWatched(t *testing.T) {
	t.Parallel()
	c := new(crew)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); c.watch(over) }()
	limit := time.After(30 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	looks := func() (n int64) {
		c.strained(func() { n = c.lag.Count() })
		return n
	}
	for looks() < 5 {
		select {
		case <-look.C:
		case <-limit:
			t.Fatal("five looks take more than 30 s")
		}
	}
	close(over)
	<-ended
	n := looks()
	c.late.Add(int64(time.Second))
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.strainLocked(order.Strain{Host: order.Host{Cores: 3}}); s.Lag.Count() != n || s.Late.Count() != 1 || s.Host.Cores != 3 {
		t.Errorf("told %d lags, %d late rounds, %+v, want %d, 1 and the host", s.Lag.Count(), s.Late.Count(), s.Host, n)
	}
	if s := c.strainLocked(order.Strain{}); s.Lag.Count() != 0 || s.Late.Count() != 0 {
		t.Errorf("told again: %d lags, %d late rounds", s.Lag.Count(), s.Late.Count())
	}
}
