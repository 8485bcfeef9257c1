package knee

import "math"

// A Knee is the result of a search.
type Knee struct {
	Holds  *Point `json:"holds"`  // the highest that holds; nil if none does
	Breaks *Point `json:"breaks"` // the lowest that does not; nil if all hold
	Sure   bool   `json:"sure"`   // the search came to its end: both are decided
}

// A Point is the trials of one load.
type Point struct {
	Load float64 `json:"load"`
	Held int     `json:"held"`
	Runs int     `json:"runs"`

	// From and To are between which shares of all runs at this load would hold, by
	// Wilson's interval (1927) of 95 %.
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Knee returns the result so far.
func (s *Search) Knee() Knee {
	low, high, held, broke := s.border()
	_, more := s.next()
	k := Knee{Sure: !more}
	if held {
		k.Holds = s.point(low)
	}
	if broke {
		k.Breaks = s.point(high)
	}
	return k
}

func (s *Search) point(place int) *Point {
	t := s.trials[place]
	p := &Point{Load: s.load(place), Held: t.held, Runs: t.held + t.broke}
	p.From, p.To = wilson(p.Held, p.Runs)
	return p
}

// wilson returns the Wilson interval of a share that was seen so many times in n.
func wilson(seen, n int) (from, to float64) {
	const z = 1.96 // 95 %
	share, of := float64(seen)/float64(n), float64(n)
	middle := share + z*z/(2*of)
	half := z * math.Sqrt(share*(1-share)/of+z*z/(4*of*of))
	scale := 1 + z*z/of
	from, to = (middle-half)/scale, (middle+half)/scale
	if seen == 0 {
		from = 0 // not what rounding makes of it
	}
	if seen == n {
		to = 1
	}
	return from, to
}
