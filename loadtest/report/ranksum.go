package report

import (
	"math"
	"slices"
)

// rankSum is the Mann-Whitney U test, two-sided and exact. P is the share of
// all ways to deal the values of a and b out to two groups of their sizes that
// set the groups at least as far apart; higher says that b lies above a. The
// test asks nothing of how the values are spread, and one wild run moves it no
// more than any other.
//
// It counts the ways by their rank sums instead of listing them, so ties need no
// approximation and dozens of runs take no time. Ranks are doubled: those that
// share one have a half.
func rankSum(a, b []float64) (p float64, higher bool) {
	pooled := slices.Sorted(slices.Values(slices.Concat(a, b)))
	rank := func(v float64) int {
		before, _ := slices.BinarySearch(pooled, v)
		upTo := before
		for upTo < len(pooled) && pooled[upTo] == v {
			upTo++
		}
		return before + upTo + 1
	}
	observed, most := 0, 0
	for _, v := range b {
		observed += rank(v)
	}
	for _, v := range pooled {
		most += rank(v)
	}
	ways := make([][]float64, len(b)+1) // by how many values were taken, and the sum of their ranks
	for n := range ways {
		ways[n] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for _, v := range pooled {
		r := rank(v)
		for n := len(b); n > 0; n-- {
			for sum := most; sum >= r; sum-- {
				ways[n][sum] += ways[n-1][sum-r]
			}
		}
	}
	mean := len(b) * (len(pooled) + 1)
	all, asFar := 0.0, 0.0
	for sum, n := range ways[len(b)] {
		all += n
		if abs(sum-mean) >= abs(observed-mean) {
			asFar += n
		}
	}
	return asFar / all, observed > mean
}

// leastP is the P of two groups that do not overlap: no runs can show less.
func leastP(a, b int) float64 {
	p := 2.0
	for i := range b {
		p *= float64(i+1) / float64(a+i+1)
	}
	return min(p, 1)
}

func abs(n int) int { return max(n, -n) }

// median is NaN of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
