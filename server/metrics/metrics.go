package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/roost-rt/roost/server/phx"
)

// maxScrapes is how many scrapes may run at a time: enough for several Prometheus
// servers, but not for a caller that asks in a loop. Further ones get 503.
const maxScrapes = 4

// Handler answers scrapes with the metrics of an endpoint, of its events, and
// of the process (memory, garbage collection, processor time, open files), and
// of others, such as [Presence]. events may be nil.
//
// It does not authenticate callers: serve it where only operators can reach it.
func Handler(ep *phx.Endpoint, events *Events, others ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(Collector(ep), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if events != nil {
		registry.MustRegister(events)
	}
	registry.MustRegister(others...)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes})
}

// Collector returns the metrics of an endpoint, for a registry that also has
// others. Two endpoints need separate registries or labels; see
// [prometheus.WrapRegistererWith].
func Collector(ep *phx.Endpoint) prometheus.Collector { return &endpoint{ep} }

// A family is the metrics of one name.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// described are the families of an endpoint: gauge and counter add to it.
var described []*prometheus.Desc

func newFamily(name, help string, labels []string, kind prometheus.ValueType) family {
	f := family{prometheus.NewDesc(name, help, labels, nil), kind}
	described = append(described, f.desc)
	return f
}

func gauge(name, help string, labels ...string) family {
	return newFamily(name, help, labels, prometheus.GaugeValue)
}

func counter(name, help string, labels ...string) family {
	return newFamily(name, help, labels, prometheus.CounterValue)
}

// A sink is where metrics go at a scrape.
type sink chan<- prometheus.Metric

func (to sink) send(f family, value float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}
