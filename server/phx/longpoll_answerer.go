package phx

import (
	"runtime"
	"sync"

	"github.com/roost-rt/roost/poller/lane"
)

// An answerer answers the polls of some sessions that have messages, one by one, on
// turns of the pool that broadcasts have: neither an event loop nor who sends waits
// for that, and a crowd of sessions takes one place of the pool's queue, not as many
// as it has heads.
type answerer struct {
	*services // immutable

	mu   sync.Mutex // guards the rest
	lane lane.Lane[*poll]
}

// newAnswerers makes one for each processor.
func newAnswerers(lent *services) []*answerer {
	all := make([]*answerer, runtime.GOMAXPROCS(0))
	for i := range all {
		all[i] = &answerer{services: lent}
	}
	return all
}

// wake has a poll fetch what there is. The session is locked.
func (a *answerer) wake(p *poll) {
	a.mu.Lock()
	ask := a.lane.Push(a.fanOut, p, 0, true)
	a.mu.Unlock()
	if ask {
		a.fanOut.Go(a)
	}
}

// Turn answers a few; see poller.Pool. Each is a system call: an event loop that has
// something to do by now must not wait for a processor until all are answered.
func (a *answerer) Turn() {
	defer runtime.Gosched()
	a.lane.Turn(a.fanOut, a, &a.mu, nil, func(p *poll, left bool) {
		if !left {
			p.fetch()
		}
	})
}
