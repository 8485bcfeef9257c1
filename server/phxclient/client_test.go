package phxclient_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxclient"
)

func TestDialFails(t *testing.T) {
	t.Parallel()
	ep := start(t, rooms())
	url := "ws://" + ep.Addr().String() + "/socket"
	_, err := phxclient.Dial(soon(t), url, phxclient.Config{})
	if refused := new(phxclient.RefusedError); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized || refused.Body != "who are you?" {
		t.Errorf("Dial = %v, want a RefusedError with 401", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := phxclient.Dial(cancelled, url, phxclient.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial = %v, want context.Canceled", err)
	}
	expired := errors.New("token expired")
	renew := phxclient.Config{Renew: func(context.Context, *phxclient.Config) error { return expired }}
	if _, err := phxclient.Dial(soon(t), url, renew); !errors.Is(err, expired) {
		t.Errorf("Dial = %v, want %v", err, expired)
	}
	for _, tt := range []struct {
		url  string
		cfg  phxclient.Config
		want string
	}{
		{"ftp://host/socket", phxclient.Config{}, "use ws or wss"},
		{"ws:///socket", phxclient.Config{}, "no host"},
		{url, phxclient.Config{Version: "3.0.0"}, "Config.Version"},
		{url, phxclient.Config{Heartbeat: -1}, "Config.Heartbeat"},
		{url, phxclient.Config{Timeout: -1}, "Config.Timeout"},
		{url, phxclient.Config{OutboxMax: -1}, "Config.OutboxMax"},
		{url, phxclient.Config{InboxMax: -1}, "Config.InboxMax"},
	} {
		if _, err := phxclient.Dial(soon(t), tt.url, tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Dial(%s, %+v) = %v, want %q", tt.url, tt.cfg, err, tt.want)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(nil) // whose certificate we borrow
	defer certified.Close()
	cfg := rooms()
	cfg.TLS = &tls.Config{Certificates: certified.TLS.Certificates}
	ep := start(t, cfg)
	url := "wss://" + ep.Addr().String() + "/socket"
	trust := x509.NewCertPool()
	trust.AddCert(certified.Certificate())
	room := dialURL(t, url, phxclient.Config{TLS: &tls.Config{RootCAs: trust}}).Channel("room:1", nil)
	join(t, room)
	if m, err := room.Request(soon(t), "echo", strings.Repeat("x", 100_000)); err != nil || len(m.JSON) != 100_002 {
		t.Errorf("Request = %d bytes, %v", len(m.JSON), err)
	}
	var unknown x509.UnknownAuthorityError
	if _, err := phxclient.Dial(soon(t), url, phxclient.Config{}); !errors.As(err, &unknown) {
		t.Errorf("Dial = %v without the certificate, want an x509.UnknownAuthorityError", err)
	}
}

// Delays are those of the official client, times 0.5 to 1.5.
func TestDelays(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{1: 10 * time.Millisecond, 2: 50 * time.Millisecond, 10: 5 * time.Second, 1000: 5 * time.Second} {
		seen := make(map[time.Duration]bool)
		for range 100 {
			got := phxclient.Delay(n)
			if seen[got] = true; got < want/2 || got >= want/2+want {
				t.Errorf("delay %d is %v, want %v times 0.5 to 1.5", n, got, want)
			}
		}
		if len(seen) < 2 {
			t.Errorf("delay %d has no jitter", n)
		}
	}
}

// A client has two goroutines, however many channels. Not parallel: those of others
// would count.
func TestGoroutines(t *testing.T) {
	ep := start(t, rooms())
	c := dial(t, ep, phxclient.Config{})
	for i := range 50 {
		join(t, c.Channel(fmt.Sprintf("room:%d", i), nil))
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if got := bytes.Count(stacks, []byte("created by github.com/roost-rt/roost/server/phxclient.")); got != 2 {
		t.Errorf("%d goroutines, want 2:\n%s", got, stacks)
	}
}

// A server that is drained and starts again: what waits is sent after the next join, and
// pushes beyond OutboxMax wait until then.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	cfg := rooms()
	ep := start(t, cfg)
	var connects atomic.Int64
	c := dial(t, ep, phxclient.Config{OutboxMax: 1000, Renew: func(_ context.Context, cfg *phxclient.Config) error {
		connects.Add(1)
		cfg.Params = map[string]any{"name": "ann, again"}
		return nil
	}})
	room := c.Channel("room:1", nil)
	messages := read(t, room)
	first := join(t, room)
	messages.expect(phxclient.Joined)
	shutdown(t, ep)
	if m := messages.expect(phxclient.Lost); !strings.Contains(string(m.JSON), "1012") {
		t.Errorf("lost with %s, want 1012 in it", m.JSON)
	}
	for i := range 3 { // 263 bytes each
		if err := room.Push(soon(t), "shout", counted{i}); err != nil {
			t.Error(err)
		}
	}
	full, cancel := context.WithCancel(t.Context())
	cancel()
	if err := room.Push(full, "shout", counted{-1}); !errors.Is(err, context.Canceled) {
		t.Errorf("Push beyond OutboxMax = %v, want context.Canceled", err)
	}
	pushed := make(chan error)
	go func() { pushed <- room.Push(soon(t), "shout", counted{3}) }() // ends before the test does
	again := restart(t, cfg, ep.Addr())
	if got := number(t, messages.expect(phxclient.Joined)); got != first+1 {
		t.Errorf("join %d, want %d", got, first+1)
	}
	for want := range 4 {
		var got counted
		if err := messages.expect("shout").Decode(&got); err != nil || got.N != want {
			t.Errorf("shout %d, %v, want %d", got.N, err, want)
		}
	}
	if err := <-pushed; err != nil {
		t.Error(err)
	}
	if n := connects.Load(); n < 2 {
		t.Errorf("Renew was called %d times, want 2 or more", n)
	}
	c.Close()
	shutdown(t, again)
}

// A request in flight is lost with the connection, and other channels join again, too.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, rooms()), phxclient.Config{})
	room, other := c.Channel("room:1", nil), c.Channel("room:2", nil)
	messages := read(t, other)
	join(t, room)
	join(t, other)
	messages.expect(phxclient.Joined)
	if _, err := room.Request(soon(t), "hangup", nil); !errors.Is(err, phxclient.ErrLost) {
		t.Errorf("Request = %v, want ErrLost", err)
	}
	messages.expect(phxclient.Lost)
	messages.expect(phxclient.Joined)
	for _, ch := range []*phxclient.Channel{room, other} {
		if _, err := ch.Request(soon(t), "echo", nil); err != nil {
			t.Error(err)
		}
	}
}

// Close sends what waits, and nobody waits any more.
func TestClose(t *testing.T) {
	t.Parallel()
	cfg := rooms()
	ended := make(chan phx.Reason, 1)
	cfg.Mounts[0].Routes[0].Type.Terminate = func(_ *phx.Channel, why phx.Reason) { ended <- why }
	ep := start(t, cfg)
	shouts := make(chan struct{}, 200)
	defer ep.Subscribe("room:1", func(phx.Broadcast) { shouts <- struct{}{} })()
	c := dial(t, ep, phxclient.Config{})
	room := c.Channel("room:1", nil)
	messages := read(t, room)
	join(t, room)
	messages.expect(phxclient.Joined)
	failed := make(chan error)
	go func() { // ends before the test does
		_, err := room.Request(soon(t), "ignore", nil)
		failed <- err
	}()
	for range 100 {
		if err := room.Push(soon(t), "shout", nil); err != nil {
			t.Error(err)
		}
	}
	c.Close()
	c.Close()
	for range 100 {
		<-shouts
	}
	if err := <-failed; !errors.Is(err, phxclient.ErrClosed) && !errors.Is(err, phxclient.ErrEnded) {
		t.Errorf("Request = %v, want ErrClosed or ErrEnded", err)
	}
	if why := <-ended; why != phx.Closed {
		t.Errorf("terminated with %q, want %q", why, phx.Closed)
	}
	if err := room.Push(soon(t), "shout", nil); !errors.Is(err, phxclient.ErrEnded) && !errors.Is(err, phxclient.ErrClosed) {
		t.Errorf("Push = %v, want ErrClosed", err)
	}
	if _, err := c.Channel("room:2", nil).Join(soon(t)); !errors.Is(err, phxclient.ErrClosed) {
		t.Errorf("Join = %v, want ErrClosed", err)
	}
}
