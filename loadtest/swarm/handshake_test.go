package swarm_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/swarm"
)

func TestCheckUpgrade(t *testing.T) {
	const key = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	for _, test := range []struct {
		name, response, rest string
		done                 bool
		err                  string
	}{
		{"accepted", "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + key + "\r\n\r\n", "", true, ""},
		{"a frame follows", "HTTP/1.1 101 X\r\nsec-websocket-accept:" + key + "\r\n\r\n\x81\x01x", "\x81\x01x", true, ""},
		{"a part", "HTTP/1.1 101 Switching Protocols\r\nSec-WebS", "", false, ""},
		{"nothing", "", "", false, ""},
		{"refused", "HTTP/1.1 403 Forbidden\r\n\r\n", "", false, "upgrade: HTTP 403"},
		{"wrong answer", "HTTP/1.1 101 X\r\nSec-WebSocket-Accept: x\r\n\r\n", "", false, "upgrade: wrong Sec-WebSocket-Accept"},
		{"no answer", "HTTP/1.1 101 X\r\n\r\n", "", false, "upgrade: wrong Sec-WebSocket-Accept"},
		{"another protocol", "SSH-2.0-OpenSSH\r\n\r\n", "", false, "upgrade: HTTP "},
		{"endless", strings.Repeat("x", 10_000), "", false, "upgrade: endless response"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rest, done, err := swarm.CheckUpgrade([]byte(test.response))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if string(rest) != test.rest || done != test.done || text != test.err {
				t.Errorf("checkUpgrade(%.60q) = %q, %t, %q, want %q, %t, %q", test.response, rest, done, text, test.rest, test.done, test.err)
			}
		})
	}
}
