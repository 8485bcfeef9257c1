package chat

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// A Tracer tells others of broadcasts. It is an interface because most programs with this
// server in them, such as the nodes of a load test, should not link what sends traces.
type Tracer interface {
	// Telemetry sees broadcasts.
	Telemetry() *phx.Telemetry

	// Handler puts the trace of a request into its context.
	Handler(http.Handler) http.Handler

	// Shutdown sends what waits, until ctx is done.
	Shutdown(ctx context.Context) error
}

// A StartTracer starts one that sends a share of traces, all if it is 0, to a URL. If that
// is "", the environment has it.
type StartTracer func(url string, ratio float64, log *slog.Logger) (Tracer, error)

// traces says where traces go.
type traces struct {
	url   string
	ratio float64
	start StartTracer // or nil

	tracer Tracer // nil for none
}

func (t *traces) flags(f *flag.FlagSet) {
	f.StringVar(&t.url, "otlp-traces", "", "`URL` of a receiver of OpenTelemetry (OTLP over HTTP), such as http://127.0.0.1:4318, that gets a span of each broadcast; default OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT, else none are made")
	f.Float64Var(&t.ratio, "trace-ratio", 0, "`share` of broadcasts of which a trace is sent, such as 0.01, unless they belong to one; 0 means all, or what OTEL_TRACES_SAMPLER says")
}

// wanted reports whether somebody has said where traces go.
func (t *traces) wanted() bool {
	return cmp.Or(t.url, os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
}

func (t *traces) check() (err error) {
	if t.url != "" {
		if u, bad := url.Parse(t.url); bad != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			err = errors.New("-otlp-traces: want http://HOST:PORT or https://HOST, of a receiver of OTLP over HTTP") // a token may be in it
		}
	}
	if !(t.ratio >= 0 && t.ratio <= 1) {
		err = errors.Join(err, fmt.Errorf("-trace-ratio is %v: want 0 to 1", t.ratio))
	}
	return err
}

// begin starts the tracer, if one is wanted and possible.
func (t *traces) begin(log *slog.Logger) error {
	switch {
	case !t.wanted() || t.url == "" && t.start == nil:
		return nil
	case t.start == nil:
		return errors.New("-otlp-traces: this program has no tracing; ./server and roost do")
	}
	tracer, err := t.start(t.url, t.ratio, log)
	if err != nil {
		return fmt.Errorf("-otlp-traces: %w", err)
	}
	t.tracer = tracer
	log.Info("traces", "ratio", cmp.Or(t.ratio, 1))
	return nil
}

// telemetry is nil without a tracer: then broadcasts cost nothing more.
func (t *traces) telemetry() *phx.Telemetry {
	if t.tracer == nil {
		return nil
	}
	return t.tracer.Telemetry()
}

func (t *traces) handler(h http.Handler) http.Handler {
	if t.tracer == nil {
		return h
	}
	return t.tracer.Handler(h)
}

// stop sends what waits, for a while.
func (t *traces) stop(log *slog.Logger) {
	if t.tracer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.tracer.Shutdown(ctx); err != nil {
		log.Warn("traces: the last are not sent", "err", err)
	}
}
