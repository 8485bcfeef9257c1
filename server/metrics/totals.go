package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Totals returns the events so far, by their Prometheus names, summed over all
// labels.
func (e *Events) Totals() map[string]float64 {
	registry := prometheus.NewRegistry()
	registry.MustRegister(e)
	families, err := registry.Gather()
	if err != nil {
		panic(err) // these counters are ours, and fit together
	}
	totals := make(map[string]float64, len(families))
	for _, f := range families {
		for _, m := range f.GetMetric() {
			totals[f.GetName()] += value(m)
		}
	}
	return totals
}

func value(m *dto.Metric) float64 { return m.GetCounter().GetValue() }
