package report

import (
	"fmt"
)

// Churn holds the results of the leaves and joins of that scenario.
type Churn struct {
	Joins          int64        `json:"joins"`
	JoinsPerSecond *float64     `json:"joins_per_second"`
	JoinMs         *Percentiles `json:"join_ms"` // from asking to join again to the reply
	Leaves         *int64       `json:"leaves"`
	LeaveMs        *Percentiles `json:"leave_ms"` // from the intended leave to the end of the channel
}

var churn = kind{
	name:     "churn",
	parts:    []string{"leave"},
	settings: sending("churn", "rate"),
	read:     func(r *Result, s *Summary) (err error) { s.Churn, err = r.churn(); return err },
	lacks:    func(s Summary) string { return s.Churn.lacks() },
	blocks: func(s Summary) []block {
		if s.Churn == nil {
			return nil
		}
		return []block{s.Churn.block()}
	},
	lastCard: func(s Summary) *card {
		c := s.Churn
		if c == nil {
			return nil
		}
		last := &card{"Join again, p99", notMeasured, fmt.Sprintf("%s joins, %s", count(c.Joins), show(c.JoinsPerSecond, rate))}
		if c.JoinMs != nil {
			last.Value = milliseconds(c.JoinMs.P99)
		}
		return last
	},
}

func (r *Result) churn() (*Churn, error) {
	joins, leaves := r.activity("churn"), r.activity("leave")
	if joins == nil {
		return nil, nil
	}
	c := &Churn{Joins: joins.Count, JoinsPerSecond: ratio(joins.Count*1000, joins.Ms)}
	var err error
	if c.JoinMs, err = latencies(joins); err != nil || leaves == nil {
		return c, err
	}
	c.Leaves = &leaves.Count
	c.LeaveMs, err = latencies(leaves)
	return c, err
}

// lacks is the same of those that left by themselves. The run waits for them at
// its end.
func (c *Churn) lacks() string {
	switch {
	case c == nil, c.Joins == 0 && (c.Leaves == nil || *c.Leaves == 0):
		return "no client left the topic"
	case c.Leaves != nil && c.Joins < *c.Leaves:
		return fmt.Sprintf("%s of %s clients that left joined again", count(c.Joins), count(*c.Leaves))
	}
	return ""
}

// block has the joins and the leaves below each other. Their rates are the same, except
// for those under way at the end.
func (c *Churn) block() block {
	b := block{Title: "churn", Columns: []string{"count", "p50", "p90", "p99", "max"}}
	b.Rows = append(b.Rows, c.JoinMs.counted("  join again", c.Joins))
	if c.Leaves != nil {
		b.Rows = append(b.Rows, c.LeaveMs.counted("  leave", *c.Leaves))
	}
	return b
}
