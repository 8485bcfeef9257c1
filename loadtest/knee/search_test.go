package knee_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/knee"
)

// find searches with trials that hold as they please.
func find(t *testing.T, c knee.Config, holds func(load float64) bool) (k knee.Knee, loads []float64) {
	t.Helper()
	s, err := knee.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for load, more := s.Next(); more; load, more = s.Next() {
		loads = append(loads, load)
		if len(loads) > 10_000 {
			t.Fatalf("%+v: the search does not end", c)
		}
		s.Tell(load, holds(load))
	}
	return s.Knee(), loads
}

// Of a server without noise the knee is found to the precision asked for, wherever
// it is and wherever the search begins, in as many trials as bisection takes.
func TestKneeOfASteadyServer(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		c := knee.Config{
			From: math.Pow(10, 3*random.Float64()), Precision: 0.01 + 0.3*random.Float64(),
			Repeats: 1 + random.IntN(6), Trials: 1000,
		}
		at := c.From * math.Pow(10, -2+6*random.Float64())
		k, loads := find(t, c, func(load float64) bool { return load <= at })
		if k.Holds == nil || k.Breaks == nil || !k.Sure {
			t.Fatalf("%+v, knee at %v: %+v, want both sides, and sure", c, at, k)
		}
		if k.Holds.Load > at || k.Breaks.Load <= at || k.Breaks.Load > k.Holds.Load*(1+c.Precision)*1.0001 {
			t.Fatalf("%+v, knee at %v: holds %v, breaks %v, want it between them and them close", c, at, k.Holds.Load, k.Breaks.Load)
		}
		if k.Holds.Held != k.Holds.Runs || k.Holds.Runs < c.Repeats || k.Breaks.Held != 0 {
			t.Fatalf("%+v: trials at the border %+v, %+v, want %d that held, and none", c, *k.Holds, *k.Breaks, c.Repeats)
		}
		away := math.Abs(math.Log2(at / c.From))
		if most := 3 + away*1.2 + math.Log2(1/c.Precision) + 2*float64(c.Repeats); float64(len(loads)) > most {
			t.Fatalf("%+v, knee at %v: %d trials, want %v at most", c, at, len(loads), most)
		}
	}
}

// Noise makes some trials hold that should not, and some break. The load that is
// reported is one that mostly holds, and the next one is one that does not.
func TestKneeOfANoisyServer(t *testing.T) {
	t.Parallel()
	const searches = 200
	for _, noise := range []float64{0.02, 0.1, 0.25} { // of the load: how wide the knee is
		random := rand.New(rand.NewPCG(5, 6))
		wrong := 0
		for range searches {
			at := math.Pow(10, 1+3*random.Float64())
			share := func(load float64) float64 { return 1 / (1 + math.Exp((load/at-1)/noise*4)) }
			c := knee.Config{From: at * math.Pow(10, -2+2.5*random.Float64()), Trials: 200}
			k, loads := find(t, c, func(load float64) bool { return random.Float64() < share(load) })
			if len(loads) > 120 || k.Holds == nil || k.Breaks == nil || !k.Sure {
				t.Fatalf("noise %v, knee at %v: %d trials, %+v, want it found", noise, at, len(loads), k)
			}
			if k.Holds.Load >= k.Breaks.Load {
				t.Fatalf("holds %v, breaks %v: the wrong way round", k.Holds.Load, k.Breaks.Load)
			}
			for _, p := range []*knee.Point{k.Holds, k.Breaks} {
				if share(p.Load) < p.From-0.05 || share(p.Load) > p.To+0.05 {
					wrong++
				}
			}
		}
		if wrong > 2*searches/20 {
			t.Errorf("noise %v: of %d shares that hold, at both sides of the border, %d are not in their interval", noise, 2*searches, wrong)
		}
	}
}

// A trial in twenty that breaks by chance, wherever it is, ends no search far below
// the knee.
func TestKneeWithMishaps(t *testing.T) {
	t.Parallel()
	const searches, at = 200, 1000.0
	random := rand.New(rand.NewPCG(7, 8))
	low := 0
	for range searches {
		k, _ := find(t, knee.Config{From: 10, Trials: 200}, func(load float64) bool { return load <= at && random.Float64() > 0.05 })
		if k.Holds == nil || k.Holds.Load < at/1.06 {
			low++
		}
	}
	if low > searches/10 {
		t.Errorf("%d of %d searches ended below the knee", low, searches)
	}
}

func TestKneeOutOfReach(t *testing.T) {
	t.Parallel()
	c := knee.Config{From: 100, Least: 10, Most: 5000}
	all, loads := find(t, c, func(float64) bool { return true })
	if all.Holds == nil || all.Holds.Load != 5000 || all.Breaks != nil || !all.Sure {
		t.Errorf("all hold: %+v by %v, want the most", all, loads)
	}
	none, loads := find(t, c, func(float64) bool { return false })
	if none.Holds != nil || none.Breaks == nil || none.Breaks.Load != 10 || !none.Sure {
		t.Errorf("none holds: %+v by %v, want the least to break", none, loads)
	}
}

// Loads that are whole numbers differ by one at the border, and none is 0.
func TestKneeOfWholeLoads(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 60; at++ {
		k, loads := find(t, knee.Config{From: 7, Whole: true, Repeats: 2}, func(load float64) bool { return load <= float64(at) })
		for _, load := range loads {
			if load != math.Trunc(load) || load < 1 {
				t.Fatalf("load %v, want a whole one", load)
			}
		}
		if k.Holds == nil || k.Breaks == nil || k.Holds.Load > float64(at) || k.Breaks.Load <= float64(at) || k.Breaks.Load > max(k.Holds.Load+1, k.Holds.Load*1.06+1) {
			t.Fatalf("knee at %d: %+v %+v", at, k.Holds, k.Breaks)
		}
	}
}

// A search that is cut short says what it knows, and that it is not sure. A bound
// of trials is kept.
func TestKneeCutShort(t *testing.T) {
	t.Parallel()
	for trials := range 30 {
		s, err := knee.New(knee.Config{From: 1, Trials: trials})
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		for load, more := s.Next(); more; load, more = s.Next() {
			s.Tell(load, load <= 50)
			made++
		}
		if k := s.Knee(); trials > 0 && (made > trials || k.Holds == nil || k.Holds.Load > 50 || k.Breaks != nil && k.Breaks.Load <= 50 || k.Sure && made < 10) {
			t.Errorf("%d trials of %d: %+v", made, trials, k)
		}
	}
	s, _ := knee.New(knee.Config{From: 1})
	if k := s.Knee(); k.Holds != nil || k.Breaks != nil || k.Sure {
		t.Errorf("before the first trial: %+v, want nothing", k)
	}
	s.Tell(17, true) // nobody asked
	if load, _ := s.Next(); load != 1 {
		t.Errorf("after an answer to another question the next is %v, want the first", load)
	}
}

// The interval is that of the tables.
func TestConfidence(t *testing.T) {
	t.Parallel()
	k, _ := find(t, knee.Config{From: 1, Repeats: 5}, func(load float64) bool { return load <= 3 })
	if h := k.Holds; h.Held != 5 || h.Runs != 5 || math.Abs(h.From-0.566) > 0.001 || h.To != 1 {
		t.Errorf("5 of 5: %+v, want 0.566 to 1", *h)
	}
	if b := k.Breaks; b.Held != 0 || b.Runs != 2 || b.From != 0 || math.Abs(b.To-0.658) > 0.001 {
		t.Errorf("0 of 2: %+v, want 0 to 0.658", *b)
	}
}

func TestBadConfigs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		c    knee.Config
		want string
	}{
		{knee.Config{}, "from"},
		{knee.Config{From: -1}, "from"},
		{knee.Config{From: math.NaN()}, "from"},
		{knee.Config{From: math.Inf(1)}, "from"},
		{knee.Config{From: 5, Least: 6}, "least"},
		{knee.Config{From: 5, Most: 4}, "most"},
		{knee.Config{From: 5, Most: math.NaN()}, "most"},
		{knee.Config{From: 5, Least: -1}, "least"},
		{knee.Config{From: 5, Most: math.Inf(1)}, "most"},
		{knee.Config{From: 5, Precision: 2}, "precision"},
		{knee.Config{From: 5, Precision: 0.0009}, "precision"},
		{knee.Config{From: 5, Precision: math.NaN()}, "precision"},
		{knee.Config{From: 5, Repeats: -1}, "repeats"},
		{knee.Config{From: 5, Trials: -1}, "trials"},
	} {
		if _, err := knee.New(test.c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(%+v) = %v, want an error about %s", test.c, err, test.want)
		}
	}
	for _, c := range []knee.Config{{From: 5, Least: 5, Most: 5}, {From: 5, Precision: 0.001}, {From: 5, Precision: 1}, {From: 5, Repeats: 1, Trials: 1}} {
		if _, err := knee.New(c); err != nil {
			t.Errorf("New(%+v) = %v, want it taken", c, err)
		}
	}
}
