package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
)

// app is the scenario of a scenario file.
var app = kind{
	name:     "app",
	together: true,
	settings: []string{"script", "late_ns", "drain_ns"},
	read: func(r *Result, s *Summary) error {
		for _, step := range r.steps {
			if err := s.addStep(step); err != nil {
				return err
			}
		}
		return nil
	},
	lacks: func(s Summary) string {
		if s.stepsDone() == 0 {
			return "no step succeeded"
		}
		return ""
	},
	headline: func(s Summary) string {
		if len(s.Steps) == 0 {
			return ""
		}
		text := fmt.Sprintf("%s steps of %s users succeeded", count(s.stepsDone()), count(*s.Joined))
		if *s.Expected > 0 {
			text += fmt.Sprintf("; all %s broadcasts owed to them were delivered, each once", count(*s.Delivered))
		}
		return text
	},
	blocks: Summary.stepBlocks,
}

// A Step is the result of one step of a scenario file, for all users together.
type Step struct {
	Name      string           `json:"name"`
	What      string           `json:"what"` // "join", "reply", "broadcast", "event", "leave" or "push", which waits for nothing
	OK        int64            `json:"ok"`
	Failed    map[string]int64 `json:"failed"`     // by what was wrong: a status and its reason, or that nothing came in time
	LatencyMs *Percentiles     `json:"latency_ms"` // from the send, or when that was due, to what came
}

func (s *Summary) addStep(step *record.Step) error {
	h, err := decode(step.Name, step.Latency)
	s.Steps = append(s.Steps, Step{step.Name, step.What, step.OK, counted(step.Failed), percentiles(h)})
	return err
}

// Failures returns how often it failed.
func (s Step) Failures() int64 { return total(s.Failed) }

// label returns the label of a row.
func (s Step) label() string { return "  " + s.Name + ": " + s.What }

// failures lists what was wrong, the commonest first.
func (s Step) failures() string {
	kinds := slices.SortedFunc(maps.Keys(s.Failed), func(a, b string) int {
		if d := s.Failed[b] - s.Failed[a]; d != 0 {
			return int(d)
		}
		return strings.Compare(a, b)
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%s × %s", count(s.Failed[kind]), kind)
	}
	return strings.Join(kinds, ", ")
}

// stepBlocks are the steps.
func (s Summary) stepBlocks() []block {
	if len(s.Steps) == 0 {
		return nil
	}
	b := block{Title: "steps", Columns: []string{"ok", "failed", "p50", "p99", "max"}}
	for _, step := range s.Steps {
		row := blockRow{step.label(), []string{count(step.OK), count(total(step.Failed))}}
		if l := step.LatencyMs; l != nil {
			row.Cells = append(row.Cells, milliseconds(l.P50), milliseconds(l.P99), milliseconds(l.Max))
		}
		b.Rows = append(b.Rows, row)
	}
	return []block{b}
}

// stepsFailed returns the fault of the steps, "" if there is none.
func (s Summary) stepsFailed() string {
	var reasons []string
	for _, step := range s.Steps {
		if failed := total(step.Failed); failed > 0 {
			reasons = append(reasons, fmt.Sprintf("%s (%s): %s of %s failed: %s", step.Name, step.What, count(failed), count(failed+step.OK), step.failures()))
		}
	}
	return strings.Join(reasons, "; ")
}

// stepsDone is how many came to what they must.
func (s Summary) stepsDone() (n int64) {
	for _, step := range s.Steps {
		n += step.OK
	}
	return n
}
