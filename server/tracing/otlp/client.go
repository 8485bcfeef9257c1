package otlp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A client posts spans; see otlptrace.Client. The SDK calls it one at a time, each with a
// time of its own.
type client struct {
	url     string
	headers http.Header
	http    *http.Client
}

func newClient(address string) (*client, error) {
	to, err := receiver(address)
	if err != nil {
		return nil, err
	}
	headers, err := parseHeaders(cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS"), os.Getenv("OTEL_EXPORTER_OTLP_HEADERS")))
	if err != nil {
		return nil, err
	}
	headers.Set("Content-Type", "application/x-protobuf")
	return &client{to, headers, &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}}, nil
}

const path = "/v1/traces"

// receiver returns the URL that spans go to. Errors do not show it: it may hold a token.
func receiver(address string) (string, error) {
	from := "Config.URL"
	if address == "" {
		from, address = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	}
	if address == "" {
		from, address = "OTEL_EXPORTER_OTLP_ENDPOINT", strings.TrimSuffix(cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://localhost:4318"), "/")+path
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%s: want http://HOST:PORT or https://HOST, of a receiver of OTLP over HTTP", from)
	}
	if u.Path == "" || u.Path == "/" && from == "Config.URL" {
		u.Path = path
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

// Start has nothing to do.
func (c *client) Start(context.Context) error { return nil }

// Stop hangs up.
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans. OTLP 1.x, "OTLP/HTTP Request".
func (c *client) UploadTraces(ctx context.Context, of []*spans.ResourceSpans) error {
	body, err := proto.Marshal(&spans.TracesData{ResourceSpans: of}) // with the bytes of an ExportTraceServiceRequest
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = c.headers.Clone()
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	const most, shown = 64 << 10, 200
	text, err := io.ReadAll(io.LimitReader(answer.Body, most)) // the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("HTTP %d: %.*q", answer.StatusCode, shown, text)
	}
	return err
}
