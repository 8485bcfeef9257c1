package order

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// fewest is up to how many latencies a [Sample] lists. A histogram takes as much
// memory as thousands, and encoding one half a millisecond, which is more than a
// small room's receipts of a message are worth.
const fewest = 128

// A Sample is latencies in microseconds: exact while they are few, later to two
// significant digits. The zero value has none.
type Sample struct {
	few  []int64
	many *hdrhistogram.Histogram // nil while they are few
}

// Add adds one, in nanoseconds.
func (s *Sample) Add(ns int64) { s.add(min(max(ns/1000, 0), maxLatency)) }

// AddMany adds a duration so many times.
func (s *Sample) AddMany(ns, times int64) {
	if s.many == nil && int64(len(s.few))+times <= fewest {
		for range times {
			s.Add(ns)
		}
		return
	}
	ObserveMany(s.all(), ns, times)
}

func (s *Sample) add(us int64) {
	if s.many == nil && len(s.few) < fewest {
		s.few = append(s.few, us)
		return
	}
	_ = s.all().RecordValue(us) // it fails only beyond maxLatency
}

// all makes it a histogram.
func (s *Sample) all() *hdrhistogram.Histogram {
	if s.many == nil {
		s.many = NewHistogram(2)
		for _, us := range s.few {
			_ = s.many.RecordValue(us) // as in add
		}
		s.few = nil
	}
	return s.many
}

// Merge adds what another has.
func (s *Sample) Merge(o Sample) {
	if o.many != nil {
		s.all().Merge(o.many)
		return
	}
	for _, us := range o.few {
		s.add(us)
	}
}

// Into adds all to a histogram.
func (s Sample) Into(h *hdrhistogram.Histogram) {
	if s.many != nil {
		h.Merge(s.many)
		return
	}
	for _, us := range s.few {
		_ = h.RecordValue(us) // as in add
	}
}

// Count is how many there are.
func (s Sample) Count() int64 {
	if s.many != nil {
		return s.many.TotalCount()
	}
	return int64(len(s.few))
}

// Percentile returns the value that so many percent of them do not exceed, in
// microseconds; 0 if there are none.
func (s Sample) Percentile(percent float64) int64 {
	if s.many != nil {
		return s.many.ValueAtPercentile(percent)
	}
	if len(s.few) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.few))
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// told is a Sample in JSON.
type told struct {
	Each      []int64 `json:"us,omitempty"`
	Histogram []byte  `json:"histogram,omitempty"`
}

// MarshalJSON lists them, or encodes the histogram.
func (s Sample) MarshalJSON() ([]byte, error) {
	if s.many != nil {
		return json.Marshal(told{Histogram: Encode(s.many)})
	}
	return json.Marshal(told{Each: s.few})
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (s *Sample) UnmarshalJSON(text []byte) error {
	var t told
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	*s = Sample{}
	for _, us := range t.Each {
		s.Add(us * 1000)
	}
	if len(t.Histogram) == 0 {
		return nil
	}
	return Merge(s.all(), t.Histogram)
}
