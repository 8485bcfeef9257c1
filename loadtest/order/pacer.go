package order

// A Pacer says when the n-th of a series of things is meant to happen. It does
// not care when the others did: who is late catches up, and the latency of a
// message counts from the moment it was meant for.
type Pacer struct {
	Start    int64 `json:"start"`    // monotonic nanoseconds
	Interval int64 `json:"interval"` // nanoseconds; 0 is at once
}

// NewPacer paces perSecond things from start on; 0 is without limit.
func NewPacer(start int64, perSecond float64) Pacer {
	if perSecond <= 0 {
		return Pacer{Start: start}
	}
	return Pacer{Start: start, Interval: int64(1e9 / perSecond)}
}

// A Schedule says when the writers write. They have the same interval, and take turns
// in it, so that their messages do not all come at once.
type Schedule struct {
	Pace    Pacer `json:"pace"`    // of the first
	Rooms   int   `json:"rooms"`   // that take turns; 1 if all rooms have theirs at the same time
	Writers int   `json:"writers"` // of each room
}

// Of is the pace of one writer.
func (s Schedule) Of(v Voice) Pacer {
	turn := v.Room%s.Rooms*s.Writers + v.Writer
	return Pacer{s.Pace.Start + s.Pace.Interval*int64(turn)/int64(s.Rooms*s.Writers), s.Pace.Interval}
}

// A Voice is a writer of a room, both counted from 0.
type Voice struct {
	Room   int `json:"room"`
	Writer int `json:"writer,omitempty"`
}

// Due is when thing n, counted from 0, is meant to happen.
func (p Pacer) Due(n int) int64 { return p.Start + int64(n)*p.Interval }
