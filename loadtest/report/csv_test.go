package report_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

func TestCSV(t *testing.T) {
	r := newResult(t, []record.Record{
		{Tick: &record.Tick{AtMs: 1000, Phase: "connect", Connected: 12, Joined: 11, ServerRSS: 3, ServerCPUNs: 4, ClientRSS: 5, ClientCPUNs: 6, KernelBytes: 7}},
		{Tick: &record.Tick{AtMs: 2001, Phase: `a "b", c`, Connected: 10, Joined: 10, Sent: 1, Delivered: 9, Replies: 42, Heartbeats: 43,
			Errors: map[string]int64{"reset": 2, "timeout": 3}, P50Us: 800, P99Us: 950}},
	})
	const want = "at_ms,connected,joined,sent,delivered,replies,heartbeats,errors," +
		"server_rss_bytes,server_cpu_ns,client_rss_bytes,client_cpu_ns,kernel_bytes,p50_us,p99_us,phase\n" +
		"1000,12,11,0,0,0,0,0,3,4,5,6,7,,,connect\n" +
		"2001,10,10,1,9,42,43,5,,,,,,800,950,\"a \"\"b\"\", c\"\n"
	var out strings.Builder
	if err := r.WriteCSV(&out); err != nil || out.String() != want {
		t.Errorf("WriteCSV = %q, %v, want %q", out.String(), err, want)
	}
}
