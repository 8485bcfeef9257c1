package phx_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate"

// What is offered, and what comes of it: no window outlives a message, and one
// smaller than compress/flate's is declined (RFC 7692 §7.1).
func TestDeflateNegotiation(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/on", Deflate: &phx.Deflate{}}, {Path: "/off"}}})
	const yes = "permessage-deflate;server_no_context_takeover;client_no_context_takeover"
	for _, tt := range []struct{ path, offer, want string }{
		{"/on", "", ""},
		{"/off", "permessage-deflate", ""},
		{"/on", "permessage-deflate", yes},
		{"/on", "permessage-deflate; client_max_window_bits", yes},
		{"/on", "permessage-deflate; client_max_window_bits=9; server_no_context_takeover", yes},
		{"/on", "permessage-deflate; server_max_window_bits=15", yes + ";server_max_window_bits=15"},
		{"/on", "permessage-deflate; server_max_window_bits=9", ""},
		{"/on", "permessage-deflate; server_max_window_bits=9, permessage-deflate", yes},
		{"/on", "permessage-deflate, permessage-deflate", yes},
		{"/on", "permessage-deflate; unknown", ""},
		{"/on", "permessage-deflate; server_max_window_bits=7", ""},
		{"/on", "x-webkit-deflate-frame", ""},
	} {
		var headers []string
		if tt.offer != "" {
			headers = []string{"Sec-WebSocket-Extensions: " + tt.offer}
		}
		code, head := status(t, ep, tt.path+"/websocket", headers...)
		_, got, _ := strings.Cut(head, "Sec-WebSocket-Extensions: ")
		got, _, _ = strings.Cut(strings.ReplaceAll(got, " ", ""), "\r\n")
		if code != 101 || !sameParts(got, tt.want) {
			t.Errorf("%s, %q: status %d and %q, want %q", tt.path, tt.offer, code, got, tt.want)
		}
	}
	if code, _ := status(t, ep, "/on/websocket", "Sec-WebSocket-Extensions: permessage-deflate;="); code != 400 {
		t.Errorf("a malformed offer: status %d, want 400", code)
	}
}

// sameParts compares what semicolons separate, in any order.
func sameParts(a, b string) bool {
	count := make(map[string]int)
	for part := range strings.SplitSeq(a, ";") {
		count[part]++
	}
	for part := range strings.SplitSeq(b, ";") {
		count[part]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// raw is the next frame as it came, header included.
func (c *client) rawFrame() (compressed bool, f frame.Frame) {
	c.t.Helper()
	for len(c.data) == 0 {
		if err := c.read(); err != nil {
			c.t.Fatal(err)
		}
	}
	compressed = c.data[0]&0x40 != 0
	cfg := frame.Config{Client: true, Deflate: true}
	for {
		f, ok, err := c.decoder.Next(&cfg, &c.data)
		if err != nil {
			c.t.Fatal(err)
		}
		if ok {
			f.Payload = bytes.Clone(f.Payload)
			return compressed, f
		}
		if err := c.read(); err != nil {
			c.t.Fatal(err)
		}
	}
}

// sendDeflated sends a compressed message, masked.
func (c *client) sendDeflated(payload []byte) {
	c.t.Helper()
	var z frame.Deflater
	plain, err := z.Append(nil, ws.OpText, payload)
	if err != nil {
		c.t.Fatal(err)
	}
	n := len(plain) - 2
	if plain[1] == 126 {
		n = len(plain) - 4
	}
	masked := frame.AppendMasked(nil, ws.OpText, mask, plain[len(plain)-n:])
	masked[0] |= 0x40
	c.write(masked)
}

// Messages go compressed in both directions where it was agreed on and is worth
// it; on one topic, everybody gets a broadcast as they can read it.
func TestDeflate(t *testing.T) {
	routes := []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{
		"say": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("said", p) },
		"len": func(ch *phx.Channel, p phx.Payload) (any, error) { return map[string]int{"len": len(p.JSON())}, nil },
		"big": func(ch *phx.Channel, p phx.Payload) (any, error) { return p, nil },
	}}}}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: routes, Deflate: &phx.Deflate{}}}})
	plain := dial(t, ep)
	zipped := dialAt(t, ep, "/socket/websocket?vsn=2.0.0", deflateOffer)
	v1 := dialAt(t, ep, "/socket/websocket?vsn=1.0.0", deflateOffer)
	for _, c := range []*client{plain, zipped} {
		c.join("room:a")
	}
	v1.say(`{"topic":"room:a","event":"phx_join","payload":{},"ref":"1"}`)
	v1.message()

	long := fmt.Sprintf(`{"text":%q}`, strings.Repeat("more of the same, ", 100))
	zipped.sendDeflated([]byte(`["1","2","room:a","big",` + long + `]`))
	compressed, f := zipped.rawFrame()
	if want := `["1","2","room:a","phx_reply",{"status":"ok","response":` + long + `}]`; !compressed || !sameJSON(t, string(f.Payload), want) {
		t.Errorf("reply: compressed %v, %s", compressed, f.Payload)
	}
	zipped.say(`["1","3","room:a","len",{}]`) // a plain message is all right, too (RFC 7692 §6)
	if compressed, f := zipped.rawFrame(); compressed {
		t.Errorf("a reply of %d bytes is compressed: not worth it", len(f.Payload))
	}

	plain.say(`["1","4","room:a","say",` + long + `]`)
	want := `[null,null,"room:a","said",` + long + `]`
	if compressed, f := plain.rawFrame(); compressed || !sameJSON(t, string(f.Payload), want) {
		t.Errorf("plain: compressed %v, %s", compressed, f.Payload)
	}
	if compressed, f := zipped.rawFrame(); !compressed || !sameJSON(t, string(f.Payload), want) {
		t.Errorf("zipped: compressed %v, %s", compressed, f.Payload)
	}
	if compressed, f := v1.rawFrame(); !compressed || !sameJSON(t, string(f.Payload), `{"topic":"room:a","event":"said","payload":`+long+`,"ref":null}`) {
		t.Errorf("version 1: compressed %v, %s", compressed, f.Payload)
	}
}

// A message of little that becomes much ends its connection alone (row 38), and
// RSV1 without an agreement is a protocol error.
func TestDeflateRefusals(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Deflate: &phx.Deflate{}}}})
	other := dial(t, ep)
	bomb := dialAt(t, ep, "/socket/websocket?vsn=2.0.0", deflateOffer)
	bomb.sendDeflated(bytes.Repeat([]byte(" "), 4<<20))
	bomb.wantClosed(1009)
	corrupt := dialAt(t, ep, "/socket/websocket?vsn=2.0.0", deflateOffer)
	b := frame.AppendMasked(nil, ws.OpText, mask, []byte{0xff, 0xff})
	b[0] |= 0x40
	corrupt.write(b)
	corrupt.wantClosed(1007)
	unasked := dial(t, ep)
	unasked.sendDeflated([]byte("x"))
	unasked.wantClosed(1002)
	other.heartbeat()
}

// counting is a serializer that counts broadcasts.
type counting struct {
	wire.V2
	encoded *atomic.Int64
}

func (c counting) AppendBroadcast(dst []byte, topic, event string, p wire.Payload) ([]byte, bool, error) {
	c.encoded.Add(1)
	return c.V2.AppendBroadcast(dst, topic, event, p)
}

// A broadcast is encoded and compressed once, however many are to get it.
func TestDeflateSharesBroadcasts(t *testing.T) {
	var encoded atomic.Int64
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", Deflate: &phx.Deflate{}, Serializers: []wire.Serializer{counting{encoded: &encoded}},
		Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}},
	}}})
	var clients []*client
	for range 100 { // some served by the publisher, and some in turns
		c := dialAt(t, ep, "/socket/websocket?vsn=2.0.0", deflateOffer)
		c.join("a")
		clients = append(clients, c)
	}
	for i := range 5 {
		if err := ep.Broadcast("a", "e", map[string]string{"text": strings.Repeat("again ", 100) + fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			if compressed, _ := c.rawFrame(); !compressed {
				t.Fatal("not compressed")
			}
		}
	}
	if n := encoded.Load(); n != 5 {
		t.Errorf("encoded %d times, want once for each of 5 broadcasts", n)
	}
}
