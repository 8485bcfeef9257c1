package chat_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roost-rt/roost/server/phx"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// Those of ants' default pool are there from the beginning, and netpoll's loops
// live as long as the process; see package poller.
func TestMain(m *testing.M) {
	if args := os.Getenv(serverArgs); args != "" {
		os.Exit(beServer(args))
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.IgnoreAnyFunction("github.com/bytedance/gopkg/util/gopool.(*worker).run.func1"),
	)
}

// start starts an endpoint that ends with the test.
func start(t *testing.T, mounts ...phx.Mount) *phx.Endpoint {
	t.Helper()
	ep, err := phx.Start(phx.Config{Addr: "127.0.0.1:0", Mounts: mounts, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := ep.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return ep
}

// socket is a mount at /socket with one route.
func socket(pattern string, channel *phx.ChannelType) phx.Mount {
	return phx.Mount{Path: "/socket", Routes: []phx.Route{{Pattern: pattern, Type: channel}}}
}
