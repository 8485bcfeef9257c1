package otlp

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/roost-rt/roost/server/tracing/otlphttp"
)

// A client posts spans; see otlptrace.Client. The SDK calls it one at a time, each with a
// time of its own.
type client struct{ to *otlphttp.Receiver }

func newClient(address string) (*client, error) {
	at, err := receiver(address)
	if err != nil {
		return nil, err
	}
	to, err := otlphttp.New(at, cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS"), os.Getenv("OTEL_EXPORTER_OTLP_HEADERS")))
	return &client{to}, err
}

const path = "/v1/traces"

// receiver returns the URL that spans go to.
func receiver(address string) (at string, err error) {
	from, ofTraces := "Config.URL", os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	switch {
	case address != "":
		at, err = otlphttp.URL(address, path)
	case ofTraces != "": // as it is
		from = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
		at, err = otlphttp.URL(ofTraces, "")
	default:
		from = "OTEL_EXPORTER_OTLP_ENDPOINT"
		at, err = otlphttp.URL(strings.TrimSuffix(cmp.Or(os.Getenv(from), "http://localhost:4318"), "/")+path, "")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	return at, nil
}

// Start has nothing to do.
func (c *client) Start(context.Context) error { return nil }

// Stop hangs up.
func (c *client) Stop(context.Context) error {
	c.to.Close()
	return nil
}

// UploadTraces sends spans. OTLP 1.x, "OTLP/HTTP Request".
func (c *client) UploadTraces(ctx context.Context, of []*spans.ResourceSpans) error {
	body, err := proto.Marshal(&spans.TracesData{ResourceSpans: of}) // with the bytes of an ExportTraceServiceRequest
	if err != nil {
		return err
	}
	_, err = c.to.Post(ctx, "application/x-protobuf", body)
	return err
}
