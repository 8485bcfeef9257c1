package phx_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

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
