package live

import (
	"strconv"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
)

// An exportRequest is ExportMetricsServiceRequest of OTLP 1.x in its JSON encoding, as
// far as a run has it.
type exportRequest struct {
	ResourceMetrics []resourceMetrics `json:"resourceMetrics"`
}

type resourceMetrics struct {
	Resource struct {
		Attributes []attribute `json:"attributes"`
	} `json:"resource"`
	ScopeMetrics []scopeMetrics `json:"scopeMetrics"`
}

type scopeMetrics struct {
	Scope struct {
		Name string `json:"name"`
	} `json:"scope"`
	Metrics []*otlpMetric `json:"metrics"`
}

type attribute struct {
	Key   string `json:"key"`
	Value struct {
		Text string `json:"stringValue"`
	} `json:"value"`
}

// An otlpMetric is a gauge, or a sum if it only ever grows.
type otlpMetric struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Gauge       *data  `json:"gauge,omitempty"`
	Sum         *data  `json:"sum,omitempty"`
}

type data struct {
	Points      []point `json:"dataPoints"`
	Temporality int     `json:"aggregationTemporality,omitempty"`
	Monotonic   bool    `json:"isMonotonic,omitempty"`
}

// cumulative is the AggregationTemporality of what is since the start.
const cumulative = 2

type point struct {
	Attributes []attribute `json:"attributes,omitempty"`
	Start      string      `json:"startTimeUnixNano"` // fixed64, a string in OTLP's JSON
	Time       string      `json:"timeUnixNano"`
	Value      float64     `json:"asDouble"`
}

// requestOf says what a run is like now, that began at start; nil is nothing.
func requestOf(t *record.Tick, start, now time.Time) exportRequest {
	request := exportRequest{ResourceMetrics: []resourceMetrics{}}
	if t == nil {
		return request
	}
	scope, byName := scopeMetrics{}, make(map[string]*data)
	scope.Scope.Name = "github.com/roost-rt/roost/loadtest"
	each(*t, func(name, help string, total bool, value float64, labels ...string) {
		d := byName[name]
		if d == nil {
			d = new(data)
			byName[name] = d
			m := &otlpMetric{Name: name, Description: help, Gauge: d}
			if total {
				m.Gauge, m.Sum, d.Temporality, d.Monotonic = nil, d, cumulative, true
			}
			scope.Metrics = append(scope.Metrics, m)
		}
		one := point{Start: nanoseconds(start), Time: nanoseconds(now), Value: value}
		for i := 0; i < len(labels); i += 2 {
			one.Attributes = append(one.Attributes, attributeOf(labels[i], labels[i+1]))
		}
		d.Points = append(d.Points, one)
	})
	resource := resourceMetrics{ScopeMetrics: []scopeMetrics{scope}}
	resource.Resource.Attributes = []attribute{attributeOf("service.name", "loadtest")}
	request.ResourceMetrics = append(request.ResourceMetrics, resource)
	return request
}

func attributeOf(key, value string) (a attribute) {
	a.Key, a.Value.Text = key, value
	return a
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
