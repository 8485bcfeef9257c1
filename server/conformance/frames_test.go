package main_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// masked are the bytes of a frame whose first byte is given, with FIN, RSV and
// opcode, and whose payload is short.
func masked(first byte, payload string) []byte {
	b := frame.AppendMasked(nil, 0, mask, []byte(payload))
	b[0] = first
	return b
}

// RFC 6455 as a client sees it, on sockets that send back what they get.
func TestFrames(t *testing.T) {
	const (
		fin, rsv1                      = 0x80, 0x40
		more, text, binary, ping, pong = 0x0, 0x1, 0x2, 0x9, 0xa
	)
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	tests := []struct {
		name  string
		sent  []byte
		op    ws.OpCode
		want  string
		close ws.StatusCode // if op is Close
	}{
		{"text", masked(fin|text, "hé"), ws.OpText, "hé", 0},
		{"nothing", masked(fin|text, ""), ws.OpText, "", 0},
		{"binary", masked(fin|binary, "\xff\x00"), ws.OpBinary, "\xff\x00", 0},
		{"ping", masked(fin|ping, "\x00p"), ws.OpPong, "\x00p", 0},
		{"pong", join(masked(fin|pong, "p"), masked(fin|text, "t")), ws.OpText, "t", 0},
		{"fragments", join(masked(text, "a"), masked(more, "b"), masked(fin|more, "c")), ws.OpText, "abc", 0},
		{"cut inside a letter", join(masked(text, "\xc3"), masked(fin|more, "\xa9")), ws.OpText, "é", 0},
		{"ping between fragments", join(masked(text, "a"), masked(fin|ping, "p")), ws.OpPong, "p", 0},

		{"not masked", []byte{fin | text, 1, 'a'}, ws.OpClose, "", 1002},
		{"RSV1", masked(fin|rsv1|text, "a"), ws.OpClose, "", 1002},
		{"RSV2", masked(fin|0x20|text, "a"), ws.OpClose, "", 1002},
		{"opcode 3", masked(fin|3, "a"), ws.OpClose, "", 1002},
		{"opcode 11", masked(fin|11, "a"), ws.OpClose, "", 1002},
		{"stray continuation", masked(fin|more, "a"), ws.OpClose, "", 1002},
		{"text inside of fragments", join(masked(text, "a"), masked(fin|text, "b")), ws.OpClose, "", 1002},
		{"ping in fragments", masked(ping, "a"), ws.OpClose, "", 1002},
		{"long ping", masked(fin|ping, strings.Repeat("a", 126)), ws.OpClose, "", 1002},
		{"no UTF-8", masked(fin|text, "\xff\xfe"), ws.OpClose, "", 1007},
		{"no UTF-8 in fragments", join(masked(text, "a"), masked(fin|more, "\xff")), ws.OpClose, "", 1007},
		{"17 MiB claimed", []byte{fin | text, 0x80 | 127, 0, 0, 0, 0, 1, 0x10, 0, 0, 1, 2, 3, 4}, ws.OpClose, "", 1009},
	}
	addr := start(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, addr, "/echo/websocket")
			if _, err := c.conn.Write(test.sent); err != nil {
				t.Fatal(err)
			}
			got := c.receive(t)
			code, _ := frame.ParseClose(got.Payload)
			if got.Op != test.op || test.op == ws.OpClose && code != test.close || test.op != ws.OpClose && string(got.Payload) != test.want {
				t.Fatalf("got %#x %s, want %#x %q %d", got.Op, show(got), test.op, test.want, test.close)
			}
		})
	}
}

// Messages of 16 MiB are the largest that /echo takes.
func TestLargeEcho(t *testing.T) {
	c := dial(t, start(t), "/echo/websocket")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	c.send(t, ws.OpBinary, want)
	if got := c.receive(t); got.Op != ws.OpBinary || !bytes.Equal(got.Payload, want) {
		t.Errorf("got %#x with %d bytes, want the %d that were sent", got.Op, len(got.Payload), len(want))
	}
}

// What comes back on a Close frame of the client's (spec §1.8).
func TestCloses(t *testing.T) {
	tests := []struct {
		payload string
		want    ws.StatusCode
		bandit  ws.StatusCode // if it is another
		cowboy  ws.StatusCode
	}{
		{"", 1000, 0, 1005},
		{"\x03\xe8", 1000, 0, 0},
		{"\x03\xe9bye", 1001, 1000, 0},
		{"\x03\xef", 1007, 1000, 0},
		{"\x0b\xb8", 3000, 1000, 0},
		{"\x0f\xa0", 4000, 1000, 0},
		{"\x03", 1002, 0, 0},
		{"\x00\x00", 1002, 0, 0},
		{"\x03\xec", 1002, 0, 0}, // 1004
		{"\x03\xed", 1002, 0, 0}, // 1005
		{"\x03\xee", 1002, 0, 0}, // 1006
		{"\x03\xe8\xff", 1007, 1002, 0},
	}
	addr := start(t)
	for _, test := range tests {
		switch {
		case test.bandit != 0 && differs(t, "close codes of Bandit"):
			test.want = test.bandit
		case test.cowboy != 0 && differs(t, "close without a code"):
			test.want = test.cowboy
		}
		c := dial(t, addr, "/echo/websocket")
		c.send(t, ws.OpClose, []byte(test.payload))
		got := c.receive(t)
		if code, _ := frame.ParseClose(got.Payload); got.Op != ws.OpClose || code != test.want {
			t.Errorf("Close %q is answered with %s, want %d", test.payload, show(got), test.want)
		}
	}
}

// Pings keep a connection open, what the server sends does not (spec §1.8). The
// time-out of /fast is one second.
func TestIdle(t *testing.T) {
	addr := start(t)
	pinging := dial(t, addr, "/fast/websocket?vsn=2.0.0")
	listening := dial(t, addr, "/fast/websocket?vsn=2.0.0")
	listening.send(t, ws.OpText, []byte(`["1","1","room:idle","phx_join",{}]`))
	listening.receive(t)
	begin, web := time.Now(), newHTTP(t)

	beats := time.NewTicker(150 * time.Millisecond)
	defer beats.Stop()
	for range 10 {
		<-beats.C
		pinging.send(t, ws.OpPing, []byte("p"))
		if got := pinging.receive(t); got.Op != ws.OpPong {
			t.Fatalf("got %s for a ping", show(got))
		}
		ask(t, web, "POST", "http://"+addr+"/__conformance/broadcast", `{"topic":"room:idle","event":"e","payload":{}}`)
	}
	got := listening.receive(t)
	for got.Op == ws.OpText {
		got = listening.receive(t)
	}
	if took := time.Since(begin); got.Op != ws.OpClose || took < time.Second {
		t.Errorf("after %v: got %s, want a Close frame after a second", took, show(got))
	}
}

// permessage-deflate is there where it is offered (RFC 7692).
func TestDeflate(t *testing.T) {
	addr := start(t)
	const offer = "Sec-WebSocket-Extensions: permessage-deflate"
	hello := []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00} // "Hello", RFC 7692 §7.2.3.1
	for _, test := range []struct {
		target   string
		accepted bool
	}{{"/echo/websocket", false}, {"/echoz/websocket", true}, {"/socket/websocket", false}, {"/socketz/websocket", true}} {
		c, response, _ := handshake(t, addr, test.target, offer)
		if c == nil {
			t.Fatalf("%s = %s, want 101", test.target, response.Status)
		}
		if got := response.Header.Get("Sec-WebSocket-Extensions"); strings.HasPrefix(got, "permessage-deflate") != test.accepted {
			t.Errorf("%s: extensions %q", test.target, got)
		}
		if test.target != "/echoz/websocket" {
			continue
		}
		c.frames.Deflate = true
		if _, err := c.conn.Write(masked(0xc1, string(hello))); err != nil {
			t.Fatal(err)
		}
		if got := c.receive(t); got.Op != ws.OpText || string(got.Payload) != "Hello" {
			t.Errorf("%s: got %s for a compressed Hello", test.target, show(got))
		}
	}
}
