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

// A schedule is when the writers write. They have the same interval, and take
// turns in it, so that the messages of one do not meet those of all others.
type schedule struct {
	Pace    pacer `json:"pace"`    // of the first
	Rooms   int   `json:"rooms"`   // that take turns; 1 if all rooms have theirs at the same time
	Writers int   `json:"writers"` // of each room
}

// of is the pace of one writer.
func (s schedule) of(v voice) pacer {
	turn := v.Room%s.Rooms*s.Writers + v.Writer
	return pacer{s.Pace.Start + s.Pace.Interval*int64(turn)/int64(s.Rooms*s.Writers), s.Pace.Interval}
}

// A voice is a writer of a room, both counted from 0.
type voice struct {
	Room   int `json:"room"`
	Writer int `json:"writer,omitempty"`
}

// due is when thing n, counted from 0, is meant to happen.
func (p pacer) due(n int) int64 { return p.Start + int64(n)*p.Interval }
