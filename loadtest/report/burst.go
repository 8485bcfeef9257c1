package report

import (
	"fmt"
)

// Burst describes the outcome of the messages that clients pushed in one go.
// The summary has the broadcasts and their latencies.
type Burst struct {
	Replies int64        `json:"replies"`
	ReplyMs *Percentiles `json:"reply_ms"` // from the moment at which all were pushed to the reply
}

var burst = kind{
	name:     "burst",
	settings: sending("pushers", "push"),
	read:     func(r *Result, s *Summary) (err error) { s.Burst, err = r.burst(); return err },
	lacks: func(s Summary) string {
		if s.Burst == nil || s.Burst.Replies == 0 {
			return "no push was answered"
		}
		return ""
	},
	after: func(s Summary) string {
		if s.Burst == nil {
			return ""
		}
		return fmt.Sprintf("; %s pushes answered", count(s.Burst.Replies))
	},
	blocks: func(s Summary) []block {
		if s.Burst == nil {
			return nil
		}
		return []block{s.Burst.block()}
	},
	lastCard: func(s Summary) *card {
		b := s.Burst
		if b == nil {
			return nil
		}
		last := &card{"Pushes answered", count(b.Replies), notMeasured}
		if b.ReplyMs != nil {
			last.More = "the last after " + milliseconds(b.ReplyMs.Max)
		}
		return last
	},
}

func (r *Result) burst() (*Burst, error) {
	a := r.activity("burst")
	if a == nil {
		return nil, nil
	}
	p, err := latencies(a)
	return &Burst{a.Count, p}, err
}

func (b *Burst) block() block {
	return block{Title: "pushed in one go", Columns: []string{"count", "p50", "p90", "p99", "max"},
		Rows: []blockRow{b.ReplyMs.counted("  reply", b.Replies)}}
}
