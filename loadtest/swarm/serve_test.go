package swarm

import (
	"testing"
	"time"
)

// Processes of one run report one after the other, whenever each was started.
func TestUntilTurn(t *testing.T) {
	const every = 2 * time.Second
	for _, test := range []struct{ now, turn, want time.Duration }{
		{10 * time.Second, 0, every},
		{10 * time.Second, 500 * time.Millisecond, 500 * time.Millisecond},
		{10*time.Second + 499*time.Millisecond, 500 * time.Millisecond, time.Millisecond},
		{10*time.Second + 500*time.Millisecond, 500 * time.Millisecond, every},
		{11 * time.Second, 500 * time.Millisecond, 1500 * time.Millisecond},
		{0, 1999 * time.Millisecond, 1999 * time.Millisecond},
	} {
		if got := untilTurn(int64(test.now), every, test.turn); got != test.want {
			t.Errorf("untilTurn(%v, %v, %v) = %v, want %v", test.now, every, test.turn, got, test.want)
		}
	}
}
