package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	answer answerer
}

// An answerer answers the n-th message, from 1 on.
type answerer func(ctx context.Context, n int) (text string, err error)

func (w *wire) Post(ctx context.Context, _ string, message []byte) ([]byte, error) {
	var request exportRequest
	if err := json.Unmarshal(message, &request); err != nil {
		return nil, err
	}
	state := request.ResourceMetrics[0].ScopeMetrics[0].Metrics[0].Gauge.Points[0].Value
	w.got = append(w.got, fmt.Sprintf("%v: %v", time.Since(w.made).Seconds(), state))
	text, err := w.answer(ctx, len(w.got))
	return []byte(text), err
}

func (w *wire) Close() {}

// after answers well when some time has passed, or not at all if the request ends first.
func after(d time.Duration) answerer {
	return func(ctx context.Context, _ int) (string, error) {
		select {
		case <-time.After(d):
			return "{}", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// begin has a run sent to a wire.
func begin(t *testing.T, answer answerer) (*Run, *wire, func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	w := &wire{made: time.Now(), answer: answer}
	p := &pusher{run: new(Run), ctx: ctx, to: w, start: time.Now()}
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
		answer answerer
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
		answer answerer
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
		{"now and then", func(_ context.Context, n int) (string, error) {
			return "", []error{errors.New("HTTP 503"), nil, errors.New("HTTP 401")}[(n-1)%3]
		}, func(r *Run) { show(r, time.Second+1, 1, 2, 3, 4) }, 0, `otlp: 3 of 4 messages did not arrive, the first: HTTP 503`},
		{"nobody there", func(context.Context, int) (string, error) { return "", errors.New("connection refused") },
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

// An answer of 2xx takes the message, unless it rejects some of it.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // of the error; "" for none
		"{}":                      "",
		"":                        "",
		"Accepted":                "",
		`{"partialSuccess":{}}`:   "",
		`{"partialSuccess":null}`: "",
		`{"partialSuccess":{"rejectedDataPoints":0,"errorMessage":"old names"}}`:                          "",
		`{"partialSuccess":{"rejectedDataPoints":"12"}}`:                                                  `12 metrics rejected: ""`,
		`{"partialSuccess":{"rejectedDataPoints":12,"errorMessage":"too old"}}`:                           `12 metrics rejected: "too old"`,
		`{"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"` + strings.Repeat("ä", 300) + `"}}`: `1 metrics rejected: "` + strings.Repeat("ä", 200) + `"`,
	} {
		err := rejected([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%.60q: %v, want %.60q", text, err, want)
		}
	}
}
