package report

// Slow tells what became of the clients that stopped reading.
type Slow struct {
	Stalled *int64 `json:"stalled"` // clients that stopped to read; nil in old records
	CutOff  int64  `json:"cut_off"` // of them, by the server
}

var slow = kind{
	name:     "slow",
	settings: sending("slow", "rate"),
	read:     func(r *Result, s *Summary) error { s.Slow = r.slow(); return nil },
	lacks: func(s Summary) string {
		if s.Slow == nil || s.Slow.Stalled == nil && s.Slow.CutOff == 0 {
			return "no client stopped reading"
		}
		return ""
	},
	after: func(s Summary) string {
		if s.Slow == nil {
			return ""
		}
		return "; " + s.Slow.share() + " slow ones disconnected"
	},
	blocks: func(s Summary) []block {
		if s.Slow == nil {
			return nil
		}
		return []block{s.Slow.block()}
	},
	lastCard: func(s Summary) *card {
		w := s.Slow
		if w == nil {
			return nil
		}
		last := &card{"Slow clients disconnected", count(w.CutOff), "the number of clients that do not read is not recorded"}
		if w.Stalled != nil {
			last.More = "of " + count(*w.Stalled) + " that do not read"
		}
		return last
	},
}

func (r *Result) slow() *Slow {
	a := r.activity("slow")
	if a == nil {
		return nil
	}
	return &Slow{measured(a.Stalled), a.Count}
}

// share is how many were cut off, of how many if that is known.
func (w *Slow) share() string {
	if w.Stalled == nil {
		return count(w.CutOff)
	}
	return count(w.CutOff) + " of " + count(*w.Stalled)
}

func (w *Slow) block() block {
	if w.Stalled == nil {
		return single("do not read", []string{"disconnected"}, count(w.CutOff))
	}
	return single("do not read", []string{"clients", "disconnected"}, count(*w.Stalled), count(w.CutOff))
}
