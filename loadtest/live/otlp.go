package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
)

// pushEvery is the time between two messages. Each may take patience, and at the end
// all that is under way lastPatience.
const pushEvery = time.Second

// A pusher sends a run to a receiver of OTLP.
type pusher struct {
	run     *Run
	ctx     context.Context // of each request
	url     string
	headers http.Header
	client  *http.Client
	start   time.Time

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
	p := &pusher{run: r, ctx: ctx, client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}, start: time.Now()}
	if p.url, err = receiver(endpoint); err != nil {
		return nil, err
	}
	if p.headers, err = parseHeaders(headers); err != nil {
		return nil, err
	}
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
		p.client.CloseIdleConnections()
		if p.failed == 0 {
			return nil
		}
		return fmt.Errorf("otlp: %d of %d messages did not arrive, the first: %w", p.failed, p.sends, p.first)
	}
}

// receiver is where metrics go.
func receiver(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("otlp: want http://host:port or https://host, of a receiver of OTLP over HTTP") // without the URL: a token may be in it
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/metrics"
	}
	return u.String(), nil
}

func parseHeaders(list string) (http.Header, error) {
	headers := make(http.Header)
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: want name=value,name=value") // a token is in it
		}
		headers.Set(name, value)
	}
	return headers, nil
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
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = p.headers.Clone()
	request.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(request)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) { // leaves out the URL, which may hold a token
			err = of.Err
		}
		return err
	}
	defer answer.Body.Close()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return err
	}
	return refused(answer.StatusCode, text)
}

// refused returns a receiver's objection to a message, nil if it has none. OTLP 1.x,
// "OTLP/HTTP Response".
func refused(status int, text []byte) error {
	const shown = 200
	if status/100 != 2 {
		return fmt.Errorf("HTTP %d: %.*q", status, shown, text)
	}
	var answer struct {
		PartialSuccess struct {
			RejectedDataPoints json.RawMessage // int64, which JSON has as a string
			ErrorMessage       string
		}
	}
	if json.Unmarshal(text, &answer) != nil { // it has taken the message, and says so in another way
		return nil
	}
	rejected := strings.Trim(string(answer.PartialSuccess.RejectedDataPoints), `"`)
	if rejected == "" || rejected == "0" {
		return nil
	}
	return fmt.Errorf("%s metrics rejected: %.*q", rejected, shown, answer.PartialSuccess.ErrorMessage)
}
