package swarm

// A pacer says when the n-th of a series of things is meant to happen. It does
// not care when the others did: who is late catches up, and the latency of a
// message counts from the moment it was meant for.
type pacer struct {
	Start    int64 `json:"start"`    // monotonic nanoseconds
	Interval int64 `json:"interval"` // nanoseconds; 0 is at once
}

// newPacer paces perSecond things from start on; 0 is without limit.
func newPacer(start int64, perSecond float64) pacer {
	if perSecond <= 0 {
		return pacer{Start: start}
	}
	return pacer{Start: start, Interval: int64(1e9 / perSecond)}
}

// due is when thing n, counted from 0, is meant to happen.
func (p pacer) due(n int) int64 { return p.Start + int64(n)*p.Interval }
