package conduct

import (
	"context"
	"fmt"
	"maps"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/user"
)

var app = part{
	play: (*run).follow,
	orders: func(r *run, o *order.Orders) {
		o.Users, o.ScriptURL = r.plan.Clients, r.cfg.ScriptURL
	},
	arrives: func(r *run) bool {
		s, err := r.cfg.Script.Script()
		return err == nil && len(s.Stages) > 0
	},
}

// Try finds out with one user whether a scenario file and its application fit. The
// error says what does not, in sentences; other sentences are about addresses that
// are left out.
func Try(ctx context.Context, c plan.Config) (without []string, err error) {
	return user.Try(ctx, *c.Script, c.ScriptURL, c.From)
}

// follow has users go through the steps of a script, and waits for what they sent.
func (r *run) follow(ctx context.Context) error {
	r.enter("users")
	start := r.common() + int64(headStart)
	r.casting.begin(order.Schedule{Pace: order.Pacer{Start: start}, Rooms: 1, Writers: 1}, r.serverUsage().CPUNs)
	r.order(order.Command{Follow: &order.Follow{Start: start}})
	if err := r.until(ctx, func() bool { return all(r.workers, (*worker).hasFollowed) }); err != nil {
		return err
	}
	r.settleUsers()
	return r.until(ctx, func() bool { return r.missing() == 0 || r.silent() })
}

// hasFollowed reports whether the users of a worker are done, or will never say so.
func (w *worker) hasFollowed() bool { return w.followed != nil || w.gone }

// settleUsers tells all workers what all have sent.
func (r *run) settleUsers() {
	sent := make(order.SentAccount)
	for _, w := range r.workers {
		if w.followed == nil {
			continue
		}
		for place, writers := range w.followed.Sent {
			if sent[place] == nil {
				sent[place] = make(map[uint32][]int64)
			}
			maps.Copy(sent[place], writers)
		}
	}
	r.lastArrival = order.Now()
	if len(sent) == 0 {
		return
	}
	for _, w := range r.workers {
		unknown := int64(1) // until it tells
		w.missing = &unknown
	}
	r.order(order.Command{Settle: sent})
}

// missing is how many receipts users are owed and have not. A worker that is gone
// owes nothing.
func (r *run) missing() (n int64) {
	for _, w := range r.workers {
		if w.missing != nil && !w.gone {
			n += *w.missing
		}
	}
	return n
}

// emitSteps records what came of the steps of a script.
func (c closing) emitSteps() error {
	s, err := c.cfg.Script.Script()
	if err != nil {
		return err
	}
	for i, m := range s.Meters {
		step := record.Step{Name: m.Name, What: m.What}
		latency := order.NewHistogram(3)
		for _, w := range c.workers {
			if w.totals != nil && i < len(w.totals.Readings) {
				if err := add(&step, latency, w.totals.Readings[i]); err != nil {
					return fmt.Errorf("client process %d: %w", w.number, err)
				}
			}
		}
		step.Latency = order.Encode(latency)
		c.emit(record.Record{Step: &step})
	}
	return nil
}

func add(step *record.Step, latency *hdrhistogram.Histogram, r order.Reading) error {
	step.OK += r.OK
	for outcome, n := range r.Failed {
		if step.Failed == nil {
			step.Failed = make(map[string]int64)
		}
		step.Failed[outcome] += n
	}
	return order.Merge(latency, r.Latency)
}
