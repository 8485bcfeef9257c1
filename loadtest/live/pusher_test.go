package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
)

// A wire is a receiver of OTLP without a network. It notes when each message came, in
// seconds since it was made, and which state that was, by loadtest_run_seconds.
type wire struct {
	made   time.Time
	got    []string
	answer func(r *http.Request, n int) (status int, text string, err error) // to the n-th, from 1 on
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var request exportRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		return nil, err
	}
	state := request.ResourceMetrics[0].ScopeMetrics[0].Metrics[0].Gauge.Points[0].Value
	w.got = append(w.got, fmt.Sprintf("%v: %v", time.Since(w.made).Seconds(), state))
	status, text, err := w.answer(r, len(w.got))
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text))}, nil
}

// after answers well when some time has passed, or not at all if the request ends first.
func after(d time.Duration) func(*http.Request, int) (int, string, error) {
	return func(r *http.Request, _ int) (int, string, error) {
		select {
		case <-time.After(d):
			return http.StatusOK, "{}", nil
		case <-r.Context().Done():
			return 0, "", r.Context().Err()
		}
	}
}

// begin has a run sent to a wire.
func begin(t *testing.T, answer func(r *http.Request, n int) (int, string, error)) (*Run, *wire, func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &wire{made: time.Now(), answer: answer}
	p := &pusher{run: new(Run), ctx: ctx, url: "http://host/v1/metrics", headers: make(http.Header), client: &http.Client{Transport: w}, start: time.Now()}
	return p.run, w, p.begin(cancel)
}

// show tells a run its state after a time.
func show(r *Run, sleep time.Duration, seconds ...int64) {
	for _, s := range seconds {
		time.Sleep(sleep)
		r.Show(record.Record{Tick: &record.Tick{AtMs: 1000 * s, Phase: "echo"}})
	}
}

// Once a second the newest state is sent, if it is new, and the last one at the end. A
// receiver that is slow gets fewer, one at a time.
func TestWhenStatesAreSent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(r *http.Request, n int) (int, string, error)
		run    func(r *Run)
		want   []string
	}{
		{"no state", after(0), func(*Run) { time.Sleep(5 * time.Second) }, nil},
		{"one state", after(0), func(r *Run) { show(r, 300*time.Millisecond, 7); time.Sleep(5 * time.Second) }, []string{"1: 7"}},
		{"ends at once", after(0), func(r *Run) { show(r, 300*time.Millisecond, 7) }, []string{"0.3: 7"}},
		{"the newest of several", after(0), func(r *Run) { show(r, 390*time.Millisecond, 1, 2, 3, 4, 5, 6) }, []string{"1: 2", "2: 5", "2.34: 6"}},
		{"a slow receiver", after(2500 * time.Millisecond), func(r *Run) { show(r, 900*time.Millisecond, 1, 2, 3, 4, 5, 6, 7, 8); time.Sleep(5 * time.Second) }, []string{"1: 1", "3.5: 3", "6: 6", "8.5: 8"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, w, stop := begin(t, tt.answer)
			tt.run(r)
			if err := stop(); err != nil || !slices.Equal(w.got, tt.want) {
				t.Errorf("%s: sent %q, %v, want %q", tt.name, w.got, err, tt.want)
			}
		})
	}
}

// A message has ten seconds, and the last one has one. What does not arrive is counted
// and said at the end, with the first reason.
func TestMessagesThatDoNotArrive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(r *http.Request, n int) (int, string, error)
		run    func(r *Run)
		takes  time.Duration // until stop returns
		want   string        // its error; "" for none
	}{
		{"slow, but in time", after(9900 * time.Millisecond), func(r *Run) { show(r, 900*time.Millisecond, 1); time.Sleep(20 * time.Second) }, 0, ""},
		{"too slow", after(10100 * time.Millisecond), func(r *Run) { show(r, 900*time.Millisecond, 1); time.Sleep(20 * time.Second) }, 0,
			"otlp: 1 of 1 messages did not arrive, the first: context deadline exceeded"},
		{"the last one in time", after(900 * time.Millisecond), func(r *Run) { show(r, 100*time.Millisecond, 1) }, 900 * time.Millisecond, ""},
		{"the last one too slow", after(1100 * time.Millisecond), func(r *Run) { show(r, 100*time.Millisecond, 1) }, time.Second,
			"otlp: 1 of 1 messages did not arrive, the first: context canceled"},
		{"one under way at the end", after(5 * time.Second), func(r *Run) { show(r, 900*time.Millisecond, 1, 2) }, time.Second,
			"otlp: 2 of 2 messages did not arrive, the first: context canceled"},
		{"now and then", func(_ *http.Request, n int) (int, string, error) {
			return []int{503, 200, 401}[(n-1)%3], "no", nil
		}, func(r *Run) { show(r, time.Second+1, 1, 2, 3, 4) }, 0, `otlp: 3 of 4 messages did not arrive, the first: HTTP 503: "no"`},
		{"nobody there", func(*http.Request, int) (int, string, error) { return 0, "", errors.New("connection refused") },
			func(r *Run) { show(r, time.Second, 1) }, 0, "otlp: 1 of 1 messages did not arrive, the first: connection refused"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, w, stop := begin(t, tt.answer)
			tt.run(r)
			before := time.Now()
			err := stop()
			if took := time.Since(before); took != tt.takes {
				t.Errorf("%s: stop took %v, want %v", tt.name, took, tt.takes)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("%s: sent %q, %v, want %q", tt.name, w.got, err, tt.want)
			}
		})
	}
}

// Of an answer only what OTLP defines counts: a status of 2xx takes the message, unless
// it rejects some of it.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		text   string
		want   string // of the error; "" for none
	}{
		{200, "{}", ""},
		{200, "", ""},
		{204, "", ""},
		{202, "Accepted", ""},
		{200, `{"partialSuccess":{}}`, ""},
		{200, `{"partialSuccess":null}`, ""},
		{200, `{"partialSuccess":{"rejectedDataPoints":0,"errorMessage":"old names"}}`, ""},
		{200, `{"partialSuccess":{"rejectedDataPoints":"12"}}`, `12 metrics rejected: ""`},
		{200, `{"partialSuccess":{"rejectedDataPoints":12,"errorMessage":"too old"}}`, `12 metrics rejected: "too old"`},
		{200, `{"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"` + strings.Repeat("ä", 300) + `"}}`, `1 metrics rejected: "` + strings.Repeat("ä", 200) + `"`},
		{199, "", `HTTP 199: ""`},
		{300, "elsewhere", `HTTP 300: "elsewhere"`},
		{400, `{"message":"bad"}`, `HTTP 400: "{\"message\":\"bad\"}"`},
		{503, strings.Repeat("x", 300), `HTTP 503: "` + strings.Repeat("x", 200) + `"`},
	} {
		err := refused(tt.status, []byte(tt.text))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%d %.60q: %v, want %.60q", tt.status, tt.text, err, tt.want)
		}
	}
}

// Metrics go to the path of the endpoint, or where OTLP has them if it has none.
func TestReceiver(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:4318":          "http://127.0.0.1:4318/v1/metrics",
		"http://127.0.0.1:4318/":         "http://127.0.0.1:4318/v1/metrics",
		"https://otlp.example?key=a%20b": "https://otlp.example/v1/metrics?key=a%20b",
		"https://h/otlp/v1/metrics":      "https://h/otlp/v1/metrics",
		"http://h/custom":                "http://h/custom",
		"http://[::1]:4318":              "http://[::1]:4318/v1/metrics",
		"":                               "",
		"127.0.0.1:4318":                 "",
		"localhost:4318":                 "",
		"grpc://h:4317":                  "",
		"http:///v1/metrics":             "",
		"http://h:port":                  "",
	} {
		if got, err := receiver(endpoint); got != want || (err == nil) != (want != "") {
			t.Errorf("receiver(%q) = %q, %v, want %q", endpoint, got, err, want)
		}
	}
}

// Headers are as in OTEL_EXPORTER_OTLP_HEADERS: blanks around names and values do not
// count, and values are percent-encoded.
func TestParseHeaders(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]http.Header{
		"":                          {},
		" , ":                       {},
		"a=b":                       {"A": {"b"}},
		"a=b,c=d":                   {"A": {"b"}, "C": {"d"}},
		" api-key = x y , c = d ,,": {"Api-Key": {"x y"}, "C": {"d"}},
		"a=b=c":                     {"A": {"b=c"}},
		"a=%2C%3D%20":               {"A": {",= "}},
		"a=1+2":                     {"A": {"1+2"}},
		"a=":                        {"A": {""}},
		"a=1,a=2":                   {"A": {"2"}},
		"a":                         nil,
		"=b":                        nil,
		"a=b,c":                     nil,
		"a=%2":                      nil,
	} {
		got, err := parseHeaders(list)
		if (err == nil) != (want != nil) || err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("parseHeaders(%q) = %v, %v, want %v", list, got, err, want)
		}
	}
}
