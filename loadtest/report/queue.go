package report

import (
	"cmp"
	"fmt"
	"slices"
)

// A Queue is one that grew for as long as clients sent: more was sent than was
// served, and what was sent last waited longest. Its latencies tell how long the
// run was, and nothing else.
type Queue struct {
	FromMs      float64 `json:"from_ms"`       // median latency in the first part of the run
	ToMs        float64 `json:"to_ms"`         // likewise in the last
	MsPerSecond float64 `json:"ms_per_second"` // by how much it grew in a second
}

// A wait is how long something waited that was due at a moment, in milliseconds.
type wait struct{ at, ms float64 }

// What makes a queue: of so many parts of the run that have so many waits each,
// nearly every one waits longer than every one before it, the last so much longer
// than the first, in all and for each second.
const (
	queueParts   = 6
	queueWaits   = 3
	queuePairs   = 14 // of 15: by chance 6 of 720 orders have as many
	queueRise    = 250.0
	queueByTimes = 2.0
	queueSlope   = 20.0
)

// waits returns the waits of the broadcasts, or of the pings of an open loop. A closed
// loop has no queue: a client that waits does not send.
func (r *Result) waits() (list []wait) {
	for _, b := range r.Broadcasts {
		if b.Delivered > 0 {
			list = append(list, wait{float64(b.AtMs), float64(b.P50Us) / 1000})
		}
	}
	if r.Summary.closedLoop() || len(list) > 0 {
		return list
	}
	for _, t := range r.ticks {
		if t.P50Us > 0 && t.Phase == echo.name {
			list = append(list, wait{float64(t.AtMs), float64(t.P50Us) / 1000})
		}
	}
	return list
}

// queueOf finds a queue in waits, which are ordered by time.
func queueOf(waits []wait) *Queue {
	if len(waits) < queueParts*queueWaits || !slices.IsSortedFunc(waits, func(a, b wait) int { return cmp.Compare(a.at, b.at) }) {
		return nil
	}
	var parts []wait
	for i := range queueParts {
		parts = append(parts, middleOf(waits[i*len(waits)/queueParts:(i+1)*len(waits)/queueParts]))
	}
	rising := 0
	for i, later := range parts {
		for _, earlier := range parts[:i] {
			if later.ms > earlier.ms {
				rising++
			}
		}
	}
	first, last := parts[0], parts[queueParts-1]
	rise, seconds := last.ms-first.ms, (last.at-first.at)/1000
	if rising < queuePairs || rise < max(queueRise, first.ms*(queueByTimes-1)) || rise < queueSlope*seconds {
		return nil
	}
	return &Queue{first.ms, last.ms, rise / max(seconds, 0.001)}
}

// middleOf is the median of both.
func middleOf(waits []wait) wait {
	var at, ms []float64
	for _, w := range waits {
		at, ms = append(at, w.at), append(ms, w.ms)
	}
	return wait{median(at), median(ms)}
}

func (q *Queue) String() string {
	return fmt.Sprintf("a queue grew: the median latency rose from %s to %s, by %s each second; more was sent than could be served",
		milliseconds(q.FromMs), milliseconds(q.ToMs), milliseconds(q.MsPerSecond))
}
