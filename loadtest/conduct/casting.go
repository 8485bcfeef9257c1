package conduct

import "github.com/roost-rt/roost/loadtest/order"

// A casting is the stage in which writers write.
type casting struct {
	schedule order.Schedule // zero before it has begun
	before   int64          // CPU that the servers had taken then, nanoseconds
	cpu      int64          // that they took since; see done
}

// begin begins it.
func (c *casting) begin(s order.Schedule, cpu int64) { c.schedule, c.before = s, cpu }

// done ends it, if it has begun, with the CPU that the servers have taken by now.
func (c *casting) done(cpu int64) {
	if c.schedule != (order.Schedule{}) {
		c.cpu = max(0, cpu-c.before)
	}
}

// took is how long it was from the first message to the last receipt, in
// nanoseconds.
func (c *casting) took(lastReceipt int64) int64 { return lastReceipt - c.schedule.Pace.Start }
