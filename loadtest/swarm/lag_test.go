package swarm

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/poller"
)

// watched runs the gauge of a fleet without clients until the test ends.
func watched(t *testing.T) *fleet {
	t.Helper()
	f, err := newFleet(order.Orders{Target: order.Target{URL: "ws://127.0.0.1:1"}, Window: 1})
	if err != nil {
		t.Fatal(err)
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); f.network.watch(over) }()
	t.Cleanup(func() { close(over); <-ended; f.close() })
	return f
}

// lagOf is a copy of what it saw so far.
func lagOf(f *fleet) (s order.Sample) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Merge(f.lag)
	return s
}

// lags waits until the gauge has looked so many times, and returns what it saw.
func lags(t *testing.T, f *fleet, n int64) order.Sample {
	t.Helper()
	limit := time.After(30 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		s := lagOf(f)
		if s.Count() >= n {
			return s
		}
		select {
		case <-look.C:
		case <-limit:
			t.Fatalf("%d looks in 30 s, want %d", s.Count(), n)
		}
	}
}

// An event loop that stands still is seen, and each look that it missed counts:
// else one long wait would be one among many short ones.
func TestLagOfALoopThatStandsStill(t *testing.T) {
	t.Parallel()
	f := watched(t)
	lags(t, f, 3)
	entered, leave := make(chan struct{}), make(chan struct{})
	end, err := f.network.(*sockets).poller.Pipe(func(c *poller.Conn) poller.Handler {
		close(entered)
		<-leave
		return &gauge{fleet: f}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	<-entered
	f.mu.Lock()
	f.lag = order.Sample{}
	f.mu.Unlock()
	const stall = 10 * lagEvery
	<-time.After(stall) // it stands still for so long, and maybe longer
	close(leave)
	s := lags(t, f, 5)
	if got := time.Duration(s.Percentile(100)) * time.Microsecond; got < stall-3*lagEvery {
		t.Errorf("the longest lag is %s, want about %s", got, stall)
	}
	if got := time.Duration(s.Percentile(50)) * time.Microsecond; got < stall/10 {
		t.Errorf("the median lag is %s: the looks in between are missing", got)
	}
}

// A loop that never comes back does not have the gauge wait, too.
func TestLagIsBounded(t *testing.T) {
	t.Parallel()
	f, err := newFleet(order.Orders{Target: order.Target{URL: "ws://127.0.0.1:1"}, Window: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	g := &gauge{fleet: f}
	entered, leave := make(chan struct{}), make(chan struct{})
	if g.end, err = f.network.(*sockets).poller.Pipe(func(*poller.Conn) poller.Handler { close(entered); <-leave; return g }); err != nil {
		t.Fatal(err)
	}
	defer g.end.Close()
	<-entered
	const second = int64(time.Second)
	due := order.Now() - 10*second
	for range 10 * mostWritten {
		g.write(due) // it returns
	}
	s := lagOf(f)
	if s.Count() != 9*mostWritten || s.Percentile(1) < 10*second/1000 {
		t.Errorf("%d lags from %d µs on, want %d of 10 s or more while the loop stands still", s.Count(), s.Percentile(1), 9*mostWritten)
	}
	close(leave)
	if s := lags(t, f, 10*mostWritten); s.Percentile(1) < 10*second/1000*99/100 {
		t.Errorf("%d lags from %d µs on, want all of 10 s or more", s.Count(), s.Percentile(1))
	}
}

// What strained a process is told once.
func TestStrainIsToldOnce(t *testing.T) {
	t.Parallel()
	f, err := newFleet(order.Orders{Target: order.Target{URL: "ws://127.0.0.1:1"}, Window: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	f.late.Add(int64(time.Second))
	f.lagged(int64(2 * time.Second))
	for i, want := range []int64{1, 0} {
		var told order.Strain
		if i == 0 {
			told = f.report()[0].Progress.Strain
		} else {
			told = f.answer(order.Inquiry{})[0].Progress.Strain
		}
		if told.Late.Count() != want || told.Lag.Count() != want || told.Host.Cores < 1 || told.Host.BusyNs <= 0 {
			t.Errorf("report %d: %d late sends, %d lags, host %+v, want %d of each and a host", i, told.Late.Count(), told.Lag.Count(), told.Host, want)
		}
	}
}
