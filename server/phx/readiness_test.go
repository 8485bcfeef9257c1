package phx_test

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
)

// An endpoint is ready until a budget is used up, and again when it is not; not
// when it drains. Operators get the same as a status.
func TestReady(t *testing.T) {
	ep := startConfig(t, phx.Config{Loops: 1, MaxConns: 1, Mounts: sockets()})
	admin := ep.AdminHandler()
	want := func(status int, text string) {
		t.Helper()
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
		if w.Code != status || !strings.HasPrefix(w.Body.String(), text) {
			t.Errorf("GET /ready: %d %q, want %d %q", w.Code, w.Body, status, text)
		}
		if err := ep.Ready(); (err == nil) != (status == 200) {
			t.Errorf("Ready: %v with status %d", err, status)
		}
	}
	want(200, "ready")
	c := dial(t, ep)
	want(503, "connections: 1 of 1 in use")
	if b := ep.Budgets()[0]; b != (phx.Budget{Name: "connections", Used: 1, Max: 1}) {
		t.Errorf("the first budget is %+v", b)
	}
	c.hangUp(true)
	eventually(t, "the endpoint is ready", func() bool { return ep.Ready() == nil })
	want(200, "ready")
	shutdown(t, ep)
	want(503, "draining")
	if err := ep.Ready(); !errors.Is(err, phx.ErrDraining) {
		t.Errorf("Ready after Shutdown: %v, want ErrDraining", err)
	}
}

// So it is with broadcasts that wait for rooms whose members do not read.
func TestReadyForBroadcasts(t *testing.T) {
	ep := loudRoom(t, phx.Config{SendBuffer: 8 << 10, OutboundHigh: 64 << 10, WriteTimeout: time.Hour, MaxPending: 1 << 20})
	for _, room := range []string{"room:1", "room:2"} {
		c := dial(t, ep)
		c.conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		c.join(room)
	}
	large := map[string]string{"text": strings.Repeat("x", 400<<10)}
	for _, room := range []string{"room:1", "room:2"} { // one leaves something for the other
		eventually(t, room+" is full", func() bool { return errors.Is(ep.Broadcast(room, "e", large), pubsub.ErrOverloaded) })
	}
	if err := ep.Ready(); err == nil || !strings.HasPrefix(err.Error(), "broadcast bytes: ") {
		t.Errorf("Ready() = %v when two rooms have used up MaxPending, want that it says so", err)
	}
}
