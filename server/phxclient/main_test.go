package phxclient_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxclient"
)

// Those of ants' default pool are there from the beginning, and netpoll's loops
// live as long as the process; see package poller.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreAnyFunction("github.com/bytedance/gopkg/util/gopool.(*worker).run.func1"),
	)
}

// patience is how long to wait for what must happen.
const patience = 30 * time.Second

// soon is a context for what must happen.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// rooms is an application. Joins are counted, and answered with their number.
func rooms() phx.Config {
	var joins atomic.Int64
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			if ch.Topic() == "room:secret" {
				return nil, phx.Errorf("unauthorized")
			}
			return map[string]any{"join": joins.Add(1), "params": p}, nil
		},
		In: phx.Events{
			"echo":   func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
			"refuse": func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Errorf("no") },
			"ignore": func(*phx.Channel, phx.Payload) (any, error) { return nil, nil },
			"shout":  func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("shout", p) },
			"crash":  func(*phx.Channel, phx.Payload) (any, error) { return nil, errors.New("on purpose") },
			"stop":   func(*phx.Channel, phx.Payload) (any, error) { return phx.OK, phx.Stop(phx.Normal) },
			"hangup": func(ch *phx.Channel, _ phx.Payload) (any, error) { ch.Socket().Close(); return nil, nil },
		},
	}
	return phx.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Mounts: []phx.Mount{{
		Path:      "/socket",
		AuthToken: true,
		Connect: func(_ *phx.Socket, params phx.Params, r *http.Request) error {
			if token, _ := phx.AuthToken(r); params.String("name") == "" && token == "" {
				return &phx.RefuseError{Status: http.StatusUnauthorized, Body: "who are you?"}
			}
			return nil
		},
		Routes: []phx.Route{{Pattern: "room:*", Type: room}},
	}}}
}

func start(t testing.TB, cfg phx.Config) *phx.Endpoint {
	t.Helper()
	ep, err := phx.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })
	return ep
}

// restart starts an endpoint where another one was. For a moment, a client that tries to
// connect may have that port itself.
func restart(t testing.TB, cfg phx.Config, addr net.Addr) *phx.Endpoint {
	t.Helper()
	cfg.Addr = addr.String()
	for ctx := soon(t); ; {
		ep, err := phx.Start(cfg)
		if err == nil {
			t.Cleanup(func() { shutdown(t, ep) })
			return ep
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}

// shutdown drains an endpoint. On a busy machine its pools may take longer to end than it
// waits for them, which is for the tests of package phx.
func shutdown(t testing.TB, ep *phx.Endpoint) {
	t.Helper()
	if err := ep.Shutdown(soon(t)); err != nil {
		t.Logf("shutdown: %v", err)
	}
}

// dial connects to an endpoint, with delays of 5 ms.
func dial(t testing.TB, ep *phx.Endpoint, cfg phxclient.Config) *phxclient.Client {
	t.Helper()
	return dialURL(t, "ws://"+ep.Addr().String()+"/socket", cfg)
}

func dialURL(t testing.TB, url string, cfg phxclient.Config) *phxclient.Client {
	t.Helper()
	if cfg.AuthToken == "" {
		cfg.Params = map[string]any{"name": "ann"}
	}
	cfg.Timeout = patience
	cfg.Reconnect = func(int) time.Duration { return 5 * time.Millisecond }
	cfg.Rejoin = cfg.Reconnect
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	c, err := phxclient.Dial(soon(t), url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A reader expects the messages of a channel.
type reader struct {
	t    testing.TB
	next func() (phxclient.Message, bool)
}

func read(t testing.TB, ch *phxclient.Channel) reader {
	t.Helper()
	next, stop := iter.Pull(ch.Messages(soon(t)))
	t.Cleanup(stop)
	return reader{t, next}
}

func (r reader) expect(event string) phxclient.Message {
	r.t.Helper()
	m, ok := r.next()
	if !ok || m.Event != event {
		r.t.Fatalf("message %q %s%q (%v), want %q", m.Event, m.JSON, m.Binary, ok, event)
	}
	return m
}

// end fails unless the channel has ended and all is read.
func (r reader) end() {
	r.t.Helper()
	if m, ok := r.next(); ok {
		r.t.Fatalf("message %q %s after the end", m.Event, m.JSON)
	}
}

// join joins and returns the number of the join.
func join(t testing.TB, ch *phxclient.Channel) int {
	t.Helper()
	m, err := ch.Join(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return number(t, m)
}

// A counted is the payload of messages whose order matters.
type counted struct{ N int }

func number(t testing.TB, m phxclient.Message) int {
	t.Helper()
	var v struct{ Join int }
	if err := m.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v.Join
}
