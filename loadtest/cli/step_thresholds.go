package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/report"
	"github.com/roost-rt/roost/loadtest/script"
)

// stepFigures lists the figures of a step that can have a threshold, with their units.
var stepFigures = map[string]struct {
	unit unit
	of   func([]report.Step) *float64 // of all steps that are meant; nil if not measured
}{
	"p50":    {times, highest(func(p report.Percentiles) float64 { return p.P50 })},
	"p90":    {times, highest(func(p report.Percentiles) float64 { return p.P90 })},
	"p99":    {times, highest(func(p report.Percentiles) float64 { return p.P99 })},
	"p99.9":  {times, highest(func(p report.Percentiles) float64 { return p.P999 })},
	"max":    {times, highest(func(p report.Percentiles) float64 { return p.Max })},
	"ok":     {numbers, sum(func(s report.Step) int64 { return s.OK })},
	"errors": {numbers, sum(report.Step.Failures)},
}

// stepQuantity returns the quantity of a name such as "push new_msg.p99".
func stepQuantity(name string) (q quantity, known bool) {
	for figure, f := range stepFigures {
		step, found := strings.CutSuffix(name, "."+figure)
		if !found || step == "" {
			continue
		}
		return quantity{name: name, step: step, unit: f.unit, of: func(s report.Summary) *float64 {
			return f.of(stepsNamed(s.Steps, step))
		}}, true
	}
	return q, false
}

func stepsNamed(steps []report.Step, name string) (named []report.Step) {
	var meters []script.Meter
	for _, s := range steps {
		meters = append(meters, script.Meter{Name: s.Name, What: s.What})
	}
	for _, i := range script.Named(meters, name) {
		named = append(named, steps[i])
	}
	return named
}

// highest is of the latencies of several steps: the worst, as they cannot be added.
func highest(of func(report.Percentiles) float64) func([]report.Step) *float64 {
	return func(steps []report.Step) (most *float64) {
		for _, s := range steps {
			if ms := percentile(s.LatencyMs, of); ms != nil && (most == nil || *ms > *most) {
				most = ms
			}
		}
		return most
	}
}

func sum(of func(report.Step) int64) func([]report.Step) *float64 {
	return func(steps []report.Step) *float64 {
		if len(steps) == 0 {
			return nil
		}
		var n int64
		for _, s := range steps {
			n += of(s)
		}
		return float(&n)
	}
}

// fit finds a threshold of a step that a scenario file does not have; s is nil if
// there is no file.
func (ts thresholds) fit(s *script.Script) error {
	for _, t := range ts {
		switch {
		case t.figure.step == "":
		case s == nil:
			return fmt.Errorf("threshold %q: only a scenario file has steps, such as app.yaml", t.text)
		case script.Named(s.Meters, t.figure.step) == nil:
			var names []string
			for _, m := range s.Meters {
				names = append(names, m.Name)
			}
			if names = slices.Compact(names); names == nil {
				return fmt.Errorf("threshold %q: the file has no steps and no topics", t.text)
			}
			return fmt.Errorf("threshold %q: no step has this name: there are %s", t.text, strings.Join(names, ", "))
		}
	}
	return nil
}

// thresholdsIn returns the thresholds of a scenario file.
func thresholdsIn(s *script.Script) (ts thresholds, err error) {
	for _, limit := range s.SLO {
		if err := ts.Set(limit); err != nil {
			return nil, fmt.Errorf("slo: %w", err)
		}
	}
	if err := ts.fit(s); err != nil {
		return nil, fmt.Errorf("slo: %w", err)
	}
	return ts, nil
}
