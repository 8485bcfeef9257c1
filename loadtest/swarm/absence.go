package swarm

import "time"

// dying is how long before a client notices its server may have been unable to
// deliver.
const dying = int64(5 * time.Second)

// An absence is the time in which a client was cut off, from the first time to
// the last. What was sent then it cannot have, and nothing repeats it: Channels
// deliver at most once.
type absence struct {
	from, to int64 // monotonic nanoseconds; to is 0 while it lasts
}

// excuse takes the messages out that were sent during the absence, and adds
// their number to away.
func (a *absence) excuse(lost []span, pace pacer, away int64) ([]span, int64) {
	var rest []span
	for _, s := range lost {
		for n := s.first; n <= s.last; n++ {
			due := pace.due(int(n) - 1)
			switch last := len(rest) - 1; {
			case due >= a.from-dying && due <= a.to:
				away++
			case last >= 0 && rest[last].last == n-1:
				rest[last].last = n
			default:
				rest = append(rest, span{n, n})
			}
		}
	}
	return rest, away
}
