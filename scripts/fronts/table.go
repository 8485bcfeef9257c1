package main

import (
	"fmt"
	"slices"
	"strings"
)

// A summary holds the fields of the load generator's summary that are used here.
type summary struct {
	Joined, Delivered int64
	Joins             float64                              `json:"connect_join_per_second"`
	CPUPerJoin        float64                              `json:"server_cpu_us_per_join"`
	CPUPerDelivery    float64                              `json:"server_cpu_us_per_delivery"`
	ServerBytes       float64                              `json:"server_bytes_per_client"`
	Latency           struct{ P50, P99 float64 }           `json:"latency_ms"`
	TLS               *struct{ Handshakes, Resumed int64 } `json:"tls"`
}

// A figure is a row: one run of one way. Times are of processors where they are µs.
type figure struct {
	joins, p50, p99            float64
	serverJoin, serverDelivery float64 // µs each
	front                      float64 // µs of what is in front, for each client and all that it did
	serverBytes, frontBytes    float64 // for each client
	resumed                    float64 // percent of the handshakes
}

// figure returns the figures of a run, with the usage of the front before and after it.
func (s summary) figure(o options, before, after usage, peak int64) figure {
	f := figure{
		joins: s.Joins, p50: s.Latency.P50, p99: s.Latency.P99,
		serverJoin: s.CPUPerJoin, serverDelivery: s.CPUPerDelivery, serverBytes: s.ServerBytes,
		front:      float64(after.CPUNs-before.CPUNs) / 1000 / float64(o.clients),
		frontBytes: float64(max(0, peak-before.RSS)) / float64(o.clients),
	}
	if s.TLS != nil && s.TLS.Handshakes > 0 {
		f.resumed = 100 * float64(s.TLS.Resumed) / float64(s.TLS.Handshakes)
	}
	return f
}

// columns are the columns of the table.
var columns = []struct {
	title string
	of    func(figure) float64
}{
	{"joins/s", func(f figure) float64 { return f.joins }},
	{"p50 ms", func(f figure) float64 { return f.p50 }},
	{"p99 ms", func(f figure) float64 { return f.p99 }},
	{"Roost µs/join", func(f figure) float64 { return f.serverJoin }},
	{"µs/delivery", func(f figure) float64 { return f.serverDelivery }},
	{"bytes/client", func(f figure) float64 { return f.serverBytes }},
	{"front µs/client", func(f figure) float64 { return f.front }},
	{"bytes/client", func(f figure) float64 { return f.frontBytes }},
	{"resumed %", func(f figure) float64 { return f.resumed }},
}

// table is in Markdown, the ways in their order.
func table(figures map[string][]figure) string {
	var b strings.Builder
	b.WriteString("| way |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(columns)) + "\n")
	for _, name := range names() {
		if len(figures[name]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s |", name)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", digits(median(figures[name], c.of)))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// digits has as many as say something; 0 is nothing.
func digits(n float64) string {
	switch {
	case n == 0:
		return "–"
	case n < 10:
		return fmt.Sprintf("%.2f", n)
	case n < 100:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// median is the middle one, of an even number the upper.
func median(list []figure, of func(figure) float64) float64 {
	var values []float64
	for _, f := range list {
		values = append(values, of(f))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
