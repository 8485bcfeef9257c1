package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/roost-rt/roost/loadtest/record"
)

// A column of the timeline. Of a reading, 0 means not measured.
type column struct {
	name    string
	reading bool
	of      func(record.Tick) int64
}

var columns = []column{
	{"at_ms", false, func(t record.Tick) int64 { return t.AtMs }},
	{"connected", false, func(t record.Tick) int64 { return t.Connected }},
	{"joined", false, func(t record.Tick) int64 { return t.Joined }},
	{"sent", false, func(t record.Tick) int64 { return t.Sent }},
	{"delivered", false, func(t record.Tick) int64 { return t.Delivered }},
	{"replies", false, func(t record.Tick) int64 { return t.Replies }},
	{"heartbeats", false, func(t record.Tick) int64 { return t.Heartbeats }},
	{"errors", false, func(t record.Tick) int64 { return total(t.Errors) }},
	{"server_rss_bytes", true, func(t record.Tick) int64 { return t.ServerRSS }},
	{"server_cpu_ns", true, func(t record.Tick) int64 { return t.ServerCPUNs }},
	{"client_rss_bytes", true, func(t record.Tick) int64 { return t.ClientRSS }},
	{"client_cpu_ns", true, func(t record.Tick) int64 { return t.ClientCPUNs }},
	{"kernel_bytes", true, func(t record.Tick) int64 { return t.KernelBytes }},
	{"p50_us", true, func(t record.Tick) int64 { return t.P50Us }},
	{"p99_us", true, func(t record.Tick) int64 { return t.P99Us }},
}

// WriteCSV writes the run over time: a line of names, then a row for each tick,
// about one a second. The columns are those of [record.Tick] with their units,
// the phase last: counters are totals since the start, kernel memory is above
// the start of the run, latencies are of the receipts since the row before. A value that
// was not measured is empty, never 0.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	_ = out.Write(append(names, "phase")) // Error tells
	for _, t := range r.ticks {
		var cells []string
		for _, c := range columns {
			cells = append(cells, c.cell(t))
		}
		_ = out.Write(append(cells, t.Phase))
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV timeline: %w", err)
	}
	return nil
}

func (c column) cell(t record.Tick) string {
	v := c.of(t)
	if v == 0 && c.reading {
		return ""
	}
	return strconv.FormatInt(v, 10)
}
