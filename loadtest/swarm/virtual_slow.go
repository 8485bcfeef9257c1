package swarm

import (
	"context"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

// stall closes the window of a client: the server's kernel takes what its buffer
// holds, as behind a client with a socket that is not read.
func (v *virtual) stall(c *client, conn connection) error {
	i := c.place()
	v.mu.Lock()
	v.stack.Stall(i)
	v.slow[i] = make(chan struct{})
	v.mu.Unlock()
	conn.SetDeadline(v.fleet.orders.Heartbeat)
	return nil
}

// handleSlow takes an event of a client that does not read, if it is one.
func (v *virtual) handleSlow(e vtcp.Event) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	cut := v.slow[e.Client]
	switch {
	case cut == nil:
		return false
	case e.Closed:
		close(cut)
	case e.Expired:
		_ = v.stack.SendShared(e.Client, v.fleet.heartbeat) // if it fails, the end was told
		v.stack.SetDeadline(e.Client, v.fleet.orders.Heartbeat)
	}
	return true
}

// resume has the slow clients read what there is.
func (v *virtual) resume() {
	if !v.enter() {
		return
	}
	slow := v.slow
	for i := range slow {
		v.stack.Resume(i)
	}
	v.mu.Unlock()
	limit, cancel := context.WithTimeout(context.Background(), lastRead)
	defer cancel()
	f := v.fleet
	for i, cut := range slow {
		select {
		case <-cut:
			f.mu.Lock()
			f.counts.CutOff++
			f.mu.Unlock()
		case <-limit.Done():
			if v.enter() {
				v.stack.Abort(i)
				v.mu.Unlock()
			}
		}
		f.disconnected()
	}
}
