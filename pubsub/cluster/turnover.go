package cluster

import "sync"

// mostBeats is for how many beats nodes may go on to come and leave before the log has a
// line about them.
const mostBeats = 10

// A turnover is how many nodes have come and left that the log has no line about yet. Of
// two hundred nodes that start together each would have one about each, 40,000 in all.
type turnover struct {
	mu         sync.Mutex // guards the rest
	came, left int
	last       string // of these
	beats      int    // since the first of them
	recent     bool   // the last one was since the last beat
}

// note takes note of a node that has come, or has left.
func (t *turnover) note(name string, has *int) {
	t.mu.Lock()
	*has++
	t.last, t.recent = name, true
	t.mu.Unlock()
}

// beat returns what the log is to have a line about, once a beat has brought nothing
// more, and begins anew. Else both are 0.
func (t *turnover) beat() (came, left int, last string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.came+t.left == 0 {
		return 0, 0, ""
	}
	if t.beats++; t.recent && t.beats < mostBeats {
		t.recent = false
		return 0, 0, ""
	}
	came, left, last = t.came, t.left, t.last
	t.came, t.left, t.beats, t.recent = 0, 0, 0, false
	return came, left, last
}
