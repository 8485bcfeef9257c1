package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
)

var (
	ready       = gauge("roost_ready", "1 if clients are welcome, 0 while the server drains or is full.")
	draining    = gauge("roost_draining", "1 from the start of a drain.")
	connections = gauge("roost_connections", "Open TCP connections, including those in the handshake.")
	connsLimit  = gauge("roost_connections_limit", "How many connections there may be.")
	sockets     = gauge("roost_sockets", "Clients that are connected, by transport.", "transport")
	channels    = gauge("roost_channels", "Channels that are joined or joining.")
	slow        = counter("roost_slow_consumers_total", "Sockets closed because their clients did not read fast enough.")
	cut         = counter("roost_connections_cut_total", "Connections ended by the server because of the client, by cause, mount, and pattern of the client's oldest channel.", "cause", "mount", "pattern")
	refused     = counter("roost_connections_refused_total", "Connections refused, by the limit that refused them.", "limit")

	running  = gauge("roost_callbacks_running", "Callbacks that run.")
	long     = gauge("roost_callbacks_long", "Callbacks that run for so long that others have taken their places.")
	queued   = gauge("roost_callbacks_queued", "Channels and sockets that wait for a worker.")
	oldest   = gauge("roost_callback_oldest_seconds", "How long the oldest callback has been running.")
	timedOut = counter("roost_callback_timeouts_total", "Callbacks that ran longer than the timeout of their type.")
	passes   = counter("roost_loop_slow_passes_total", "Times that an event loop was busy for at_least so many seconds without looking at its other connections. Each also counts for the shorter times.", "loop", "at_least")

	budget      = gauge("roost_budget_used_bytes", "Bytes held for all clients: incoming for messages that are incomplete or not yet decoded, mailbox for those waiting for a callback, outbound for those clients have yet to take, broadcast for those waiting for delivery.", "budget")
	budgetLimit = gauge("roost_budget_limit_bytes", "How many bytes there may be; beyond that, clients are refused or cut.", "budget")

	connected  = gauge("roost_cluster_connected", "1 if the link to the other nodes is up.")
	peers      = gauge("roost_cluster_peers", "Other nodes heard of recently.")
	pending    = gauge("roost_cluster_pending_bytes", "Bytes of broadcasts that wait for the link.")
	reconnects = counter("roost_cluster_reconnects_total", "Times that the link was lost and came back.")
	published  = counter("roost_cluster_published_total", "Messages that left this node.")
	dropped    = counter("roost_cluster_dropped_total", "Messages of this node that did not leave it: too many waited, or too long.")
	received   = counter("roost_cluster_received_total", "Messages of other nodes delivered here.")
	repaired   = counter("roost_cluster_repaired_total", "Received messages that had to be sent again.")
	missed     = counter("roost_cluster_missed_total", "Messages of other nodes that were lost for this one.")
	gaps       = counter("roost_cluster_gaps_total", "Times that messages were missed, one or many in a row.")
	invalid    = counter("roost_cluster_invalid_total", "Messages of other nodes that cannot be read here.")
	forged     = counter("roost_cluster_forged_total", "Messages that are not from a node of the cluster: not signed with its secret, or sent again.")
)

// endpoint collects the metrics of one.
type endpoint struct{ *phx.Endpoint }

// Describe sends all families, also a cluster's.
func (e *endpoint) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range described {
		to <- desc
	}
}

// Collect sends what the endpoint counts.
func (e *endpoint) Collect(metrics chan<- prometheus.Metric) {
	to, st := sink(metrics), e.Stats()
	to.send(ready, oneIf(e.Ready() == nil))
	to.send(draining, oneIf(e.Draining()))
	to.send(connections, float64(st.Connections))
	to.send(sockets, float64(st.Sockets-st.LongPolls), "websocket")
	to.send(sockets, float64(st.LongPolls), "longpoll")
	to.send(channels, float64(st.Channels))
	to.send(slow, float64(st.SlowConsumers))
	for _, c := range e.Ledger().Cuts {
		to.send(cut, float64(c.Count), strings.ReplaceAll(string(c.Cause), " ", "_"), c.Mount, c.Pattern)
	}
	to.send(refused, float64(st.Refused.Full), "connections")
	to.send(refused, float64(st.Refused.PerAddress), "per_address")
	to.send(refused, float64(st.Refused.Rate), "accept_rate")
	to.callbacks(st.Callbacks)
	e.loops(to)
	to.budgets(e.Budgets())
	if e.Node() != "" { // there are others
		to.cluster(e.Cluster())
	}
}

func (to sink) callbacks(st phx.CallbackStats) {
	to.send(running, float64(st.Running))
	to.send(long, float64(st.Long))
	to.send(queued, float64(st.Queued))
	to.send(oldest, st.Oldest.Seconds())
	to.send(timedOut, float64(st.TimedOut))
}

// loops sends counts only: the longest pass since somebody asked would be taken from
// others that ask.
func (e *endpoint) loops(to sink) {
	for loop, slow := range e.SlowPasses() {
		n := uint64(0)
		for i := len(slow) - 1; i >= 0; i-- {
			n += slow[i].Took
			to.send(passes, float64(n), strconv.Itoa(loop), strconv.FormatFloat(slow[i].From.Seconds(), 'g', -1, 64))
		}
	}
}

// budgets leaves out limits that there are not.
func (to sink) budgets(all []phx.Budget) {
	for _, b := range all {
		name, ofBytes := strings.CutSuffix(b.Name, " bytes")
		if !ofBytes { // connections, which are counted already
			if b.Max > 0 {
				to.send(connsLimit, float64(b.Max))
			}
			continue
		}
		to.send(budget, float64(b.Used), name)
		if b.Max > 0 {
			to.send(budgetLimit, float64(b.Max), name)
		}
	}
}

func (to sink) cluster(st pubsub.AdapterStats) {
	to.send(connected, oneIf(st.Connected))
	to.send(peers, float64(len(st.Peers)))
	to.send(pending, float64(st.Pending))
	for _, c := range []struct {
		family
		n uint64
	}{
		{reconnects, st.Reconnects}, {published, st.Published}, {dropped, st.Dropped}, {received, st.Received},
		{repaired, st.Repaired}, {missed, st.Missed}, {gaps, st.Gaps}, {invalid, st.Invalid}, {forged, st.Forged},
	} {
		to.send(c.family, float64(c.n))
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
