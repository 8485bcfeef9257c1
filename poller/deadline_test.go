package poller_test

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// The bounds leave room for a busy machine; TestWheel is exact.
func TestTimeout(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name  string
		open  func(*poller.Conn)
		later func(*poller.Conn) // on the loop, after open
		from  time.Duration
	}{
		{name: "idle", open: func(c *poller.Conn) { c.SetIdle(300 * ms) }, from: 300 * ms},
		{name: "fixed", open: func(c *poller.Conn) { c.SetDeadline(300 * ms) }, from: 300 * ms},
		{name: "one tick", open: func(c *poller.Conn) { c.SetDeadline(100 * ms) }, from: 100 * ms},
		{name: "shortened", open: func(c *poller.Conn) { c.SetIdle(time.Hour) }, later: func(c *poller.Conn) { c.SetIdle(200 * ms) }, from: 200 * ms},
		{name: "lengthened", open: func(c *poller.Conn) { c.SetDeadline(100 * ms) }, later: func(c *poller.Conn) { c.SetIdle(500 * ms) }, from: 500 * ms},
		{name: "set at last", open: func(*poller.Conn) {}, later: func(c *poller.Conn) { c.SetDeadline(200 * ms) }, from: 200 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, poller.Config{})
			fired := make(chan time.Time, 1)
			begin := time.Now()
			addr := listen(t, p, func(c *poller.Conn) poller.Handler {
				tt.open(c)
				if tt.later != nil {
					c.Post(func() { tt.later(c) })
				}
				return hooks{timeout: func(c *poller.Conn) { c.SetIdle(0); fired <- time.Now() }}
			})
			dial(t, addr)
			if d := within(t, fired).Sub(begin); d < tt.from-100*time.Millisecond || d > tt.from+20*time.Second {
				t.Errorf("Timeout after %v, want %v", d, tt.from)
			}
		})
	}
}

// Incoming bytes move an idle timeout, but no deadline.
func TestTraffic(t *testing.T) {
	p := start(t, poller.Config{})
	idle, fixed := make(chan bool, 100), make(chan bool, 100)
	_, a := pair(t, p, hooks{timeout: func(*poller.Conn) { idle <- true }})
	_, b := pair(t, p, hooks{timeout: func(c *poller.Conn) { fixed <- true }})
	p.Each(func(c *poller.Conn) {
		if c.RemoteAddr() == addrPort(a.LocalAddr()) {
			c.SetIdle(time.Second)
		} else {
			c.SetDeadline(200 * time.Millisecond)
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(30 * time.Second); len(fixed) < 4; { // nothing moves it: it fires again, four times in 1.2 s
		select {
		case <-tick.C:
			a.Write([]byte("x"))
			b.Write([]byte("x"))
		case <-end:
			t.Fatal("no Timeout within 30 s")
		}
	}
	if len(idle) != 0 {
		t.Error("Timeout of a connection that is not idle")
	}
	within(t, idle) // now it is
}
