package live

import (
	"maps"
	"slices"

	"github.com/roost-rt/roost/loadtest/record"
)

// A metric is one number of a tick.
type metric struct {
	name, help string
	total      bool // it only ever grows
	of         func(record.Tick) float64
}

// metrics are all but errors and phases, which have labels.
func metrics() []metric {
	count := func(of func(record.Tick) int64) func(record.Tick) float64 {
		return func(t record.Tick) float64 { return float64(of(t)) }
	}
	in := func(unit float64, of func(record.Tick) int64) func(record.Tick) float64 {
		return func(t record.Tick) float64 { return float64(of(t)) / unit }
	}
	const ms, us, ns = 1e3, 1e6, 1e9
	return []metric{
		{"loadtest_run_seconds", "Time since the start of the run.", false, in(ms, func(t record.Tick) int64 { return t.AtMs })},
		{"loadtest_connections", "Connections that are open.", false, count(func(t record.Tick) int64 { return t.Connected })},
		{"loadtest_clients_joined", "Clients that are joined.", false, count(func(t record.Tick) int64 { return t.Present })},
		{"loadtest_joins_total", "Clients that have joined, each once.", true, count(func(t record.Tick) int64 { return t.Joined })},
		{"loadtest_messages_sent_total", "Broadcasts sent.", true, count(func(t record.Tick) int64 { return t.Sent })},
		{"loadtest_receipts_total", "Receipts of broadcasts, of all clients.", true, count(func(t record.Tick) int64 { return t.Delivered })},
		{"loadtest_replies_total", "Replies to pings and pushes.", true, count(func(t record.Tick) int64 { return t.Replies })},
		{"loadtest_heartbeats_total", "Heartbeats answered.", true, count(func(t record.Tick) int64 { return t.Heartbeats })},
		{"loadtest_latency_p50_seconds", "Median latency of receipts and replies since the last sample; 0 if there were none.", false, in(us, func(t record.Tick) int64 { return t.P50Us })},
		{"loadtest_latency_p99_seconds", "Likewise the 99th percentile.", false, in(us, func(t record.Tick) int64 { return t.P99Us })},
		{"loadtest_send_late_max_seconds", "Longest delay of a send after its due time since the last sample.", false, in(us, func(t record.Tick) int64 { return t.LateUs })},
		{"loadtest_loop_lag_max_seconds", "Longest time that an event loop of clients kept a connection waiting since the last sample.", false, in(us, func(t record.Tick) int64 { return t.LagUs })},
		{"loadtest_server_cpu_seconds_total", "CPU time of all server processes.", true, in(ns, func(t record.Tick) int64 { return t.ServerCPUNs })},
		{"loadtest_client_cpu_seconds_total", "CPU time of all client processes.", true, in(ns, func(t record.Tick) int64 { return t.ClientCPUNs })},
		{"loadtest_server_resident_memory_bytes", "Resident memory of all server processes.", false, count(func(t record.Tick) int64 { return t.ServerRSS })},
		{"loadtest_client_resident_memory_bytes", "Resident memory of all client processes.", false, count(func(t record.Tick) int64 { return t.ClientRSS })},
		{"loadtest_kernel_memory_bytes", "Kernel memory of the host above the start of the run: slab and TCP buffers.", false, count(func(t record.Tick) int64 { return t.KernelBytes })},
	}
}

// each calls send with all metrics of a tick; labels are names, each before its value.
func each(t record.Tick, send func(name, help string, total bool, value float64, labels ...string)) {
	for _, m := range metrics() {
		send(m.name, m.help, m.total, m.of(t))
	}
	send("loadtest_phase", "1 for the phase that the run is in.", false, 1, "phase", t.Phase)
	for _, kind := range slices.Sorted(maps.Keys(t.Errors)) {
		send("loadtest_errors_total", "Errors of clients, by kind.", true, float64(t.Errors[kind]), "kind", kind)
	}
}
