package main_test

import (
	"net/http"
	"testing"

	"github.com/gobwas/ws"
)

func TestControl(t *testing.T) {
	addr, web := start(t), newHTTP(t)
	alive := func() string {
		t.Helper()
		return ask(t, web, "GET", "http://"+addr+"/__conformance/alive?topic=room:control", "").body
	}
	broadcast := func(body string) int {
		t.Helper()
		return ask(t, web, "POST", "http://"+addr+"/__conformance/broadcast", body).code
	}

	if got := alive(); got != "0" {
		t.Errorf("alive = %q before the join, want 0", got)
	}
	c := dial(t, addr, "/socket/websocket?vsn=2.0.0&user_id=7")
	c.send(t, ws.OpText, []byte(`["1","1","room:control","phx_join",{}]`))
	c.receive(t)
	if got := alive(); got != "1" {
		t.Errorf("alive = %q after the join, want 1", got)
	}

	if got := broadcast(`{"topic":"room:control","event":"e","payload":{"k":1}}`); got != http.StatusNoContent {
		t.Errorf("broadcast = %d, want 204", got)
	}
	if got := c.receive(t); !same(got.Op, got.Payload, []byte(`[null,null,"room:control","e",{"k":1}]`)) {
		t.Errorf("got %s, want the broadcast", show(got))
	}
	for _, bad := range []string{`{`, `{"topic":"room:control","event":"e","payload":[]}`} {
		if got := broadcast(bad); got != http.StatusBadRequest {
			t.Errorf("broadcast of %s = %d, want 400", bad, got)
		}
	}

	broadcast(`{"topic":"users_socket:7","event":"disconnect","payload":{}}`)
	if got := show(c.receive(t)); got != "closed 1001 " {
		t.Errorf("after disconnect the socket got %s, want closed 1001", got)
	}
}
