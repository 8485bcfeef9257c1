package live

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/server/tracing/otlphttp"
)

// pushEvery is the time between two messages. Each may take patience, and at the end
// all that is under way lastPatience.
const pushEvery = time.Second

// A receiver is an [otlphttp.Receiver], or one of a test.
type receiver interface {
	Post(ctx context.Context, contentType string, message []byte) (answer []byte, err error)
	Close()
}

// A pusher sends a run to a receiver of OTLP.
type pusher struct {
	run   *Run
	ctx   context.Context // of each request
	to    receiver
	start time.Time

	sends, failed int
	first         error // of those that failed
}

// Push sends the metrics to a receiver of OTLP over HTTP, as JSON, such as
// http://127.0.0.1:4318; without a path it is /v1/metrics. It fails if the receiver
// does not take a first message without metrics. headers are more of each request, as
// in OTEL_EXPORTER_OTLP_HEADERS: name=value, with commas, percent-encoded.
//
// From then on one goroutine sends the last state of the run once a second, and at
// most one message is under way: who is slow or gone gets fewer, and nothing waits for
// it. stop sends the last state, and its error tells of what failed.
//
// Names, units and what grows are those that Prometheus scrapes.
func (r *Run) Push(endpoint, headers string) (stop func() error, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	at, err := otlphttp.URL(endpoint, "/v1/metrics")
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	to, err := otlphttp.New(at, headers)
	if err != nil {
		return nil, err
	}
	p := &pusher{run: r, ctx: ctx, to: to, start: time.Now()}
	if err := p.send(nil); err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	return p.begin(cancel), nil
}

// begin sends until stop is called. cancel ends p.ctx.
func (p *pusher) begin(cancel func()) (stop func() error) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() { // stop waits for it
		defer close(ended)
		p.loop(quit)
	}()
	return func() error {
		close(quit)
		defer time.AfterFunc(lastPatience, cancel).Stop()
		<-ended
		cancel()
		p.to.Close()
		if p.failed == 0 {
			return nil
		}
		return fmt.Errorf("otlp: %d of %d messages did not arrive, the first: %w", p.failed, p.sends, p.first)
	}
}

// loop sends each state once, and the last one when it is to end.
func (p *pusher) loop(quit <-chan struct{}) {
	clock := time.NewTicker(pushEvery)
	defer clock.Stop()
	var sent *record.Tick
	for more := true; more; {
		select {
		case <-clock.C:
		case <-quit:
			more = false
		}
		if t := p.run.last(); t != sent {
			p.count(p.send(t))
			sent = t
		}
	}
}

func (p *pusher) count(err error) {
	p.sends++
	if err == nil {
		return
	}
	if p.failed++; p.failed == 1 {
		p.first = err
	}
}

// send sends a state, nil for none.
func (p *pusher) send(t *record.Tick) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	body, err := json.Marshal(requestOf(t, p.start, time.Now()))
	if err != nil {
		return err
	}
	answer, err := p.to.Post(ctx, "application/json", body)
	if err != nil {
		return err
	}
	return rejected(answer)
}

// rejected returns what a receiver objects to in a message that it has answered with
// 2xx, nil if it has no objection. OTLP 1.x, "OTLP/HTTP Response".
func rejected(text []byte) error {
	const shown = 200
	var answer struct {
		PartialSuccess struct {
			RejectedDataPoints json.RawMessage // int64, which JSON has as a string
			ErrorMessage       string
		}
	}
	if json.Unmarshal(text, &answer) != nil { // it has taken the message, and says so in another way
		return nil
	}
	n := strings.Trim(string(answer.PartialSuccess.RejectedDataPoints), `"`)
	if n == "" || n == "0" {
		return nil
	}
	return fmt.Errorf("%s metrics rejected: %.*q", n, shown, answer.PartialSuccess.ErrorMessage)
}
