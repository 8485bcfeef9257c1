package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkScenario is each scenario at 10,000 clients, in seconds. It reports
// the figures of a run's tables, and fails when anything is lost or a threshold
// of its file is missed:
//
//	go test ./loadtest -run '^$' -bench Scenario -benchtime 1x
func BenchmarkScenario(b *testing.B) {
	for _, test := range []struct{ name, args string }{
		{"chat-4-nodes", "chat -clients 4000 -messages 10 -rate 4 -servers 4"},
		{"chat-burst", "chat -clients 2000 -messages 200 -rate 200"},
		{"chat", "chat-10k.conf"},
		{"echo-closed", "echo-closed-10k.conf"},
		{"echo-open", "echo-open-10k.conf"},
		{"idle", "idle-10k.conf"},
		{"rooms", "rooms-10k.conf"},
		{"churn", "churn-10k.conf"},
		{"slow", "slow-10k.conf"},
		{"storm", "storm-10k.conf"},
		{"kill", "kill-10k.conf"},
		{"soak", "soak-10k.conf"},
	} {
		b.Run(test.name, func(b *testing.B) {
			var s struct {
				Summary map[string]any `json:"summary"`
			}
			for b.Loop() {
				c, out := start(b, append(strings.Fields(test.args), "-json", "figures.json")...)
				if code := exitCode(b, c.Wait()); code != 0 {
					b.Fatalf("exit code %d, want 0:\n%s", code, out)
				}
				text, err := os.ReadFile(filepath.Join(c.Dir, "figures.json"))
				if err == nil {
					err = json.Unmarshal(text, &s)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(0, "ns/op") // how long a run takes says nothing
			for _, m := range []struct{ unit, name string }{
				{"joins/s", "connect_join_per_second"},
				{"µs-CPU/join", "server_cpu_us_per_join"},
				{"B/client", "server_bytes_per_client"},
				{"deliveries/s", "fan_out_per_second"},
				{"µs-CPU/delivery", "server_cpu_us_per_delivery"},
				{"replies/s", "echo.replies_per_second"},
				{"µs-CPU/reply", "echo.server_cpu_us_per_reply"},
				{"µs-CPU/heartbeat", "idle.server_cpu_us_per_heartbeat"},
				{"ms-p99", "latency_ms.p99"},
				{"ms-99%-back", "comeback.back_99_percent_ms"},
			} {
				if v, ok := figure(s.Summary, m.name); ok {
					b.ReportMetric(v, m.unit)
				}
			}
		})
	}
}

// figure finds a number by the names on the way to it.
func figure(in map[string]any, name string) (float64, bool) {
	head, rest, deeper := strings.Cut(name, ".")
	if deeper {
		inner, _ := in[head].(map[string]any)
		return figure(inner, rest)
	}
	v, ok := in[head].(float64)
	return v, ok
}
