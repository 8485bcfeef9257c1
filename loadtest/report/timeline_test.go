package report

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

var none = math.NaN()

func TestSparse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		values []float64
		want   bool
	}{
		{"nothing", []float64{none, none}, false},
		{"a line", []float64{none, 1, 2, 3, none, 4, 5, 6, 7}, false},
		{"dots", []float64{1, none, 2, none, none, 3}, true},
		{"pairs", []float64{1, 2, none, 3, 4, none, none, 5}, true},
		{"a line and some dots", []float64{1, 2, 3, 4, none, 5, none, 6}, false},
		{"mostly dots", []float64{1, 2, 3, none, 5, none, 6, none, 7, none, 8}, true},
	} {
		if got := sparse(test.values); got != test.want {
			t.Errorf("%s: sparse = %v, want %v", test.name, got, test.want)
		}
	}
}

// A run whose receipts come now and then shows bars, as one that has some in each
// tick shows lines.
func TestLatencyOverTime(t *testing.T) {
	t.Parallel()
	for each, want := range map[int]string{1: "line", 4: "bar"} {
		var ticks []record.Tick
		for i := range 40 {
			tick := record.Tick{AtMs: int64(100 * i), Phase: "broadcast"}
			if i%each == 0 {
				tick.P50Us, tick.P99Us = 1000, 3000
			}
			ticks = append(ticks, tick)
		}
		c := newTimeline(ticks).latency("receipt")
		var classes []string
		for _, s := range c.Shapes {
			classes = append(classes, s.Class)
		}
		slices.Sort(classes)
		if want := []string{"blue " + want, "orange " + want}; !slices.Equal(classes, want) {
			t.Errorf("receipts each %d ticks: shapes %q, want %q", each, classes, want)
		}
		if n := len(c.Rows); n != 40/each {
			t.Errorf("receipts each %d ticks: %d rows of data, want %d", each, n, 40/each)
		}
		if c.Keys[0].Name == c.Keys[1].Name || each > 1 != strings.HasPrefix(c.Keys[0].Name, "up to") {
			t.Errorf("receipts each %d ticks: keys %v", each, c.Keys)
		}
	}
	if c := newTimeline(nil).latency("receipt"); len(c.Rows) > 0 || len(c.Shapes) > 0 {
		t.Errorf("no ticks: %+v, want nothing", c)
	}
}

// A bar reaches from the tick before to its own, and in a long run it is wide
// enough to be seen.
func TestBars(t *testing.T) {
	t.Parallel()
	tl := newTimeline([]record.Tick{{AtMs: 0}, {AtMs: 500}, {AtMs: 1000}})
	y := axis{scale: fromZero(4, 4)}
	if got, want := tl.barPath(y, []float64{0, 0, 1}, []float64{none, 2, 4}), "M1.0 1000.0H500.0V500.0H1.0ZM501.0 750.0H1000.0V0.0H501.0Z"; got != want {
		t.Errorf("bars %s, want %s", got, want)
	}
	long := newTimeline([]record.Tick{{AtMs: 0}, {AtMs: 999_000}, {AtMs: 1_000_000}})
	if got := long.barPath(y, []float64{0, 0, 0}, []float64{none, none, 4}); got != "M996.0 1000.0H1000.0V0.0H996.0Z" {
		t.Errorf("a bar of a thousandth of the run is %s, want one of four", got)
	}
}

// When a tick was late, the one right after it makes no peak.
func TestRatesOfUnevenTicks(t *testing.T) {
	t.Parallel()
	tl := newTimeline([]record.Tick{{AtMs: 0}, {AtMs: 100}, {AtMs: 200}, {AtMs: 480}, {AtMs: 485}, {AtMs: 600}})
	got := tl.perSecond([]float64{0, 100, 200, 210, 490, 600})
	if !math.IsNaN(got[0]) {
		t.Errorf("the first tick has a rate of %v, want none", got[0])
	}
	for i, rate := range got[1:] {
		if rate > 1100 {
			t.Errorf("tick %d: %v a second, want at most the 1,000 that there were", i+1, rate)
		}
	}
	fell := tl.perSecond([]float64{0, 100, 50, 150, 250, 350})
	if !math.IsNaN(fell[2]) || math.IsNaN(fell[1]) {
		t.Errorf("rates %v, want none where the total fell", fell)
	}
	coarse := tl.perSecondOver([]float64{none, 10, 10, 20, 20, 30}, 400)
	if !math.IsNaN(coarse[1]) || math.IsNaN(coarse[5]) {
		t.Errorf("rates over 400 ms %v, want one as soon as there are two readings", coarse)
	}
}

// Late sends are bars where there are moments without any, and not there in a
// closed loop.
func TestGeneratorOverTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		each  int // ticks with a send; 0 for none
		class string
	}{{"many sends", 1, "orange line"}, {"few", 5, "orange bar"}, {"closed loop", 0, ""}} {
		var ticks []record.Tick
		for i := range 30 {
			tick := record.Tick{AtMs: int64(100 * i), LagUs: 500}
			if test.each > 0 && i%test.each == 0 {
				tick.LateUs = 900
			}
			ticks = append(ticks, tick)
		}
		found := ""
		for _, s := range newTimeline(ticks).generator().Shapes {
			if strings.HasPrefix(s.Class, "orange") {
				found = s.Class
			}
		}
		if found != test.class {
			t.Errorf("%s: late sends are drawn as %q, want %q", test.name, found, test.class)
		}
	}
}
