package order

// A Span is the numbers First to Last.
type Span struct {
	First int32 `json:"first"`
	Last  int32 `json:"last"`
}

// Length is how many numbers that is.
func (s Span) Length() int64 { return int64(s.Last - s.First + 1) }
