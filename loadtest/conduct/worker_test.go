package conduct

import (
	"io"
	"testing"

	"github.com/roost-rt/roost/loadtest/agent"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

// CPU time of processes that have died, or others have taken the place of, counts.
func TestUsageOfTheGone(t *testing.T) {
	t.Parallel()
	r := newRun(plan.Config{}, plan.Plan{}, nil, nil)
	r.seconds.Stop()
	r.replacedCPU = 5
	if got := r.serverUsage().CPUNs; got != 5 {
		t.Errorf("CPU time of all servers %d, want the 5 of one that another has taken the place of", got)
	}
	for _, w := range []*worker{
		{process: here{io.NopCloser(nil)}, used: order.Usage{RSS: 1, CPUNs: 7}, gone: true},
		{process: &agent.Process{}, used: order.Usage{RSS: 1, CPUNs: 7}, gone: true},
	} {
		if got, want := w.usage(), (order.Usage{CPUNs: 7}); got != want {
			t.Errorf("usage %+v of a client process that has died, want %+v", got, want)
		}
	}
}
