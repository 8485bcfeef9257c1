package knee_test

import (
	"math"
	"testing"

	"github.com/roost-rt/roost/loadtest/knee"
)

// The interval is that of the tables (Brown, Cai and DasGupta 2001), and mirrored for
// what was not seen.
func TestWilson(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seen, n  int
		from, to float64
	}{
		{0, 1, 0, 0.7935}, {1, 1, 0.2065, 1},
		{1, 2, 0.0945, 0.9055}, {4, 5, 0.3755, 0.9638}, {3, 5, 0.2307, 0.8824},
		{5, 10, 0.2366, 0.7634}, {10, 10, 0.7225, 1}, {0, 10, 0, 0.2775}, {95, 100, 0.8882, 0.9785},
	} {
		from, to := knee.Wilson(tt.seen, tt.n)
		if near := func(a, b float64) bool { return math.Abs(a-b) <= 0.0001 }; !near(from, tt.from) || !near(to, tt.to) {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", tt.seen, tt.n, from, to, tt.from, tt.to)
		}
		if tt.seen == 0 && from != 0 || tt.seen == tt.n && to != 1 {
			t.Errorf("%d of %d: %v to %v, want exactly 0 or 1 at the end", tt.seen, tt.n, from, to)
		}
		if other, rest := knee.Wilson(tt.n-tt.seen, tt.n); math.Abs(other-(1-to)) > 1e-12 || math.Abs(rest-(1-from)) > 1e-12 {
			t.Errorf("%d of %d that were not seen: %v to %v, want the mirror image", tt.n-tt.seen, tt.n, other, rest)
		}
	}
}
