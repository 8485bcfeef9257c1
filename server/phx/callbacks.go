package phx

import (
	"fmt"
	"runtime"
	"time"

	"github.com/roost-rt/roost/poller"
)

// startPools starts the pools that turns run on.
func (lent *services) startPools() (err error) {
	cfg := lent.cfg
	elastic := poller.PoolConfig{
		Places: cfg.Workers, MaxWorkers: cfg.MaxWorkers, OwnerShare: cfg.SocketShare,
		Overdue: cfg.Overdue, OnOverdue: lent.overdue, Logger: cfg.Logger,
	}
	if lent.workers, err = poller.NewPool(elastic); err != nil {
		return err
	}
	if lent.connects, err = poller.NewPool(elastic); err != nil {
		return err
	}
	if lent.fanOut, err = poller.NewPool(poller.PoolConfig{Places: runtime.GOMAXPROCS(0), Logger: cfg.Logger}); err != nil {
		return err
	}
	// Half of the processors: what is left is enough for all that is not large.
	lent.unpackers, err = poller.NewPool(poller.PoolConfig{Places: (runtime.GOMAXPROCS(0) + 1) / 2, Logger: cfg.Logger})
	return err
}

// closePool closes a pool that has so much time left. Its error says which callback
// takes longer.
func closePool(pool *poller.Pool, left time.Duration) error {
	err := pool.Close(max(left, 0).Round(time.Millisecond))
	if err == nil {
		return nil
	}
	oldest, ran := pool.Oldest()
	if t, ok := oldest.(interface{ describe() []any }); ok {
		return fmt.Errorf("%w; for %v it has been %v", err, ran.Round(time.Millisecond), t.describe())
	}
	return err
}

// overdue tells the log of callbacks that run for long, with the stack of one.
func (lent *services) overdue(o poller.Overdue) {
	args := []any{"running", o.Ran.Round(time.Millisecond)}
	if t, ok := o.Turn.(interface{ describe() []any }); ok {
		args = append(args, t.describe()...)
	}
	if o.Others > 0 {
		args = append(args, "others", o.Others)
	}
	lent.log.Warn("a callback runs for long", append(args, "stack", o.Stack())...)
}

// describe says what the channel is at, for the log.
func (ch *Channel) describe() []any {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	args := []any{"topic", ch.topic}
	switch j, _ := ch.mailbox.Running(); j := j.(type) {
	case *joinJob:
		return append(args, "callback", "Join or Joined")
	case *messageJob:
		return append(args, "callback", "In or Event", "event", j.Event)
	case outJob:
		return append(args, "callback", "Out", "event", j.Event)
	case infoJob:
		return append(args, "callback", "Info")
	case *endJob, handOverJob:
		return append(args, "callback", "Terminate")
	}
	return args
}

func (s *RawSocket) describe() []any { return []any{"mount", s.mount.Path} }

// CallbackStats counts callbacks at one moment, including Connect.
type CallbackStats struct {
	Running int           `json:"running"`
	Long    int           `json:"long"`      // of Running, those that no longer hold one of Config.Workers
	Queued  int           `json:"queued"`    // channels and sockets that wait for a worker
	Oldest  time.Duration `json:"oldest_ns"` // how long the longest has run

	TimedOut int64 `json:"timed_out"` // so far, those that ran longer than the Timeout of their type
}

func (lent *services) callbackStats() (st CallbackStats) {
	for _, pool := range []*poller.Pool{lent.workers, lent.connects} {
		s := pool.Stats()
		st.Running += s.Running
		st.Long += s.Long
		st.Queued += s.Queued
		st.Oldest = max(st.Oldest, s.Oldest)
	}
	st.TimedOut = lent.timedOut.Load()
	return st
}
