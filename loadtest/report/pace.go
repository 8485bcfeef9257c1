package report

import (
	"math"

	"github.com/roost-rt/roost/loadtest/record"
)

// broadcastMs is how long the broadcasts took: as many intervals as there are
// messages of a writer, so one more than lie between the first and the last, or
// until the last receipt if that was later.
func (r *Result) broadcastMs() int64 {
	if len(r.Broadcasts) == 0 {
		return r.end.BroadcastMs
	}
	first, last := r.Broadcasts[0], r.Broadcasts[len(r.Broadcasts)-1]
	return max(last.AtMs-first.AtMs+r.intervalMs(), r.end.BroadcastMs)
}

// intervalMs returns the time between two messages of a writer: by the rate asked for, or
// else the mean of the first writer; 0 if neither can tell.
func (r *Result) intervalMs() int64 {
	if r.Run != nil {
		if rate, ok := r.Run.Config["rate"].(float64); ok && rate > 0 {
			return int64(math.Round(1000 / rate))
		}
	}
	first, last, between := r.Broadcasts[0], int64(0), int64(0)
	for _, b := range r.Broadcasts[1:] {
		if b.Room == first.Room && b.Writer == first.Writer {
			last = b.AtMs
			between++
		}
	}
	if between == 0 {
		return 0
	}
	return (last - first.AtMs) / between
}

// fanOut is how fast broadcasts, in order of time, reach their receivers while
// they do. It cannot be told of those that overlap: each slows the others.
func fanOut(broadcasts []record.Broadcast) *float64 {
	var delivered, us, end int64
	for _, b := range broadcasts {
		if b.AtMs*1000 < end {
			return nil
		}
		end = b.AtMs*1000 + b.LastUs
		delivered += b.Delivered
		us += b.LastUs
	}
	return ratio(delivered*1_000_000, us)
}

// bounded gives a broadcast percentiles that do not exceed its last receipt: old
// records have those of a histogram, which rounds up.
func bounded(b record.Broadcast) record.Broadcast {
	if b.LastUs > 0 {
		b.P50Us, b.P99Us = min(b.P50Us, b.LastUs), min(b.P99Us, b.LastUs)
	}
	return b
}
