package conduct

import "github.com/roost-rt/roost/loadtest/order"

// A connecting is the stage in which the clients join.
type connecting struct {
	firstDial, lastJoin int64 // of all clients, monotonic nanoseconds; 0: none yet
	cpu                 int64 // that the servers took, nanoseconds
}

// joined takes the moments of one process whose clients have all joined or failed.
func (c *connecting) joined(e *order.Ramped) {
	if c.firstDial == 0 {
		c.firstDial = e.FirstDial
	}
	c.firstDial = min(c.firstDial, e.FirstDial)
	c.lastJoin = max(c.lastJoin, e.LastJoin)
}

// took is how long it was from the first dial to the last join, in nanoseconds.
func (c *connecting) took() int64 { return c.lastJoin - c.firstDial }
