package phxclient

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/roost-rt/roost/server/internal/clientside"
)

// A RefusedError is an answer to the handshake other than 101.
type RefusedError struct {
	Status int // of HTTP
	Header http.Header
	Body   string // its first 4 KiB
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused with %d %s: %.200s", e.Status, http.StatusText(e.Status), e.Body)
}

// Bounds of what a server may answer to the handshake.
const (
	maxHead = 64 << 10
	maxBody = 4 << 10
)

// parseURL makes the URL of a mount one of HTTP.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	case "http", "https":
	default:
		return nil, fmt.Errorf("the scheme is %q: use ws or wss", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("no host: use one like ws://example.com/socket")
	}
	return u, nil
}

// connect opens a connection.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	cfg := c.cfg
	if cfg.Renew != nil {
		if err := cfg.Renew(ctx, &cfg); err != nil {
			return nil, fmt.Errorf("renew: %w", err)
		}
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	in, err := c.shakeHands(conn, cfg)
	if !stop() && err != nil {
		err = errors.Join(ctx.Err(), err)
	}
	if err == nil {
		err = ctx.Err() // or the deadline of the past has been set, or is going to be
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return newLink(c, conn, in), nil
}

// dial opens a connection of TCP, or TLS.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	port, secure := c.url.Port(), c.url.Scheme == "https"
	switch {
	case port != "":
	case secure:
		port = "443"
	default:
		port = "80"
	}
	address := net.JoinHostPort(c.url.Hostname(), port)
	if !secure {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	cfg := c.cfg.TLS.Clone()
	if cfg == nil {
		cfg = new(tls.Config)
	}
	cfg.NextProtos = []string{"http/1.1"} // WebSocket over HTTP/2 is another handshake
	return (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", address)
}

// shakeHands asks for the upgrade. The reader has any bytes that came behind the answer.
func (c *Client) shakeHands(conn net.Conn, cfg Config) (io.Reader, error) {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	h := clientside.Handshake{
		URL: c.url.String(), Params: cfg.Params, Version: string(cfg.Version), AuthToken: cfg.AuthToken,
		Header: cfg.Header, Key: base64.StdEncoding.EncodeToString(key[:]),
	}
	request, err := h.Request()
	if err != nil {
		return nil, err
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: maxHead}
	in := bufio.NewReader(limited)
	answer, err := http.ReadResponse(in, request)
	if err != nil {
		return nil, fmt.Errorf("answer to the handshake: %w", err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, maxBody)) // what there is of it
		return nil, &RefusedError{answer.StatusCode, answer.Header, string(text)}
	}
	limited.N = math.MaxInt64
	return in, h.Check(answer.Header)
}
