package main_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// ask does an HTTP request on a connection of its own.
func ask(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

func TestControl(t *testing.T) {
	addr := start(t)
	alive := func() string {
		t.Helper()
		_, n := ask(t, "GET", "http://"+addr+"/__conformance/alive?topic=room:a", "")
		return n
	}
	broadcast := func(body string) int {
		t.Helper()
		status, _ := ask(t, "POST", "http://"+addr+"/__conformance/broadcast", body)
		return status
	}

	if got := alive(); got != "0" {
		t.Errorf("alive = %q before the join, want 0", got)
	}
	c := dial(t, addr, "/socket/websocket?vsn=2.0.0&user_id=7")
	c.send(t, ws.OpText, []byte(`["1","1","room:a","phx_join",{}]`))
	c.receive(t)
	if got := alive(); got != "1" {
		t.Errorf("alive = %q after the join, want 1", got)
	}

	if got := broadcast(`{"topic":"room:a","event":"e","payload":{"k":1}}`); got != http.StatusNoContent {
		t.Errorf("broadcast = %d, want 204", got)
	}
	if got := c.receive(t); !same(got.Op, got.Payload, []byte(`[null,null,"room:a","e",{"k":1}]`)) {
		t.Errorf("got %s, want the broadcast", show(got))
	}
	for _, bad := range []string{`{`, `{"topic":"room:a","event":"e","payload":[]}`} {
		if got := broadcast(bad); got != http.StatusBadRequest {
			t.Errorf("broadcast of %s = %d, want 400", bad, got)
		}
	}

	broadcast(`{"topic":"users_socket:7","event":"disconnect","payload":{}}`)
	if got := show(c.receive(t)); got != "closed 1001 " {
		t.Errorf("after disconnect the socket got %s, want closed 1001", got)
	}
	if status, _ := ask(t, "GET", "http://"+addr+"/__conformance/broadcast", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET broadcast = %d, want 405", status)
	}
}
