package live_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/roost-rt/roost/loadtest/live"
	"github.com/roost-rt/roost/loadtest/record"
)

// scrape asks as Prometheus does.
func scrape(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, answer.Status, err)
	}
	return string(text)
}

func serve(t *testing.T) (r *live.Run, url string) {
	t.Helper()
	r = new(live.Run)
	addr, stop, err := r.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return r, "http://" + addr.String() + "/metrics"
}

// The metrics are the last tick in base units, by names that Prometheus's own linter
// has nothing against.
func TestMetricsOfATick(t *testing.T) {
	t.Parallel()
	r, url := serve(t)
	if text := scrape(t, url); strings.Contains(text, "loadtest_") {
		t.Errorf("before the first tick there is\n%s", text)
	}
	r.Show(record.Record{Tick: &record.Tick{AtMs: 500, Phase: "connect"}})
	r.Show(record.Record{Note: &record.Note{Message: "no tick"}})
	r.Show(record.Record{Tick: &record.Tick{
		AtMs: 2500, Phase: "broadcast", Connected: 101, Joined: 102, Present: 100, Sent: 7, Delivered: 700, Replies: 3, Heartbeats: 4,
		Errors:    map[string]int64{"join refused": 2, `odd "kind"`: 1},
		ServerRSS: 20_000_000, ServerCPUNs: 1_500_000_000, ClientRSS: 10, ClientCPUNs: 250_000_000, KernelBytes: 4096,
		P50Us: 1500, P99Us: 2_000_000, LateUs: 250, LagUs: 12_000,
	}})
	text := scrape(t, url)
	for _, want := range []string{
		"loadtest_run_seconds 2.5", "loadtest_connections 101", "loadtest_clients_joined 100", "loadtest_joins_total 102",
		"loadtest_messages_sent_total 7", "loadtest_receipts_total 700", "loadtest_replies_total 3", "loadtest_heartbeats_total 4",
		"loadtest_latency_p50_seconds 0.0015", "loadtest_latency_p99_seconds 2", "loadtest_send_late_max_seconds 0.00025", "loadtest_loop_lag_max_seconds 0.012",
		"loadtest_server_cpu_seconds_total 1.5", "loadtest_client_cpu_seconds_total 0.25",
		"loadtest_server_resident_memory_bytes 2e+07", "loadtest_client_resident_memory_bytes 10", "loadtest_kernel_memory_bytes 4096",
		`loadtest_phase{phase="broadcast"} 1`, `loadtest_errors_total{kind="join refused"} 2`, `loadtest_errors_total{kind="odd \"kind\""} 1`,
		"# TYPE loadtest_receipts_total counter", "# TYPE loadtest_connections gauge",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, `phase="connect"`) {
		t.Error("the phase before is still there")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// Who scrapes does not meet who tells.
func TestMetricsWhileTheyChange(t *testing.T) {
	t.Parallel()
	r, url := serve(t)
	var telling sync.WaitGroup
	telling.Go(func() {
		for n := range int64(2000) {
			r.Show(record.Record{Tick: &record.Tick{AtMs: n, Phase: "echo", Replies: n, Errors: map[string]int64{"x": n}}})
		}
	})
	for range 20 {
		scrape(t, url)
	}
	telling.Wait()
	if text := scrape(t, url); !strings.Contains(text, "loadtest_replies_total 1999\n") {
		t.Errorf("after the last tick:\n%s", text)
	}
}

func TestNobodyListensElsewhere(t *testing.T) {
	t.Parallel()
	r, url := serve(t)
	if _, _, err := r.Serve(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")); err == nil || !strings.Contains(err.Error(), "metrics: ") {
		t.Errorf("Serve at an address in use = %v, want an error", err)
	}
	answer, err := http.Get(strings.TrimSuffix(url, "/metrics") + "/debug")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("GET /debug: %s, want 404", answer.Status)
	}
	other := new(live.Run)
	addr, stop, err := other.Serve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := http.Get("http://" + addr.String() + "/metrics"); err == nil {
		t.Error("it still answers after stop")
	}
}
