package phx_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/server/phx"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// Those of ants' default pool are there from the beginning, and netpoll's loops
// live as long as the process; see package poller.
func TestMain(m *testing.M) {
	if os.Getenv(memoryRole) != "" {
		if err := serveMemory(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreAnyFunction("github.com/bytedance/gopkg/util/gopool.(*worker).run.func1"),
	)
}

// start starts an endpoint with one mount, at /socket, that ends with the test.
func start(t testing.TB, routes ...phx.Route) *phx.Endpoint {
	t.Helper()
	return startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: routes}}})
}

func startConfig(t testing.TB, cfg phx.Config) *phx.Endpoint {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	cfg.Logger = slog.New(slog.DiscardHandler)
	if cfg.Hosts == nil { // else requests for example.test would be refused
		cfg.Hosts = []string{phx.AnyHost}
	}
	ep, err := phx.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })
	return ep
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	late := time.After(patience)
	for !condition() {
		select {
		case <-late:
			t.Fatalf("after %v still not: %s", patience, what)
		case <-time.After(time.Millisecond):
		}
	}
}

// within waits for a value.
func within[T any](t testing.TB, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("after %v still no %s", patience, what)
	}
	return v
}

// shutdown ends an endpoint before the end of the test.
func shutdown(t testing.TB, ep *phx.Endpoint) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := ep.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// setID is a Connect that gives every socket the same id.
func setID(id string) func(*phx.Socket, phx.Params, *http.Request) error {
	return func(s *phx.Socket, _ phx.Params, _ *http.Request) error {
		s.SetID(id)
		return nil
	}
}
