package phxtest

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// patience is how long to wait for something that must happen, by default. A test that
// passes never waits that long.
const patience = 20 * time.Second

// An Endpoint is a running endpoint that is being tested.
type Endpoint struct {
	*phx.Endpoint

	activity *activity
	clients  atomic.Int64 // connected so far
	syncs    atomic.Int64 // broadcasts of syncEvent so far
}

// Start starts an endpoint that stops when the test and its subtests have ended.
// It listens nowhere unless cfg.Addr says so, and logs to the test at debug level
// unless cfg.Logger is set.
func Start(t testing.TB, cfg phx.Config) *Endpoint {
	t.Helper()
	cfg.Addr = cmp.Or(cfg.Addr, phx.Off)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	a := newActivity(cfg.Logger)
	cfg.Mounts = append(slices.Clone(cfg.Mounts), listenMount())
	for i := range cfg.Mounts {
		a.watchMount(&cfg.Mounts[i])
	}
	ep, err := phx.Start(cfg)
	if err != nil {
		t.Fatalf("start an endpoint: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		if err := ep.Shutdown(ctx); err != nil {
			t.Errorf("shut the endpoint down: %v", err)
		}
	})
	return &Endpoint{Endpoint: ep, activity: a}
}
