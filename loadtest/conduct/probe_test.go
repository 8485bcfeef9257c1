package conduct_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/conduct"
	"github.com/roost-rt/roost/loadtest/plan"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	go func() {
		for {
			conn, err := mute.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, test := range []struct{ url, want string }{
		{(&fake{}).start(t).url, ""},
		{"ws://127.0.0.1:1", "cannot connect to ws://127.0.0.1:1: connection refused: is the server running"},
		{strings.Replace(page.URL, "http", "ws", 1), "does not upgrade to WebSocket at /socket/websocket?vsn=2.0.0: upgrade: HTTP 404"},
		{strings.Replace(page.URL, "http", "ws", 1) + "/live?a=b", "at /live?a=b&vsn=2.0.0: upgrade: HTTP 404; is it at /live/websocket?"},
		{"ws://" + mute.Addr().String(), "does not upgrade to WebSocket"},
		{"ws://no.such.host.invalid:4000", "is the address right?"},
	} {
		_, _, err := conduct.Probe(t.Context(), plan.Config{URL: test.url})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("Probe(%s) = %v, want %q", test.url, err, test.want)
		}
	}
}
