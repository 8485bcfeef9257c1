package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/roost-rt/roost/server/presence"
)

var (
	entries   = ofPresence("entries", "Presences on all nodes that are up, as this one knows them.", prometheus.GaugeValue)
	topics    = ofPresence("topics", "Topics that somebody is on, or whose clients have yet to be told.", prometheus.GaugeValue)
	nodesUp   = ofPresence("nodes_up", "Other nodes whose presences are seen.", prometheus.GaugeValue)
	nodesDown = ofPresence("nodes_down", "Other nodes that are silent, whose presences have left.", prometheus.GaugeValue)
	diffs     = ofPresence("diffs_total", "Messages presence_diff to the clients of this node, however many got each.", prometheus.CounterValue)
	diffBytes = ofPresence("diff_payload_bytes_total", "Payloads of these messages, each once.", prometheus.CounterValue)
)

func ofPresence(name, help string, kind prometheus.ValueType) family {
	return family{prometheus.NewDesc("roost_presence_"+name, help, []string{"presence"}, nil), kind}
}

// Presence returns the metrics of each presence.Presence, labelled with the
// Name of its Config, for [Handler] or a registry.
func Presence(all ...*presence.Presence) prometheus.Collector { return presences(all) }

type presences []*presence.Presence

// Describe is prometheus.Collector's.
func (presences) Describe(to chan<- *prometheus.Desc) {
	for _, f := range []family{entries, topics, nodesUp, nodesDown, diffs, diffBytes} {
		to <- f.desc
	}
}

// Collect is prometheus.Collector's.
func (all presences) Collect(metrics chan<- prometheus.Metric) {
	to := sink(metrics)
	for _, p := range all {
		st := p.Stats()
		to.send(entries, float64(st.Entries), st.Name)
		to.send(topics, float64(st.Topics), st.Name)
		to.send(nodesUp, float64(st.NodesUp), st.Name)
		to.send(nodesDown, float64(st.NodesDown), st.Name)
		to.send(diffs, float64(st.Diffs), st.Name)
		to.send(diffBytes, float64(st.DiffBytes), st.Name)
	}
}
