package knee

import (
	"errors"
	"fmt"
	"math"
)

// A Config says where to search. Only From must be set.
type Config struct {
	// From is the first load that is tried, above 0.
	From float64

	// Least and Most are the lowest and the highest that are tried. Zero means a
	// thousandth and a million times of From.
	Least, Most float64

	// Precision is by how much of it a load exceeds the one below it, at most 1. Zero
	// means 0.05.
	Precision float64

	// Repeats is how many trials decide about a load at the border. Zero means 5.
	Repeats int

	// Trials bounds the trials of the whole search. Zero means 60.
	Trials int

	// Whole makes all loads whole numbers, of at least 1.
	Whole bool
}

// A Search is one that goes on.
type Search struct {
	cfg         Config
	trials      map[int]*tally // by place in the series; From is 0
	made        int
	first, last int // places
	stride      int // of about a factor of two
}

// A tally is the trials of one load.
type tally struct{ held, broke int }

// New begins a search. It fails for a Config that makes no sense, naming the field.
func New(c Config) (*Search, error) {
	if c.Least == 0 {
		c.Least = c.From / 1000
	}
	if c.Most == 0 {
		c.Most = c.From * 1_000_000
	}
	if c.Precision == 0 {
		c.Precision = 0.05
	}
	if c.Repeats == 0 {
		c.Repeats = 5
	}
	if c.Trials == 0 {
		c.Trials = 60
	}
	if c.Whole {
		c.Least = math.Max(1, math.Ceil(c.Least))
		c.Most = math.Floor(c.Most)
	}
	switch {
	case !(c.From > 0) || math.IsInf(c.From, 0):
		return nil, fmt.Errorf("from: %v: want a load above 0", c.From)
	case !(c.Least > 0 && c.Least <= c.From && c.From <= c.Most) || math.IsInf(c.Most, 0):
		return nil, fmt.Errorf("from: %v is not between least, %v, and most, %v", c.From, c.Least, c.Most)
	case !(c.Precision >= 0.001 && c.Precision <= 1):
		return nil, fmt.Errorf("precision: %v: want 0.001 to 1", c.Precision)
	case c.Repeats < 1:
		return nil, errors.New("repeats: must be at least 1")
	case c.Trials < 1:
		return nil, errors.New("trials: must be at least 1")
	}
	s := &Search{cfg: c, trials: make(map[int]*tally)}
	steps := func(to float64) float64 { return math.Log(to/c.From) / math.Log1p(c.Precision) }
	const whole = 1e-9 // so that a bound on the series is its last
	s.first, s.last = int(math.Floor(steps(c.Least)+whole)), int(math.Ceil(steps(c.Most)-whole))
	s.stride = max(1, int(math.Round(math.Ln2/math.Log1p(c.Precision))))
	return s, nil
}

// load is the one at a place.
func (s *Search) load(place int) float64 {
	v := s.cfg.From * math.Pow(1+s.cfg.Precision, float64(place))
	if s.cfg.Whole {
		v = math.Round(v)
	}
	return min(max(v, s.cfg.Least), s.cfg.Most)
}

// Next is the load to try next; false when the search is over.
func (s *Search) Next() (load float64, more bool) {
	place, more := s.next()
	return s.load(place), more && s.made < s.cfg.Trials
}

func (s *Search) next() (place int, more bool) {
	low, high, held, broke := s.border()
	switch {
	case !held && !broke:
		return 0, true
	case !broke && low < s.last:
		return min(low+s.stride, s.last), true
	case !held && high > s.first:
		return max(high-s.stride, s.first), true
	case held && broke && s.between(low, high) != low:
		return s.between(low, high), true
	case held && !s.decided(low):
		return low, true
	case broke && !s.decided(high):
		return high, true
	}
	return 0, false
}

// between is the place in the middle of two, or the next to it that has another
// load than both: whole ones are the same at several places. It is low if there is
// none.
func (s *Search) between(low, high int) int {
	middle := (low + high) / 2
	for away := range high - low {
		for _, place := range []int{middle - away, middle + away} {
			if place > low && place < high && s.load(place) != s.load(low) && s.load(place) != s.load(high) {
				return place
			}
		}
	}
	return low
}

// border returns the places of the lowest load known to break, and of the highest below
// it that holds. If a load above one that breaks holds, that is chance.
func (s *Search) border() (low, high int, held, broke bool) {
	for place := range s.trials {
		if !s.holds(place) && (!broke || place < high) {
			high, broke = place, true
		}
	}
	for place := range s.trials {
		if s.holds(place) && (!broke || place < high) && (!held || place > low) {
			low, held = place, true
		}
	}
	return low, high, held, broke
}

// spare is how many trials of a load that holds may break.
func (s *Search) spare() int { return s.cfg.Repeats / 5 }

// decided says that more trials would change nothing.
func (s *Search) decided(place int) bool {
	t := s.trials[place]
	return t.broke > s.spare() || t.held+t.broke >= s.cfg.Repeats
}

// holds says what the trials of a load come to; before it is decided, what most of
// them say.
func (s *Search) holds(place int) bool {
	t := s.trials[place]
	if s.decided(place) {
		return t.broke <= s.spare()
	}
	return t.held > t.broke
}

// Tell takes what came of a trial of a load that Next said.
func (s *Search) Tell(load float64, held bool) {
	place, _ := s.next()
	if s.load(place) != load {
		return // not asked for
	}
	t := s.trials[place]
	if t == nil {
		t = new(tally)
		s.trials[place] = t
	}
	if held {
		t.held++
	} else {
		t.broke++
	}
	s.made++
}
