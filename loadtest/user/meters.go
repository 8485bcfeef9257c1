package user

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/order"
)

// maxKinds bounds how many ways to fail are told apart: some have text of the
// application's.
const maxKinds = 50

const otherKinds = "others, of too many kinds to tell apart"

// A meter counts what came of a step, and how long it took.
type meter struct {
	ok      int64
	failed  map[string]int64
	latency *hdrhistogram.Histogram // nil until there is one
}

// observe counts an outcome, "" for a good one. took is in nanoseconds; below 0
// nothing came.
func (m *meter) observe(outcome string, took int64) {
	if outcome == "" {
		m.ok++
	} else {
		if m.failed == nil {
			m.failed = make(map[string]int64)
		}
		if _, known := m.failed[outcome]; !known && len(m.failed) >= maxKinds {
			outcome = otherKinds
		}
		m.failed[outcome]++
	}
	if took < 0 {
		return
	}
	if m.latency == nil {
		m.latency = order.NewHistogram(3)
	}
	order.Observe(m.latency, took)
}

func (m *meter) reading() order.Reading {
	r := order.Reading{OK: m.ok, Failed: m.failed}
	if m.latency != nil {
		r.Latency = order.Encode(m.latency)
	}
	return r
}
