package knee_test

import (
	"math"
	"slices"
	"testing"

	"github.com/roost-rt/roost/loadtest/knee"
)

// answers returns a fake server: holds decides whether it bears the n-th trial at a load,
// counted from 1.
func answers(holds func(load float64, n int) bool) func(load float64) bool {
	made := make(map[float64]int)
	return func(load float64) bool {
		made[load]++
		return holds(load, made[load])
	}
}

// upTo is a server without noise.
func upTo(knee float64) func(load float64) bool {
	return func(load float64) bool { return load <= knee }
}

// The search doubles until a trial breaks, halves until one holds, then bisects, and
// at last repeats the two at the border: the lower one first.
func TestOrderOfTrials(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		c     knee.Config
		holds func(load float64) bool
		want  []float64
	}{
		{"up", knee.Config{From: 100, Precision: 1, Repeats: 1}, upTo(500), []float64{100, 200, 400, 800}},
		{"down", knee.Config{From: 100, Precision: 1, Repeats: 1}, upTo(30), []float64{100, 50, 25}},
		{"repeats", knee.Config{From: 100, Precision: 1, Repeats: 3}, upTo(150), []float64{100, 200, 100, 100}},
		{"five repeats forgive one", knee.Config{From: 100, Precision: 1}, upTo(150), []float64{100, 200, 100, 100, 100, 100, 200}},
		{"bisects", knee.Config{From: 100, Precision: 0.1, Repeats: 1}, upTo(150), []float64{100, 194.872, 133.1, 161.051, 146.41}},
		{"not above the most", knee.Config{From: 100, Most: 300, Precision: 1, Repeats: 1}, upTo(1000), []float64{100, 200, 300}},
		{"not below the least", knee.Config{From: 100, Least: 30, Precision: 1, Repeats: 1}, upTo(1), []float64{100, 50, 30}},
		{"from the most", knee.Config{From: 100, Most: 100, Precision: 1, Repeats: 2}, upTo(1000), []float64{100, 100}},
		{"half of two is not enough, and most of three is", knee.Config{From: 100, Precision: 1}, answers(func(load float64, n int) bool { return load <= 300 && !(load == 200 && n == 1) }),
			[]float64{100, 200, 100, 100, 100, 100, 200, 200, 400, 200, 200, 400}},
		{"whole ones", knee.Config{From: 3, Whole: true, Precision: 0.5, Repeats: 1}, upTo(5), []float64{3, 7, 5}},
	} {
		_, got := find(t, tt.c, tt.holds)
		if !slices.EqualFunc(got, tt.want, func(a, b float64) bool { return math.Abs(a/b-1) < 1e-5 }) {
			t.Errorf("%s: trials at %v, want %v", tt.name, got, tt.want)
		}
	}
}

// One trial in five of a load that holds may break; with fewer than five none may.
func TestSparedTrials(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		repeats, broken int // of the trials at the border, the first ones
		holds           bool
	}{
		{1, 0, true}, {1, 1, false}, {4, 0, true}, {4, 1, false},
		{5, 1, true}, {5, 2, false}, {9, 1, true}, {9, 2, false}, {10, 2, true}, {10, 3, false},
	} {
		k, _ := find(t, knee.Config{From: 100, Precision: 1, Repeats: tt.repeats}, answers(func(load float64, n int) bool {
			return load < 400 || load == 400 && n > tt.broken
		}))
		want := 200.0
		if tt.holds {
			want = 400
		}
		if k.Holds == nil || k.Holds.Load != want || k.Breaks == nil || k.Breaks.Load != 2*want || !k.Sure {
			t.Errorf("%d of %d trials at 400 break: holds %+v, breaks %+v, want %v and %v", tt.broken, tt.repeats, k.Holds, k.Breaks, want, 2*want)
		}
	}
}

// A mishap on the way up is not the knee: when the load holds in other trials the
// search goes on above it.
func TestMishapOnTheWay(t *testing.T) {
	t.Parallel()
	for _, at := range []float64{100, 200, 400, 800} {
		k, loads := find(t, knee.Config{From: 100, Precision: 1}, answers(func(load float64, n int) bool {
			return load <= 1600 && !(load == at && n == 1)
		}))
		if k.Holds == nil || k.Holds.Load != 1600 || k.Breaks == nil || k.Breaks.Load != 3200 || !k.Sure {
			t.Errorf("a mishap at %v: holds %+v, breaks %+v after %v, want 1600 and 3200", at, k.Holds, k.Breaks, loads)
		}
	}
}

// Luck above the knee is found out: a load that held once and breaks then does not
// hold, nor does anything above it.
func TestLuckAboveTheKnee(t *testing.T) {
	t.Parallel()
	for _, at := range []float64{400, 800} {
		k, loads := find(t, knee.Config{From: 100, Precision: 1}, answers(func(load float64, n int) bool {
			return load <= 200 || load <= at && n == 1
		}))
		if k.Holds == nil || k.Holds.Load != 200 || k.Holds.Runs < 5 || k.Breaks == nil || k.Breaks.Load != 400 || !k.Sure {
			t.Errorf("luck up to %v: holds %+v, breaks %+v after %v, want 200 and 400", at, k.Holds, k.Breaks, loads)
		}
	}
}

// A server may break at a load and hold at a higher one. What is reported is a load that
// holds with one right above it that does not, wherever the search came upon it.
func TestKneeOfAServerWithAHole(t *testing.T) {
	t.Parallel()
	for _, hole := range [][2]float64{{150, 250}, {350, 420}, {500, 2000}, {90, 110}} {
		c := knee.Config{From: 100, Trials: 200}
		holds := func(load float64) bool { return load <= 5000 && (load < hole[0] || load > hole[1]) }
		k, loads := find(t, c, holds)
		if k.Holds == nil || k.Breaks == nil || !k.Sure {
			t.Errorf("a hole at %v: %+v after %v, want both sides", hole, k, loads)
			continue
		}
		if k.Holds.Load >= k.Breaks.Load || k.Breaks.Load > 1.06*k.Holds.Load || !holds(k.Holds.Load) || holds(k.Breaks.Load) {
			t.Errorf("a hole at %v: holds %v, breaks %v, want neighbours of which one holds", hole, k.Holds.Load, k.Breaks.Load)
		}
	}
}

// The least and the most that are tried are a thousandth and a million times of the
// first, and whole numbers if all are.
func TestEndsOfTheSeries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		c           knee.Config
		least, most float64
	}{
		{"by default", knee.Config{From: 50}, 0.05, 50e6},
		{"as asked for", knee.Config{From: 50, Least: 20, Most: 70}, 20, 70},
		{"whole", knee.Config{From: 50, Least: 19.1, Most: 70.9, Whole: true}, 20, 70},
		{"whole, and never 0", knee.Config{From: 50, Whole: true}, 1, 50e6},
	} {
		tt.c.Trials = 1000
		all, _ := find(t, tt.c, func(float64) bool { return true })
		none, _ := find(t, tt.c, func(float64) bool { return false })
		if all.Holds == nil || all.Holds.Load != tt.most || none.Breaks == nil || none.Breaks.Load != tt.least {
			t.Errorf("%s: highest %+v, lowest %+v, want %v and %v", tt.name, all.Holds, none.Breaks, tt.most, tt.least)
		}
	}
}

// Sixty trials are the most unless others are asked for, and a search that they end is
// not sure.
func TestTrialsAreBounded(t *testing.T) {
	t.Parallel()
	for asked, want := range map[int]int{0: 60, 1: 1, 7: 7, 100: 100} {
		n := 0
		k, loads := find(t, knee.Config{From: 100, Repeats: 1000, Trials: asked}, func(load float64) bool {
			n++
			return load <= 130
		})
		if len(loads) != want || n != want || k.Sure {
			t.Errorf("%d trials asked for: %d made, sure: %v, want %d", asked, len(loads), k.Sure, want)
		}
	}
}
