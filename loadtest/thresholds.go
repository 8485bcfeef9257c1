package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/report"
)

// thresholdNames is for -help.
const thresholdNames = "p50, p90, p99, p99.9, max, join (p99) as times; server, client, kernel as bytes per client; cpu (per delivery) as time; lost, duplicated, reordered, errors as numbers"

// A threshold is met by a figure below its limit.
type threshold struct {
	name  string
	limit float64 // times in milliseconds
	text  string
}

// thresholds are a flag: 'p99<500ms,lost<1'.
type thresholds []threshold

func (ts *thresholds) String() string {
	var list []string
	for _, t := range *ts {
		list = append(list, t.text)
	}
	return strings.Join(list, ",")
}

// Set parses a flag.
func (ts *thresholds) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		t := threshold{text: strings.TrimSpace(part)}
		name, limit, found := strings.Cut(t.text, "<")
		if t.name = strings.TrimSpace(name); !found {
			return fmt.Errorf("threshold %q: want name<limit", part)
		}
		if _, known := figure(report.Summary{}, t.name); !known {
			return fmt.Errorf("threshold %q: unknown name; there are %s", part, thresholdNames)
		}
		limit = strings.TrimSpace(limit)
		if d, err := time.ParseDuration(limit); err == nil && isTime(t.name) {
			t.limit = float64(d) / 1e6
		} else if t.limit, err = strconv.ParseFloat(limit, 64); err != nil || isTime(t.name) {
			return fmt.Errorf("threshold %q: want a limit such as 500ms for times, 3000 for others", part)
		}
		*ts = append(*ts, t)
	}
	return nil
}

func isTime(name string) bool {
	switch name {
	case "p50", "p90", "p99", "p99.9", "max", "join", "cpu":
		return true
	}
	return false
}

// missed says which thresholds are not met. What was not measured meets none.
func (ts thresholds) missed(s report.Summary) (list []string) {
	for _, t := range ts {
		switch value, _ := figure(s, t.name); {
		case value == nil:
			list = append(list, t.text+": not measured")
		case *value >= t.limit && isTime(t.name):
			list = append(list, fmt.Sprintf("%s: it is %.3g ms", t.text, *value))
		case *value >= t.limit:
			list = append(list, fmt.Sprintf("%s: it is %.0f", t.text, *value))
		}
	}
	return list
}

// figure finds a figure of a summary, nil if it was not measured. Times are in
// milliseconds.
func figure(s report.Summary, name string) (value *float64, known bool) {
	latency := cmp.Or(s.LatencyMs, new(report.Percentiles))
	switch name {
	case "p50":
		value = &latency.P50
	case "p90":
		value = &latency.P90
	case "p99":
		value = &latency.P99
	case "p99.9":
		value = &latency.P999
	case "max":
		value = &latency.Max
	case "join":
		if s.JoinLatencyMs == nil {
			return nil, true
		}
		return &s.JoinLatencyMs.P99, true
	case "cpu":
		if s.ServerCPUUsPerDelivery == nil {
			return nil, true
		}
		ms := *s.ServerCPUUsPerDelivery / 1000
		return &ms, true
	case "server":
		return s.ServerBytesPerClient, true
	case "client":
		return s.ClientBytesPerClient, true
	case "kernel":
		return s.KernelBytesPerClient, true
	case "lost":
		return float(s.Lost), true
	case "duplicated":
		return float(s.Duplicated), true
	case "reordered":
		return float(s.Reordered), true
	case "errors":
		var n int64
		for _, count := range s.Errors {
			n += count
		}
		return float(&n), true
	default:
		return nil, false
	}
	if s.LatencyMs == nil {
		return nil, true
	}
	return value, true
}

func float(n *int64) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}
