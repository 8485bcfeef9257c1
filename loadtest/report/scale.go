package report

import "math"

// A scale maps the values of one axis to shares of its length, 0 to 1.
type scale struct {
	min, max float64
	log      bool
	ticks    []float64
}

func (s scale) at(v float64) float64 {
	lo, hi := s.min, s.max
	if s.log {
		v, lo, hi = math.Log10(v), math.Log10(lo), math.Log10(hi)
	}
	return (v - lo) / (hi - lo)
}

// fromZero is a linear scale from 0 to a round number at or above most, with
// about n ticks.
func fromZero(most float64, n int) scale {
	if most <= 0 {
		most = 1
	}
	step := roundUp(most / float64(n))
	s := scale{max: step * math.Ceil(most/step-1e-9)}
	for i := range int(math.Round(s.max/step)) + 1 {
		s.ticks = append(s.ticks, float64(i)*step)
	}
	return s
}

// exactly is a linear scale that ends at its last value: no blank stretch at
// the end of a time axis.
func exactly(least, most float64, n int) scale {
	s := fromZero(most, n)
	kept := s.ticks[:0]
	for _, t := range s.ticks {
		if t >= least && t <= most {
			kept = append(kept, t)
		}
	}
	if most <= least {
		most = least + 1
	}
	return scale{min: least, max: most, ticks: kept}
}

// logarithmic spans the values from a power of ten, or 2 or 5 of it, to another.
func logarithmic(least, most float64) scale {
	s := scale{min: roundDown(least), max: roundUp(most), log: true}
	many := s.max/s.min > 1000 // then label the powers of ten only
	for power := math.Pow10(int(math.Floor(math.Log10(s.min)))); power <= s.max; power *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			t := digit * power
			if t >= s.min*0.999 && t <= s.max*1.001 && (digit == 1 || !many) {
				s.ticks = append(s.ticks, t)
			}
		}
	}
	return s
}

// roundUp is the least of 1, 2 and 5 times a power of ten that is not below v.
func roundUp(v float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, digit := range []float64{1, 2, 5} {
		if v <= digit*power*(1+1e-9) {
			return digit * power
		}
	}
	return 10 * power
}

func roundDown(v float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(v))))
	for _, digit := range []float64{5, 2} {
		if v >= digit*power {
			return digit * power
		}
	}
	return power
}
