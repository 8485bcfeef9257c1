// Package tracing makes a span of each broadcast that an endpoint publishes, by the API
// of OpenTelemetry. It is for any provider of tracers; package otlp has one.
//
//	cfg.Telemetry = tracing.Telemetry(provider)
//
// A broadcast is one span, however many clients get it. Nothing is traced per
// connection: no connects, joins, heartbeats or pushes; a node has a million of them.
// A trace does not cross to other nodes of a cluster.
package tracing

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/roost-rt/roost/server/phx"
)

// Telemetry returns the hook that makes spans; use [phx.JoinTelemetry] for others beside
// it. A span belongs to the trace of its context, see [phx.Endpoint.BroadcastContext], or
// else begins one. It covers the call of a broadcast: clients may get the message later.
//
// Its name is "broadcast", its kind producer. It has the topic, the event, the
// payload's size and the number of subscribers of this node, and no payload.
func Telemetry(provider trace.TracerProvider) *phx.Telemetry {
	tracer := provider.Tracer("github.com/roost-rt/roost/server/tracing")
	return &phx.Telemetry{Broadcast: func(b phx.BroadcastEvent) {
		end := time.Now()
		_, span := tracer.Start(b.Context, "broadcast", trace.WithSpanKind(trace.SpanKindProducer), trace.WithTimestamp(end.Add(-b.Duration)))
		if !span.IsRecording() {
			return
		}
		span.SetAttributes( // "Semantic Conventions for Messaging Spans" of OpenTelemetry, as far as they have it
			attribute.String("messaging.system", "phoenix_channels"),
			attribute.String("messaging.operation.type", "send"),
			attribute.String("messaging.operation.name", "broadcast"),
			attribute.String("messaging.destination.name", b.Topic),
			attribute.Int("messaging.message.body.size", b.Size),
			attribute.String("phoenix.event", b.Event),
			attribute.Int("phoenix.subscribers", b.Subscribers),
		)
		if b.Err != nil {
			span.SetStatus(codes.Error, b.Err.Error())
		}
		span.End(trace.WithTimestamp(end))
	}}
}

// Handler puts the trace that a request says it belongs to, in the header traceparent
// (W3C Trace Context), into the request's context.
func Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}
