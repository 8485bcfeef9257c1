package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// Upgrades and refusals (spec §1.2 to §1.5).
func TestHandshakes(t *testing.T) {
	addr := start(t)
	const (
		elsewhere = "Origin: https://elsewhere.com"
		example   = "Origin: http://example.com:81"
		subdomain = "origin: http://a.example.com"
		offer     = "Sec-WebSocket-Protocol: "
		bearer    = offer + "phoenix, base64url.bearer.phx."
	)
	tests := []struct {
		target, header string
		status         int
		body           string // if not empty
		protocol       string

		differs string
		phoenix int // status
	}{
		{target: "/socket/websocket", status: 101},
		{target: "/socket/websocket?vsn=2.0.5", header: elsewhere, status: 101},
		{target: "/socket/websocket?vsn=2.0.0&vsn=9", status: 403},
		{target: "/socket/websocket?vsn=9&&vsn=2.0.0&", status: 101},
		{target: "/socket/websocket?vsn=2.1.0", status: 403},
		{target: "/socket/websocket?vsn=2.0", status: 403},
		{target: "/socket/websocket?vsn=abc", status: 403},
		{target: "/socket/websocket?vsn[]=2.0.0", status: 403},
		{target: "/socket/websocket?reject=true", status: 403},
		{target: "/socket/websocket?reject=false&reject=true", status: 403},
		{target: "/socket/websocket?ratelimit=true", status: 429, body: "Too many requests"},
		{target: "/socket/websocket", header: offer + "mqtt", status: 101},
		{target: "/socketz/websocket", status: 101},
		{target: "/fast/websocket", header: elsewhere, status: 101},
		{target: "/small/websocket", header: elsewhere, status: 101},
		{target: "/limited/websocket", header: elsewhere, status: 101},
		{target: "/echo/websocket", header: elsewhere, status: 101},
		{target: "/echoz/websocket", header: elsewhere, status: 101},
		{target: "/origin/websocket", status: 101},
		{target: "/origin/websocket", header: example, status: 101},
		{target: "/origin/websocket", header: elsewhere, status: 403},
		{target: "/origin/websocket", header: subdomain, status: 403},
		{target: "/origin/websocket", header: "Origin: null", status: 403},
		{target: "/sub/websocket", status: 101},
		{target: "/sub/websocket", header: offer + "phx.v2, mqtt", status: 101, protocol: "mqtt"},
		{target: "/sub/websocket", header: offer + "sip,phx.v2", status: 101, protocol: "phx.v2"},
		{target: "/sub/websocket", header: offer + "sip", status: 403},
		{target: "/auth/websocket", status: 403},
		{target: "/auth/websocket", header: bearer + "czNjcmV0Ky89", status: 101, protocol: "phoenix"},
		{target: "/auth/websocket", header: bearer + "eA", status: 403},
		{target: "/auth/websocket", header: bearer + "!!!", status: 400, differs: "bad auth token", phoenix: 500},
		{target: "/auth/websocket", header: offer + "mqtt, base64url.bearer.phx.czNjcmV0Ky89", status: 403},

		{target: "/ws/websocket?vsn=1.0.0", status: 101},
		{target: "/ws/websocket?vsn=123.1.1", status: 403},
		{target: "/ws/websocket?reject=true", status: 403},
		{target: "/ws/websocket?ratelimit=true", status: 429, body: "Too many requests"},
		{target: "/ws/websocket", header: elsewhere, status: 403},
		{target: "/ws/websocket", header: example, status: 101},
		{target: "/ws/admin/websocket", header: elsewhere, status: 403},
		{target: "/ws/admin/websocket", header: example, status: 101},
		{target: "/ws/limited/websocket", header: elsewhere, status: 403},
		{target: "/ws/limited/websocket", header: example, status: 101},
		{target: "/ws/connect_info/websocket", header: elsewhere, status: 403},
		{target: "/ws/connect_info/websocket", header: example, status: 101},
		{target: "/ws/sip/websocket", status: 101},
		{target: "/ws/sip/websocket", header: offer + "sip", status: 101, protocol: "sip"},
		{target: "/ws/sip/websocket", header: offer + "mqtt", status: 403},
		{target: "/lp/websocket", header: elsewhere, status: 101},
		{target: "/lp/websocket?custom_error=true", status: 403},

		{target: "/socket", status: 404},
		{target: "/nowhere/websocket", status: 404},
		{target: "/sub/longpoll", status: 404},
		{target: "/lp/connect_info/websocket", status: 404},
		{target: "/lp/slow/websocket", status: 404},
	}
	for _, test := range tests {
		if test.differs != "" && differs(t, test.differs) {
			test.status = test.phoenix
		}
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		_, response, body := handshake(t, addr, test.target, headers...)
		if response.StatusCode != test.status || test.body != "" && body != test.body || test.status == 403 && body != "" {
			t.Errorf("GET %s, %q = %s, body %q, want %d, body %q", test.target, test.header, response.Status, body, test.status, test.body)
		}
		if got := response.Header.Get("Sec-WebSocket-Protocol"); got != test.protocol && test.status == 101 {
			t.Errorf("GET %s, %q: subprotocol %q, want %q", test.target, test.header, got, test.protocol)
		}
	}
}

// Requests that are no upgrades.
func TestNoUpgrade(t *testing.T) {
	addr, web := start(t), newHTTP(t)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"} {
		if a := ask(t, web, method, "http://"+addr+"/socket/websocket?vsn=2.0.0", ""); a.code != http.StatusBadRequest {
			t.Errorf("%s without an upgrade = %d, want 400", method, a.code)
		}
	}
}

// A client need not wait for the 101 with its first frame.
func TestEarlyFrame(t *testing.T) {
	addr := start(t)
	if differs(t, "early frame") {
		return
	}
	beat := frame.AppendMasked([]byte(upgrade(addr, "/socket/websocket?vsn=2.0.0")), ws.OpText, mask, []byte(`[null,"1","phoenix","heartbeat",{}]`))
	c, response, _ := converse(t, addr, beat)
	if c == nil {
		t.Fatalf("the upgrade = %s, want 101", response.Status)
	}
	make(names).expect(t, c, "the early frame", `[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
}

// The largest frame of /small is 65,536 bytes; other mounts take more. (Cowboy does
// not count the header.)
func TestSmall(t *testing.T) {
	addr := start(t)
	const head, tail = `[null,"1","phoenix","heartbeat",{"x":"`, `"}]`
	tests := []struct {
		target string
		size   int // of the frame, header included
		op     ws.OpCode
	}{
		{"/small/websocket?vsn=2.0.0", 65_536, ws.OpText},
		{"/small/websocket?vsn=2.0.0", 65_536 + 14, ws.OpClose},
		{"/socket/websocket?vsn=2.0.0", 65_536 + 14, ws.OpText},
	}
	for _, test := range tests {
		c := dial(t, addr, test.target)
		payload := test.size - frame.HeaderLen(65_000) - 4 // the mask
		c.send(t, ws.OpText, []byte(head+strings.Repeat("x", payload-len(head)-len(tail))+tail))
		got := c.receive(t)
		if got.Op != test.op {
			t.Errorf("%s: a frame of %d bytes is answered with %s", test.target, test.size, show(got))
		}
		if code, _ := frame.ParseClose(got.Payload); got.Op == ws.OpClose && code != ws.StatusMessageTooBig {
			t.Errorf("%s: a frame of %d bytes is answered with %s, want 1009", test.target, test.size, show(got))
		}
	}
}
