package phx

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/internal/panics"
)

// drain closes all sockets, and returns when the last one was told. Nobody new
// comes any more.
func (ep *Endpoint) drain(ctx context.Context) {
	byMount := make(map[*mount][]*Socket)
	for _, s := range ep.sockets() {
		byMount[s.mount] = append(byMount[s.mount], s)
	}
	var all sync.WaitGroup
	for m, sockets := range byMount {
		d := m.plan(ctx) // one at a time: mounts may share the function
		all.Go(func() { m.drain(ctx, d, sockets) })
	}
	all.Wait()
	// What was on its way in when the sockets were counted, and who is no socket.
	ep.eachPolled(func(s *Socket) { s.close(ws.StatusCode(1012), "", Draining) })
	for _, p := range ep.polls {
		p.others.leave()
	}
	ep.poller.Each(func(c *poller.Conn) {
		if s := socketOf(c); s != nil {
			s.close(ws.StatusCode(1012), "", Draining)
		} else {
			c.Kill(poller.ErrStopped)
		}
	})
}

// plan asks the application how the sockets of a mount are to go. Where it does not say
// so, in time, they go by the zero Drain: the end does not wait for it.
func (m *mount) plan(ctx context.Context) Drain {
	if m.Drain == nil {
		return Drain{}
	}
	answer := make(chan Drain, 1)
	go func() { // left to itself if it does not return
		var d Drain
		if err := panics.Contain(func() { d = m.Drain() }); err != nil {
			m.log.Error("Mount.Drain crashed", "mount", m.Path, "err", err)
		}
		answer <- d
	}()
	select {
	case d := <-answer:
		return d
	case <-time.After(callbackPatience):
	case <-ctx.Done():
	}
	m.log.Error("Mount.Drain does not return", "mount", m.Path)
	return Drain{}
}

// drain closes the sockets of a mount.
func (m *mount) drain(ctx context.Context, d Drain, sockets []*Socket) {
	if d.Off {
		for _, s := range sockets {
			s.close(ws.StatusGoingAway, "", Shutdown)
		}
		return
	}
	// Those who came together shall not go together.
	rand.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
	pace := newPace(ctx, d, len(sockets))
	clock := time.NewTicker(drainTick)
	defer clock.Stop()
	for start, closed := time.Now(), 0; ; {
		for due := pace.due(time.Since(start)); closed < due; closed++ {
			sockets[closed].close(ws.StatusCode(1012), "", Draining)
			if batch, ok := pace.batch(closed + 1); ok {
				m.report(batch)
			}
		}
		if closed == len(sockets) {
			return
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			pace.interval = 0 // time is up
		}
	}
}

// report tells of a batch that is done.
func (m *mount) report(e DrainEvent) {
	e.Mount = m.Path
	if s := m.span(m.LogConnect, slog.LevelInfo, false); s.logged() {
		m.log.Log(context.Background(), s.level, "draining", "mount", e.Mount, "batch", e.Index, "of", e.Rounds,
			"sockets", e.Count, "of_all", e.Total, "interval", e.Interval)
	}
	tellApart(m.services, m.hooks.Drained, e)
}
