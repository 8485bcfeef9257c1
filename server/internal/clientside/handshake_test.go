package clientside_test

import (
	"net/http"
	"testing"

	"github.com/roost-rt/roost/server/internal/clientside"
)

// The key and its answer are those of RFC 6455 §1.3.
func TestHandshake(t *testing.T) {
	h := clientside.Handshake{
		URL: "https://host/socket/?region=eu", Version: "2.0.0", AuthToken: "abcd>?~", Key: "dGhlIHNhbXBsZSBub25jZQ==",
		Params: map[string]any{"deep": map[string]string{"er": "x"}, "list": []int{4, 5}, "none": nil},
		Header: http.Header{"Host": {"example.com"}},
	}
	r, err := h.Request()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.URL.String(), "https://host/socket/websocket?deep%5Ber%5D=x&list%5B0%5D=4&list%5B1%5D=5&region=eu&vsn=2.0.0"; got != want {
		t.Errorf("URL %s, want %s", got, want)
	}
	if got, want := r.Header.Get("Sec-WebSocket-Protocol"), "phoenix, base64url.bearer.phx.YWJjZD4/fg"; got != want || r.Host != "example.com" {
		t.Errorf("offers %q to %s, want %q to example.com", got, r.Host, want)
	}
	answer := http.Header{"Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}
	if h.Check(answer) == nil {
		t.Error("no error without a subprotocol")
	}
	answer.Set("Sec-WebSocket-Protocol", "phoenix")
	if err := h.Check(answer); err != nil {
		t.Error(err)
	}
	h.Key = "AAAAAAAAAAAAAAAAAAAAAA=="
	if h.Check(answer) == nil {
		t.Error("no error with the answer to another key")
	}
}
