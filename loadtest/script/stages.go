package script

import (
	"errors"
	"time"
)

// Length is how long users go through the steps, 0 if it is until their rounds are
// over.
func (s *Script) Length() time.Duration {
	if len(s.Stages) == 0 {
		if s.Rounds > 0 {
			return time.Duration(s.For)
		}
		return s.For.Or(Time(30 * time.Second))
	}
	var sum time.Duration
	for _, stage := range s.Stages {
		sum += time.Duration(stage.For)
	}
	return sum
}

// Paced reports whether rounds begin at given moments.
func (s *Script) Paced() bool {
	return s.Rate > 0 || len(s.Stages) > 0 && s.Stages[0].Rate != nil
}

// repace has rounds begin at another rate, or go on for another time, than the file
// says. 0 leaves it so.
func (s *Script) repace(rate float64, length Time) error {
	if rate > 0 {
		s.Users.Count, s.For = s.Count(), Time(s.Length())
		s.Rate, s.Stages, s.Rounds = rate, nil, 0
	}
	switch {
	case length <= 0:
	case len(s.Stages) > 0:
		return errors.New("stages: they say how long: leave -for out, or say with -rate how many rounds there are a second instead of stages")
	default:
		s.For, s.Rounds = length, 0
	}
	return nil
}

// At is how many users there are once so much time has passed, and how many rounds
// have been due by then: the sum of the rates.
func (s *Script) At(elapsed time.Duration) (users float64, rounds float64) {
	if len(s.Stages) == 0 {
		return float64(s.Count()), s.Rate * min(elapsed, s.Length()).Seconds()
	}
	var begin time.Duration
	var was Stage // the one before
	was.Rate = new(float64)
	for _, stage := range s.Stages {
		rate := 0.
		if stage.Rate != nil {
			rate = *stage.Rate
		}
		length := time.Duration(stage.For)
		if elapsed < begin+length {
			share := float64(elapsed-begin) / float64(length)
			now := *was.Rate + share*(rate-*was.Rate)
			return float64(was.Users) + share*float64(stage.Users-was.Users), rounds + (*was.Rate+now)/2*(elapsed-begin).Seconds()
		}
		rounds += (*was.Rate + rate) / 2 * length.Seconds()
		begin += length
		was = Stage{Users: stage.Users, Rate: &rate}
	}
	return float64(was.Users), rounds
}
