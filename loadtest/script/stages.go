package script

import "time"

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
func (s *Script) Paced() bool { return len(s.Stages) > 0 && s.Stages[0].Rate != nil }

// At is how many users there are once so much time has passed, and how many rounds
// have been due by then: the sum of the rates.
func (s *Script) At(elapsed time.Duration) (users float64, rounds float64) {
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
