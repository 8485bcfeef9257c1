package poller

import (
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// workerLabel is the profiler label of a worker's goroutine: its name.
const workerLabel = "roost_worker"

// An Overdue is a turn that has run for a long time; see
// [PoolConfig.OnOverdue].
type Overdue struct {
	Turn   Turn
	Ran    time.Duration
	Others int // other turns that have become overdue since the last report

	worker string
}

// Stack returns the stack of the turn's goroutine. It is "" if the goroutine
// has begun another turn, or has profiler labels set by the application.
// Finding it takes a profile of all goroutines: some 10 µs for each.
func (o Overdue) Stack() string {
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	label := fmt.Sprintf("%q:%q", workerLabel, o.worker)
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		// Goroutines that the application has started have the label, too.
		if strings.Contains(block, label) && strings.Contains(block, "poller.(*Pool).drain") {
			return block
		}
	}
	return ""
}

// overdueLocked returns what reports the turns that have become overdue, or nil:
// one of them apart, as there may be thousands.
func (p *Pool) overdueLocked(now time.Duration) (report func()) {
	if p.cfg.OnOverdue == nil || now-p.reported < time.Second {
		return nil
	}
	var o Overdue
	for _, w := range p.long {
		ran := now - w.began
		if w.told || ran < p.cfg.Overdue {
			continue
		}
		w.told = true
		if o.Turn == nil {
			o = Overdue{Turn: w.turn, Ran: ran, worker: w.name}
		} else {
			o.Others++
		}
	}
	if o.Turn == nil {
		return nil
	}
	p.reported = now
	return func() { p.cfg.OnOverdue(o) }
}

// PoolStats are a pool's counts at one moment.
type PoolStats struct {
	Running int           // turns that run
	Long    int           // of Running, those that have no place any more
	Queued  int           // turns that wait
	Oldest  time.Duration // how long the oldest one has run
}

// Stats returns the pool's counts.
func (p *Pool) Stats() PoolStats {
	now := time.Since(p.born)
	p.mu.Lock()
	defer p.mu.Unlock()
	st := PoolStats{Long: len(p.long), Queued: p.n + p.parked}
	for _, w := range slices.Concat(p.placed, p.long) {
		if w.turn != nil {
			st.Running++
			st.Oldest = max(st.Oldest, now-w.began)
		}
	}
	return st
}

// Oldest returns the turn that has run for the longest time, and how long; nil
// if none runs.
func (p *Pool) Oldest() (oldest Turn, ran time.Duration) {
	now := time.Since(p.born)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range slices.Concat(p.placed, p.long) {
		if w.turn != nil && (oldest == nil || now-w.began > ran) {
			oldest, ran = w.turn, now-w.began
		}
	}
	return oldest, ran
}
