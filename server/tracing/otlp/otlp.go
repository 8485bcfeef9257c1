// Package otlp sends the spans of package tracing to a receiver of OTLP over HTTP, such as
// OpenTelemetry's Collector, Jaeger or Tempo.
//
// It is a package of its own because of OpenTelemetry's SDK, which only programs that
// want it should link: 1 MB. The SDK's own HTTP client would be 16 MB, as it brings gRPC.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/tracing"
)

// A Config says where spans go, and which. The rest is in the environment, as
// OpenTelemetry has it: OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME,
// OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_….
type Config struct {
	// URL is the receiver's, such as http://127.0.0.1:4318. Without a path it is
	// /v1/traces. "" means OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, else
	// OTEL_EXPORTER_OTLP_ENDPOINT with /v1/traces, else http://localhost:4318.
	URL string

	// Ratio is the share of broadcasts that begin a trace, up to 1. Zero means that of
	// OTEL_TRACES_SAMPLER, and else 1. Those of a trace that is there already are
	// traced if that one is.
	Ratio float64

	// Logger gets what goes wrong. Nil means slog.Default().
	Logger *slog.Logger
}

// A Sender sends spans every five seconds, from a goroutine of its own. At most 2,048
// wait (OTEL_BSP_MAX_QUEUE_SIZE); further ones are left out, because nothing waits for a
// receiver. Each is sent once: a span that a receiver does not take is lost. All methods may be
// called from any goroutine.
type Sender struct{ provider *trace.TracerProvider }

// Start returns a Sender. It does not connect yet: a receiver may come later. Errors of the
// SDK go to the log, also those of its other users in this process.
func Start(cfg Config) (*Sender, error) {
	if cfg.Ratio < 0 || cfg.Ratio > 1 {
		return nil, fmt.Errorf("otlp: Config.Ratio is %v: want 0 to 1", cfg.Ratio)
	}
	to, err := newClient(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	ctx := context.Background() // nothing here waits
	exporter, err := otlptrace.New(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	who, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "roost")),
		resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv()) // the last counts most
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	options := []trace.TracerProviderOption{trace.WithBatcher(exporter), trace.WithResource(who)}
	if cfg.Ratio > 0 {
		options = append(options, trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(cfg.Ratio))))
	}
	otel.SetErrorHandler(logger{cfg.Logger})
	return &Sender{trace.NewTracerProvider(options...)}, nil
}

// A logger takes the SDK's errors. URLs are left out, as tokens may be in them.
type logger struct{ *slog.Logger }

func (l logger) Handle(err error) {
	if of := (*url.Error)(nil); errors.As(err, &of) {
		err = of.Err
	}
	log := l.Logger
	if log == nil {
		log = slog.Default()
	}
	log.Warn("traces", "err", err)
}

// Telemetry is the hook of an endpoint; see package tracing.
func (s *Sender) Telemetry() *phx.Telemetry { return tracing.Telemetry(s.provider) }

// Handler is [tracing.Handler].
func (s *Sender) Handler(h http.Handler) http.Handler { return tracing.Handler(h) }

// Shutdown sends what waits, and ends. It fails if that is not done before ctx is.
func (s *Sender) Shutdown(ctx context.Context) error { return s.provider.Shutdown(ctx) }
