package live_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/roost-rt/roost/loadtest/live"
	"github.com/roost-rt/roost/loadtest/record"
)

// full is a state with a value of its own in each field.
var full = record.Tick{
	AtMs: 1500, Phase: "broadcast", Connected: 2, Joined: 3, Present: 4, Sent: 5, Delivered: 6, Replies: 7, Heartbeats: 8,
	Errors:    map[string]int64{"dial": 9, "join refused": 10, "ümläut\n\"\\": 11},
	ServerRSS: 12, ServerCPUNs: 13e9, ClientRSS: 14, ClientCPUNs: 15e9, KernelBytes: 16, P50Us: 17e6, P99Us: 18e6, LateUs: 19e6, LagUs: 20e6,
}

// wantFull has the expected metrics of full: kind and value, by name and labels.
var wantFull = map[string]string{
	"loadtest_run_seconds": "gauge 1.5", "loadtest_connections": "gauge 2", "loadtest_joins_total": "counter 3", "loadtest_clients_joined": "gauge 4",
	"loadtest_messages_sent_total": "counter 5", "loadtest_receipts_total": "counter 6", "loadtest_replies_total": "counter 7", "loadtest_heartbeats_total": "counter 8",
	"loadtest_errors_total kind=dial": "counter 9", "loadtest_errors_total kind=join refused": "counter 10", "loadtest_errors_total kind=ümläut\n\"\\": "counter 11",
	"loadtest_server_resident_memory_bytes": "gauge 12", "loadtest_server_cpu_seconds_total": "counter 13",
	"loadtest_client_resident_memory_bytes": "gauge 14", "loadtest_client_cpu_seconds_total": "counter 15", "loadtest_kernel_memory_bytes": "gauge 16",
	"loadtest_latency_p50_seconds": "gauge 17", "loadtest_latency_p99_seconds": "gauge 18", "loadtest_send_late_max_seconds": "gauge 19", "loadtest_loop_lag_max_seconds": "gauge 20",
	"loadtest_phase phase=broadcast": "gauge 1",
}

// compare finds what is missing, other than wanted, or there without being wanted.
func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	for name, value := range got {
		if _, wanted := want[name]; !wanted {
			t.Errorf("%s is %q, want no such metric", name, value)
		}
	}
}

// Prometheus asks for protocol buffers, and finds each field of a state once, with a
// text for people.
func TestMetricsAsPrometheusReadsThem(t *testing.T) {
	t.Parallel()
	r := new(live.Run)
	r.Show(record.Record{Tick: &full})
	request := httptest.NewRequest("GET", "/metrics", nil)
	request.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	answer := httptest.NewRecorder()
	r.Handler().ServeHTTP(answer, request)
	got := make(map[string]string)
	for in := bufio.NewReader(answer.Body); ; {
		var family dto.MetricFamily
		err := protodelim.UnmarshalFrom(in, &family)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(family.GetHelp(), ".") {
			t.Errorf("%s is explained by %q, want a sentence", family.GetName(), family.GetHelp())
		}
		for _, m := range family.GetMetric() {
			name, value := family.GetName(), ""
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				value = fmt.Sprint("counter ", m.GetCounter().GetValue())
			case dto.MetricType_GAUGE:
				value = fmt.Sprint("gauge ", m.GetGauge().GetValue())
			}
			if _, twice := got[name]; twice {
				t.Errorf("%s is there twice", name)
			}
			got[name] = value
		}
	}
	compare(t, got, wantFull)
}

// The OTLP message is one by its own schema, fields that this lacks included, and has the
// metrics that are scraped.
func TestPushAsCollectorsReadIt(t *testing.T) {
	t.Parallel()
	o := new(receiver)
	server := httptest.NewServer(o)
	defer server.Close()
	r := new(live.Run)
	stop, err := r.Push(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	r.Show(record.Record{Tick: &full})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, body := o.last()
	var message metrics.MetricsData // ExportMetricsServiceRequest has the same field alone
	if err := protojson.Unmarshal([]byte(body), &message); err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	if len(message.GetResourceMetrics()) != 1 || len(message.GetResourceMetrics()[0].GetScopeMetrics()) != 1 {
		t.Fatalf("%s\nwant one resource with one scope", body)
	}
	resource := message.GetResourceMetrics()[0]
	if got := attributes(resource.GetResource().GetAttributes()); got != " service.name=loadtest" {
		t.Errorf("the resource has%s", got)
	}
	got := make(map[string]string)
	for _, m := range resource.GetScopeMetrics()[0].GetMetrics() {
		kind, points := "gauge", m.GetGauge().GetDataPoints()
		if sum := m.GetSum(); sum != nil {
			kind, points = "counter", sum.GetDataPoints()
			if sum.GetAggregationTemporality() != metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE || !sum.GetIsMonotonic() {
				t.Errorf("%s is %v, monotonic: %v, want a total since the start", m.GetName(), sum.GetAggregationTemporality(), sum.GetIsMonotonic())
			}
		}
		if !strings.HasSuffix(m.GetDescription(), ".") {
			t.Errorf("%s is explained by %q, want a sentence", m.GetName(), m.GetDescription())
		}
		for _, p := range points {
			got[m.GetName()+attributes(p.GetAttributes())] = fmt.Sprint(kind, " ", p.GetAsDouble())
			if p.GetStartTimeUnixNano() == 0 || p.GetTimeUnixNano() < p.GetStartTimeUnixNano() {
				t.Errorf("%s is from %d to %d", m.GetName(), p.GetStartTimeUnixNano(), p.GetTimeUnixNano())
			}
		}
	}
	compare(t, got, wantFull)
}

func attributes(list []*common.KeyValue) (text string) {
	for _, a := range list {
		text += " " + a.GetKey() + "=" + a.GetValue().GetStringValue()
	}
	return text
}

// Metrics can only be read, in OpenMetrics for who asks for that.
func TestRequestsForMetrics(t *testing.T) {
	t.Parallel()
	r, url := serve(t)
	r.Show(record.Record{Tick: &record.Tick{Phase: "idle"}})
	for _, tt := range []struct {
		method, accept string
		status         int
		kind, end      string // of the answer
	}{
		{"GET", "", 200, "text/plain; version=0.0.4", "loadtest_server_resident_memory_bytes 0\n"},
		{"GET", "application/openmetrics-text; version=1.0.0", 200, "application/openmetrics-text; version=1.0.0", "# EOF\n"},
		{"HEAD", "", 200, "text/plain", ""},
		{"POST", "", 405, "text/plain", "Method Not Allowed\n"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", tt.accept)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != tt.status || !strings.HasPrefix(answer.Header.Get("Content-Type"), tt.kind) || !strings.HasSuffix(string(text), tt.end) {
			t.Errorf("%s for %q: %s, %v, %s, want %d, %s and an end of %q", tt.method, tt.accept, answer.Status, answer.Header, text, tt.status, tt.kind, tt.end)
		}
	}
}

// A state that is shown stays as it was: whoever tells the next does not change it.
func TestLastStateCounts(t *testing.T) {
	t.Parallel()
	r, url := serve(t)
	for n := range int64(3) {
		r.Show(record.Record{Tick: &record.Tick{AtMs: n * 1000, Phase: "idle", Errors: map[string]int64{fmt.Sprint("kind ", n): 1}}})
		r.Show(record.Record{End: &record.End{}})
	}
	if text := scrape(t, url); !strings.Contains(text, "loadtest_run_seconds 2\n") || strings.Count(text, "\nloadtest_errors_total{") != 1 {
		t.Errorf("after three states there is\n%s\nwant the last one alone", text)
	}
}
