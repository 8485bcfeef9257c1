package report

import "slices"

// An event is something that happened in a moment and explains what follows.
type event struct {
	atMs int64
	name string
}

// events returns what was done to servers on purpose.
func (r *Result) events() (events []event) {
	for _, a := range r.activities {
		for _, k := range kinds() {
			if k.events != nil && (a.Name == k.name || slices.Contains(k.parts, a.Name)) {
				events = append(events, k.events(a)...)
			}
		}
	}
	return events
}

// marks returns the events that lie on the axis.
func (t timeline) marks() (marks []eventMark) {
	for i, e := range t.events {
		at := t.x.at(float64(e.atMs) / t.unit)
		if at < 0 || at > 1 {
			continue
		}
		marks = append(marks, eventMark{At: cent(at), Name: e.name, Late: at > 0.6, Line: i})
	}
	return marks
}
