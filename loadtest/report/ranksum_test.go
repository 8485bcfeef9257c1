package report_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/roost-rt/roost/loadtest/report"
)

func TestRankSum(t *testing.T) {
	for _, test := range []struct {
		name   string
		a, b   []float64
		p      float64
		higher bool
	}{
		{"3 apart from 3", []float64{1, 2, 3}, []float64{6, 5, 4}, 2.0 / 20, true},
		{"below", []float64{4, 5, 6}, []float64{1, 2, 3}, 2.0 / 20, false},
		{"4 apart from 4", []float64{1, 2, 3, 4}, []float64{50, 60, 70, 80}, 2.0 / 70, true},
		{"3 apart from 5", []float64{1, 2, 3}, []float64{4, 5, 6, 7, 8}, 2.0 / 56, true},
		{"one in between", []float64{1, 2, 4}, []float64{3, 5, 6}, 4.0 / 20, true},
		{"all the same", []float64{0, 0, 0}, []float64{0, 0, 0}, 1, false},
		{"alike", []float64{1, 4, 5, 8}, []float64{2, 3, 6, 7}, 1, false},
		{"a wild run counts as one", []float64{1, 2, 3}, []float64{4, 5, 1e9}, 2.0 / 20, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, higher := report.RankSum(test.a, test.b)
			if math.Abs(p-test.p) > 1e-12 || higher != test.higher {
				t.Errorf("rankSum(%v, %v) = %v, %v, want %v, %v", test.a, test.b, p, higher, test.p, test.higher)
			}
		})
	}
}

// Against the definition: deal the values out in every way, and count pairs.
func TestRankSumIsExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		a, b := make([]float64, 1+random.IntN(5)), make([]float64, 1+random.IntN(5))
		for _, group := range [][]float64{a, b} {
			for i := range group {
				group[i] = float64(random.IntN(6)) // ties abound
			}
		}
		if got, want := first(report.RankSum(a, b)), everyDeal(a, b); math.Abs(got-want) > 1e-12 {
			t.Fatalf("rankSum(%v, %v) = %v, want %v", a, b, got, want)
		}
	}
}

func first(p float64, _ bool) float64 { return p }

func everyDeal(a, b []float64) (p float64) {
	pooled := append(append([]float64{}, a...), b...)
	observed := apart(a, b)
	all, asFar := 0, 0
	for deal := range 1 << len(pooled) {
		if bits.OnesCount(uint(deal)) != len(b) {
			continue
		}
		var groups [2][]float64
		for i, v := range pooled {
			groups[deal>>i&1] = append(groups[deal>>i&1], v)
		}
		all++
		if apart(groups[0], groups[1]) >= observed {
			asFar++
		}
	}
	return float64(asFar) / float64(all)
}

// apart is twice the distance of U from its mean.
func apart(a, b []float64) int {
	balance := 0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x < y:
				balance++
			case x > y:
				balance--
			}
		}
	}
	return max(balance, -balance)
}

func TestLeastP(t *testing.T) {
	for _, test := range []struct {
		a, b int
		want float64
	}{{1, 1, 1}, {2, 2, 2.0 / 6}, {3, 3, 2.0 / 20}, {4, 4, 2.0 / 70}, {3, 10, 2.0 / 286}} {
		if got := report.LeastP(test.a, test.b); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("leastP(%d, %d) = %v, want %v", test.a, test.b, got, test.want)
		}
	}
}
