package phx

import (
	"runtime"
	"time"

	"github.com/roost-rt/roost/poller"
)

// startPools starts the pools that turns run on.
func (ep *Endpoint) startPools() (err error) {
	cfg := ep.cfg
	elastic := poller.PoolConfig{
		Places: cfg.Workers, MaxWorkers: cfg.MaxWorkers, OwnerShare: cfg.SocketShare,
		Overdue: cfg.Overdue, OnOverdue: ep.overdue, Logger: cfg.Logger,
	}
	if ep.workers, err = poller.NewPool(elastic); err != nil {
		return err
	}
	if ep.connects, err = poller.NewPool(elastic); err != nil {
		return err
	}
	if ep.fanOut, err = poller.NewPool(poller.PoolConfig{Places: runtime.GOMAXPROCS(0), Logger: cfg.Logger}); err != nil {
		return err
	}
	// Half of the processors: what is left is enough for all that is not large.
	ep.unpackers, err = poller.NewPool(poller.PoolConfig{Places: (runtime.GOMAXPROCS(0) + 1) / 2, Logger: cfg.Logger})
	return err
}

// overdue tells the log of callbacks that run for long, with the stack of one.
func (ep *Endpoint) overdue(o poller.Overdue) {
	args := []any{"running", o.Ran.Round(time.Millisecond)}
	if t, ok := o.Turn.(interface{ describe() []any }); ok {
		args = append(args, t.describe()...)
	}
	if o.Others > 0 {
		args = append(args, "others", o.Others)
	}
	ep.log.Warn("a callback runs for long", append(args, "stack", o.Stack())...)
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
	case endJob, handOverJob:
		return append(args, "callback", "Terminate")
	}
	return args
}

func (s *RawSocket) describe() []any { return []any{"mount", s.mount.Path} }

func (u *upgrade) describe() []any { return []any{"mount", u.mount.Path, "callback", "Connect"} }

func (l *listener) describe() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.mailbox.Running(); ok {
		return []any{"topic", b.Topic, "event", b.Event, "callback", "Endpoint.Subscribe"}
	}
	return nil
}

// CallbackStats are counts of callbacks at one moment, Connect among them.
type CallbackStats struct {
	Running int           `json:"running"`
	Long    int           `json:"long"`      // those of them that hold none of Config.Workers any more
	Queued  int           `json:"queued"`    // channels and sockets that wait for a worker
	Oldest  time.Duration `json:"oldest_ns"` // how long one has run, the longest
}

func (ep *Endpoint) callbackStats() (st CallbackStats) {
	for _, pool := range []*poller.Pool{ep.workers, ep.connects} {
		p := pool.Stats()
		st.Running += p.Running
		st.Long += p.Long
		st.Queued += p.Queued
		st.Oldest = max(st.Oldest, p.Oldest)
	}
	return st
}
