package cluster

import "testing"

// Two hundred nodes that start one after the other make one line. Nodes that come and
// leave without end make one in ten beats.
func TestTurnover(t *testing.T) {
	t.Parallel()
	var all turnover
	for n := range 200 {
		all.note("n", &all.came)
		if came, left, _ := all.beat(); n < mostBeats-1 && came+left > 0 {
			t.Fatalf("a line about %d and %d after beat %d", came, left, n+1)
		}
	}
	var one turnover
	one.note("a", &one.came)
	one.note("b", &one.left)
	if came, left, _ := one.beat(); came+left > 0 {
		t.Errorf("a line about %d and %d at once", came, left)
	}
	if came, left, last := one.beat(); came != 1 || left != 1 || last != "b" {
		t.Errorf("%d have come, %d left, the last %q, want 1, 1 and b", came, left, last)
	}
	if came, left, _ := one.beat(); came+left > 0 {
		t.Errorf("a second line about %d and %d", came, left)
	}
}
