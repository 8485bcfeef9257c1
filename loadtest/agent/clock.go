package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// exchanges is how many pings a comparison of clocks takes. The shortest round
// trip counts: the others waited somewhere, on the way there or back.
const exchanges = 16

// pingTime is how long one may take.
const pingTime = 5 * time.Second

// An exchange is one ping: two moments of our clock, and one of the other's.
type exchange struct{ sent, at, received int64 }

// A ClockOffset is how far another monotonic clock is ahead of ours. Such clocks
// count from the start of their machine: days between them mean nothing.
type ClockOffset struct {
	Ahead  time.Duration
	Within time.Duration // it is off by no more than this: half a round trip
}

func (o ClockOffset) String() string {
	ahead := o.Ahead.Round(time.Microsecond) // no -0.000
	return fmt.Sprintf("%.3f ms ± %.3f ms", float64(ahead)/1e6, float64(o.Within)/1e6)
}

// closest compares clocks by the shortest of some exchanges.
func closest(list []exchange) (o ClockOffset) {
	for i, e := range list {
		within := time.Duration(e.received-e.sent+1) / 2
		if i == 0 || within < o.Within {
			o = ClockOffset{Ahead: time.Duration(e.at - e.sent - (e.received-e.sent)/2), Within: within}
		}
	}
	return o
}

// CompareClocks measures the agent's clock. Nobody else may at the same time.
func (a *Agent) CompareClocks(ctx context.Context) (ClockOffset, error) {
	var list []exchange
	for range exchanges {
		e, err := a.ping(ctx)
		if err != nil {
			return ClockOffset{}, fmt.Errorf("agent %s: compare clocks: %w", a.Addr, err)
		}
		list = append(list, e)
	}
	return closest(list), nil
}

func (a *Agent) ping(ctx context.Context) (exchange, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pingTime, fmt.Errorf("no answer in %s", pingTime))
	defer cancel()
	a.pings++
	e := exchange{sent: order.Now()}
	if err := a.ask(request{Ping: a.pings}); err != nil {
		return e, err
	}
	for {
		select {
		case p := <-a.pongs:
			if p.Number == a.pings { // others are late
				e.at, e.received = p.At, p.received
				return e, nil
			}
		case <-a.lost:
			return e, errors.New("the connection ended")
		case <-ctx.Done():
			return e, context.Cause(ctx)
		}
	}
}
