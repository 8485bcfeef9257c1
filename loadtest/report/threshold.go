package report

import (
	"fmt"
	"strings"
)

// A Threshold is the bound for a figure, and the figure. The caller sets it: see
// [Result.Judge].
type Threshold struct {
	Text  string   `json:"text"`  // "p99<500ms"
	Value *float64 `json:"value"` // times in milliseconds, growth in percent; nil if not measured
	Shown string   `json:"shown"` // the same for people
	Met   bool     `json:"met"`   // what was not measured meets nothing
}

// Judge has the verdict depend on these, too.
func (r *Result) Judge(thresholds []Threshold) {
	r.Summary.Thresholds = append(r.Summary.Thresholds, thresholds...)
}

// String is a line of a report, after "met" or "missed".
func (t Threshold) String() string {
	if t.Value == nil {
		return t.Text + ": not measured"
	}
	return t.Text + ": it is " + t.Shown
}

// missedThresholds are those that were not met. A run that was interrupted need not have
// measured everything.
func (s Summary) missedThresholds() (list []Threshold) {
	for _, t := range s.Thresholds {
		if !t.Met && (t.Value != nil || !s.Interrupted) {
			list = append(list, t)
		}
	}
	return list
}

// thresholdFault returns a reason to fail, "" if there is none.
func (s Summary) thresholdFault() string {
	var names []string
	for _, t := range s.missedThresholds() {
		names = append(names, t.Text)
	}
	if names == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d thresholds missed: %s", len(names), len(s.Thresholds), strings.Join(names, ", "))
}
