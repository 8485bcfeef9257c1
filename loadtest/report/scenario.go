package report

import (
	"github.com/roost-rt/roost/loadtest/record"
)

// Other holds the results of a scenario that has no figures of its own here.
type Other struct {
	Name      string       `json:"name"`
	Count     int64        `json:"count"` // of what, the name says
	PerSecond *float64     `json:"per_second"`
	LatencyMs *Percentiles `json:"latency_ms"`
}

// scenario returns the scenario of the run.
func (r *Result) scenario() string {
	if r.Run != nil {
		if name, ok := r.Run.Config["scenario"].(string); ok {
			return name
		}
	}
	if n := len(r.activities); n > 0 {
		return r.activities[n-1].Name
	}
	return chat.name // the only one before they had names
}

// activity returns the last one of these names, or nil.
func (r *Result) activity(names ...string) (last *record.Activity) {
	for i := range r.activities {
		for _, name := range names {
			if r.activities[i].Name == name {
				last = &r.activities[i]
			}
		}
	}
	return last
}

func (r *Result) others() (others []Other, err error) {
	for _, a := range r.activities {
		if known(a.Name) {
			continue
		}
		p, err := latencies(&a)
		if err != nil {
			return nil, err
		}
		others = append(others, Other{a.Name, a.Count, ratio(a.Count*1000, a.Ms), p})
	}
	return others, nil
}

// latencies are nil if the activity has none.
func latencies(a *record.Activity) (*Percentiles, error) {
	h, err := decode(a.Name, a.Latency)
	return percentiles(h), err
}
