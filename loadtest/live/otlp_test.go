package live_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/roost-rt/roost/loadtest/live"
	"github.com/roost-rt/roost/loadtest/record"
)

// A receiver of OTLP keeps what it is sent.
type receiver struct {
	answer func(n int, w http.ResponseWriter) // to the n-th message, from 0 on; nil is {}

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (o *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing is not found
	o.mu.Lock()
	n := len(o.bodies)
	o.requests, o.bodies = append(o.requests, r), append(o.bodies, string(body))
	o.mu.Unlock()
	if o.answer != nil {
		o.answer(n, w)
		return
	}
	fmt.Fprint(w, "{}")
}

func (o *receiver) last() (r *http.Request, body string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.requests[len(o.requests)-1], o.bodies[len(o.bodies)-1]
}

// points are the data points of an ExportMetricsServiceRequest in JSON, by name with
// attributes, each with what kind of metric it is of.
func points(t *testing.T, body string) map[string]string {
	t.Helper()
	type data struct {
		DataPoints []struct {
			Attributes []struct {
				Key   string
				Value struct{ StringValue string }
			}
			StartTimeUnixNano, TimeUnixNano string
			AsDouble                        float64
		}
		AggregationTemporality int
		IsMonotonic            bool
	}
	var request struct {
		ResourceMetrics []struct {
			ScopeMetrics []struct {
				Metrics []struct {
					Name       string
					Gauge, Sum *data
				}
			}
		}
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	if err := decoder.Decode(&request); err != nil {
		t.Fatalf("%v:\n%s", err, body)
	}
	found := make(map[string]string)
	for _, r := range request.ResourceMetrics {
		for _, s := range r.ScopeMetrics {
			for _, m := range s.Metrics {
				kind, d := "gauge", m.Gauge
				if m.Sum != nil {
					kind, d = fmt.Sprintf("sum %d %v", m.Sum.AggregationTemporality, m.Sum.IsMonotonic), m.Sum
				}
				for _, p := range d.DataPoints {
					name := m.Name
					for _, a := range p.Attributes {
						name += " " + a.Key + "=" + a.Value.StringValue
					}
					if len(p.StartTimeUnixNano) != 19 || p.TimeUnixNano < p.StartTimeUnixNano {
						t.Errorf("%s is from %q to %q", name, p.StartTimeUnixNano, p.TimeUnixNano)
					}
					found[name] = fmt.Sprint(kind, " ", p.AsDouble)
				}
			}
		}
	}
	return found
}

// What is sent are the metrics that are scraped, each once, with the kind that they
// are; the first message has none, and the last one is the last state.
func TestPush(t *testing.T) {
	t.Parallel()
	o := new(receiver)
	server := httptest.NewServer(o)
	defer server.Close()
	r := new(live.Run)
	stop, err := r.Push(server.URL, "Authorization=Bearer%20abc, X-Scope=me")
	if err != nil {
		t.Fatal(err)
	}
	request, body := o.last()
	if request.Method != "POST" || request.URL.Path != "/v1/metrics" || request.Header.Get("Content-Type") != "application/json" || len(points(t, body)) > 0 {
		t.Errorf("%s %s, %v, %s, want an empty message", request.Method, request.URL, request.Header, body)
	}
	if request.Header.Get("Authorization") != "Bearer abc" || request.Header.Get("X-Scope") != "me" {
		t.Errorf("headers %v", request.Header)
	}
	r.Show(record.Record{Tick: &record.Tick{AtMs: 500, Phase: "connect"}})
	r.Show(record.Record{Tick: &record.Tick{AtMs: 2500, Phase: "broadcast", Joined: 102, Present: 100, P99Us: 2_000_000, Errors: map[string]int64{"join refused": 2, "dial": 1}}})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, body = o.last()
	found := points(t, body)
	for name, want := range map[string]string{
		"loadtest_run_seconds": "gauge 2.5", "loadtest_joins_total": "sum 2 true 102", "loadtest_clients_joined": "gauge 100", "loadtest_latency_p99_seconds": "gauge 2",
		"loadtest_phase phase=broadcast": "gauge 1", "loadtest_errors_total kind=join refused": "sum 2 true 2", "loadtest_errors_total kind=dial": "sum 2 true 1",
	} {
		if found[name] != want {
			t.Errorf("%s is %q, want %q", name, found[name], want)
		}
	}
	if want := 17 + 1 + 2; len(found) != want {
		t.Errorf("%d points, want %d:\n%s", len(found), want, body)
	}
	if !strings.Contains(body, `{"key":"service.name","value":{"stringValue":"loadtest"}}`) {
		t.Errorf("no name in\n%s", body)
	}
}

// Who does not take the first message is found out before the run, and nothing of the
// endpoint or the headers is said, which may hold a token.
func TestPushErrors(t *testing.T) {
	t.Parallel()
	refuse := httptest.NewServer(&receiver{answer: func(_ int, w http.ResponseWriter) { http.Error(w, "no token", http.StatusUnauthorized) }})
	defer refuse.Close()
	gone := httptest.NewServer(new(receiver))
	gone.Close()
	for _, test := range []struct{ endpoint, headers, want string }{
		{refuse.URL + "/secret", "", `otlp: HTTP 401: "no token\n"`},
		{gone.URL + "/secret", "", "connection refused"},
		{"secret:4318", "", "otlp: want http://HOST:PORT"},
		{"http://%zz/secret", "", "otlp: want http://HOST:PORT"},
		{refuse.URL, "secret", "OTEL_EXPORTER_OTLP_HEADERS: want name=value"},
		{refuse.URL, "a=%zzsecret", "OTEL_EXPORTER_OTLP_HEADERS: want name=value"},
	} {
		stop, err := new(live.Run).Push(test.endpoint, test.headers)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Push(%s) = %v, want %q", test.endpoint, err, test.want)
		}
		if err == nil {
			_ = stop()
		}
	}
}

// A receiver that does not answer any more, or rejects, disturbs nobody: the run goes
// on, its end waits no longer than a second, and what failed is said once.
func TestPushToABrokenReceiver(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		want   string
	}{
		{"silent", func(http.ResponseWriter) { <-over }, "messages did not arrive, the first: context canceled"},
		{"rejects", func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too old"}}`)
		}, `3 metrics rejected: "too old"`},
		{"warns", func(w http.ResponseWriter) {
			fmt.Fprint(w, `{"partialSuccess":{"rejectedDataPoints":"0","errorMessage":"take care"}}`)
		}, ""},
		{"speaks otherwise", func(w http.ResponseWriter) { fmt.Fprint(w, "OK") }, ""},
	} {
		server := httptest.NewServer(&receiver{answer: func(n int, w http.ResponseWriter) {
			if n > 0 {
				test.answer(w)
			}
		}})
		defer server.Close()
		r := new(live.Run)
		stop, err := r.Push(server.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		for n := range int64(1000) {
			r.Show(record.Record{Tick: &record.Tick{AtMs: n, Phase: "echo"}})
		}
		if err := stop(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: stop() = %v, want %q", test.name, err, test.want)
		}
	}
	close(over)
}
