package chat_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// Other programs have an address of their own, which asks for the token, and which
// neither clients nor operators reach by theirs.
func TestAPIListener(t *testing.T) {
	const token = "0123456789abcdef"
	t.Setenv("ROOST_API_TOKEN", token)
	api := freeAddr(t)
	s := runAdmin(t, "-admin", "127.0.0.1:0", "-api", api)
	programs := &adminServer{t: t, url: "http://" + api}
	for _, tt := range []struct {
		path, token string
		status      int
		want        string
	}{
		{"/v1/topics", token, 200, `"topics":[]`},
		{"/v1/topics", "", 401, "token"},
		{"/v1/topics/room:lobby/presence", token, 200, `"presence":{}`},
		{"/openapi.yaml", "", 200, "openapi: 3.1"},
		{"/metrics", token, 404, ""},
	} {
		if status, body := programs.get(tt.path, tt.token, "node.example"); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("GET %s: %d %.80q, want %d with %q", tt.path, status, body, tt.status, tt.want)
		}
	}
	if status, _ := s.get("/v1/topics", "", ""); status != 404 {
		t.Errorf("GET /v1/topics where operators are: %d, want 404", status)
	}
	s.wait()
	http.DefaultClient.CloseIdleConnections()
	for value, want := range map[string]string{"": "there is no token: set ROOST_API_TOKEN", "short": "ROOST_API_TOKEN has 5 characters"} {
		t.Setenv("ROOST_API_TOKEN", value)
		var stderr strings.Builder
		if got := chat.Main(context.Background(), []string{"-api", api}, io.Discard, &stderr); got != 2 || !strings.Contains(stderr.String(), want) {
			t.Errorf("Main with the token %q = %d, %q", value, got, stderr.String())
		}
	}
}

// freeAddr is an address of this host that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
