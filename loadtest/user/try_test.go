package user

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
)

// Whoever does not get in is told where to look; no part of the query, where tokens
// are, is said.
func TestWhatAiled(t *testing.T) {
	t.Parallel()
	to := target{url: url.URL{Scheme: "wss", Host: "app.test", Path: "/socket/websocket", RawQuery: "token=secret"}}
	for _, test := range []struct {
		err  error
		want []string
	}{
		{&refusal{403, "no"}, []string{"wss://app.test/socket/websocket: upgrade: HTTP 403 Forbidden: no", "check the token", "target.headers.Origin"}},
		{&refusal{404, ""}, []string{"HTTP 404 Not Found", "is that the path of the socket"}},
		{&refusal{500, "oops"}, []string{"HTTP 500 Internal Server Error: oops"}},
		{errors.New("join refused: unauthorized"), []string{"join refused: unauthorized: check the topic and the payload of the join"}},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, []string{"connection refused", "is the server running"}},
		{fmt.Errorf("upgrade: %w", &net.OpError{Op: "remote error", Err: tls.AlertError(116)}), []string{"certificate required", "target.tls.cert and key"}},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, []string{"failed to verify certificate", "target.tls.ca", "target.tls.insecure: true"}},
		{context.DeadlineExceeded, []string{"wss://app.test/socket/websocket: context deadline exceeded"}},
	} {
		got := whatAiled(test.err, to)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("whatAiled(%v) = %q, want %q in it", test.err, got, want)
			}
		}
		if strings.Contains(got, "secret") {
			t.Errorf("whatAiled(%v) = %q: it says the token", test.err, got)
		}
	}
}

// What a server answers instead of an upgrade is a refusal with what it says, cut, and
// as text that can be shown.
func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		want   string
	}{
		{http.StatusForbidden, "", "upgrade: HTTP 403 Forbidden"},
		{http.StatusTooManyRequests, " slow down\n", "upgrade: HTTP 429 Too Many Requests: slow down"},
		{http.StatusOK, "\xff<html>", "upgrade: HTTP 200 OK: <html>"},
		{http.StatusBadGateway, strings.Repeat("x", 1000), "upgrade: HTTP 502 Bad Gateway: " + strings.Repeat("x", 200)},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}))
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		w := &webSocket{conn: conn}
		err = w.upgrade(order.Target{URL: "ws://app.test/socket/websocket"})
		var r *refusal
		if !errors.As(err, &r) || err.Error() != test.want {
			t.Errorf("HTTP %d %q: %v, want %q", test.status, test.body, err, test.want)
		}
		conn.Close()
		server.Close()
	}
}
