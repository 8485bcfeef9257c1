package chat_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// Flags of limits that make no sense are refused, by name.
func TestLimitFlags(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"-trusted-proxies 10.0.0.0/8,nonsense", 2, `"nonsense": want addresses or networks`},
		{"-proxy-protocol", 1, "TrustedProxies is empty"},
		{"-max-conns -1", 1, "MaxConns is -1"},
		{"-max-conns-per-ip -1 -trusted-proxies 10.0.0.0/8,::1,127.0.0.1", 1, "MaxConnsPerIP is -1"},
		{"-accept-rate -1", 1, "AcceptRate is -1"},
		{"-hosts chat.example.com,http://a", 1, `Hosts[1] is "http://a"`},
	} {
		var stdout, stderr bytes.Buffer
		code := chat.Main(context.Background(), strings.Fields("-addr 127.0.0.1:0 "+tt.args), &stdout, &stderr)
		if code != tt.code || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("server %s: code %d and %q, want %d and %q", tt.args, code, stderr.String(), tt.code, tt.want)
		}
	}
}
