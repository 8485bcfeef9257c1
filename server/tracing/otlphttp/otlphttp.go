// Package otlphttp posts messages to a receiver of OTLP over HTTP: traces of a server,
// metrics of a load test.
//
// It knows nothing of what they hold, and links nothing of OpenTelemetry.
package otlphttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Receiver is where messages go. Its methods may be called from any goroutine.
type Receiver struct {
	url     string
	headers http.Header
	client  http.Client
}

// New returns a Receiver at a URL that [URL] has returned. headers are more of each
// request, as in OTEL_EXPORTER_OTLP_HEADERS: name=value, with commas, percent-encoded. An
// error does not show them: they may hold a token.
func New(at, headers string) (*Receiver, error) {
	parsed, err := parseHeaders(headers)
	if err != nil {
		return nil, err
	}
	return &Receiver{at, parsed, http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}}, nil
}

// URL returns the URL of a receiver, with path if it has none. An error does not show it:
// it may hold a token.
func URL(at, path string) (string, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("want http://HOST:PORT or https://HOST, of a receiver of OTLP over HTTP")
	}
	if u.Path == "" || u.Path == "/" && path != "" {
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
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: want name=value,name=value")
		}
		headers.Set(name, value)
	}
	return headers, nil
}

// Post sends a message, and returns the first 64 KiB of the answer. An answer that is not
// of 2xx is an error with some of its text. The URL is not shown.
func (r *Receiver) Post(ctx context.Context, contentType string, message []byte) (answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	request.Header = r.headers.Clone()
	request.Header.Set("Content-Type", contentType)
	response, err := r.client.Do(request)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the URL
		}
		return nil, err
	}
	defer response.Body.Close()
	const most, shown = 64 << 10, 200
	answer, err = io.ReadAll(io.LimitReader(response.Body, most)) // so that the connection can be used again
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("HTTP %d: %.*q", response.StatusCode, shown, answer)
	}
	return answer, err
}

// Close hangs up.
func (r *Receiver) Close() { r.client.CloseIdleConnections() }
