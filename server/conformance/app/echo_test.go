package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// underEcho are the routes of the app in Echo, whose ResponseWriter is its own and
// here that of middleware, too.
func underEcho(a *app) http.Handler {
	e := echo.New()
	e.Use(middleware.RequestID(), middleware.Recover(), middleware.Gzip())
	e.GET("/healthz", echo.WrapHandler(http.HandlerFunc(a.health)))
	e.Any("/realtime/*", echo.WrapHandler(a.endpoint))
	return e
}

// startEcho starts an app in Echo, with TLS and HTTP/2, without other nodes.
func startEcho(t *testing.T) node {
	t.Helper()
	s, err := openStore(t.Context(), filepath.Join(t.TempDir(), "app.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	s.exec(t, `INSERT INTO tokens VALUES ('ann-secret', 'ann'); INSERT INTO members VALUES ('ann', 'lobby')`)
	a, err := newApp(s, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(underEcho(a))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	stop := func() error { return a.endpoint.Shutdown(context.Background()) }
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return node{a, server.Listener.Addr().String(), server.Client().Transport.(*http.Transport).TLSClientConfig, stop}
}

// In Echo a mount is as anywhere: sockets, refusals, long polling by HTTP/2, and other
// routes beside it.
func TestEcho(t *testing.T) {
	n := startEcho(t)
	if _, status := n.dial(t, "wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d, want 401", status)
	}
	ann := n.member(t, "ann-secret", "lobby")
	ann.say(`["1","2","room:lobby","say",{"text":"hello"}]`)
	ann.want(`[null,null,"room:lobby","said",{"from":"ann","text":"hello"}]`)
	ann.want(`["1","2","room:lobby","phx_reply",{"status":"ok","response":{}}]`)

	web := http.Client{Transport: &http.Transport{TLSClientConfig: n.trust, ForceAttemptHTTP2: true}, Timeout: patience}
	defer web.CloseIdleConnections()
	for path, want := range map[string]string{
		"/healthz": "ok\n",
		"/realtime/socket/longpoll?vsn=2.0.0&token=ann-secret": `{"status":410,"token":"`,
		"/realtime/socket/longpoll?vsn=2.0.0&token=wrong":      `{"status":403}`,
	} {
		resp, err := web.Get("https://" + n.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), want) || resp.ProtoMajor != 2 {
			t.Errorf("%s: %q, %v in %s, want %q in HTTP/2", path, body, err, resp.Proto, want)
		}
	}

	ended := make(chan error, 1)
	go func() { ended <- n.stop() }()
	f, err := ws.ReadFrame(ann.in)
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || code != 1012 {
		t.Errorf("got a frame with opcode %#x and code %d, want Close and 1012", f.Header.OpCode, code)
	}
	ann.conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
}
