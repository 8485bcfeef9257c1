package phx_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// talkRoom broadcasts its messages: say to all, tell to all others.
func talkRoom() *phx.ChannelType {
	return &phx.ChannelType{In: phx.Events{
		"say":  func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Broadcast("said", p) },
		"tell": func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.BroadcastFrom("told", p) },
	}}
}

// A broadcast reaches all who joined the topic and no one else, in both
// versions, the sender before the reply that follows it.
func TestBroadcast(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: talkRoom()})
	sender, tab, elsewhere := dial(t, ep), dial(t, ep), dial(t, ep)
	v1 := dialAt(t, ep, "/socket/websocket")
	sender.join("room:1")
	tab.join("room:1")
	elsewhere.join("room:2")
	v1.say(`{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}`)
	v1.want(`{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}`)

	sender.say(`["1","2","room:1","say",{"n":1}]`, `["1","3","room:1","tell",{"n":2}]`)
	sender.want(`[null,null,"room:1","said",{"n":1}]`,
		`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`)
	tab.want(`[null,null,"room:1","said",{"n":1}]`, `[null,null,"room:1","told",{"n":2}]`)
	v1.want(`{"topic":"room:1","event":"said","payload":{"n":1},"ref":null}`, `{"topic":"room:1","event":"told","payload":{"n":2},"ref":null}`)

	if err := ep.Broadcast("room:1", "news", map[string]int{"n": 3}); err != nil {
		t.Fatal(err)
	}
	sender.want(`[null,null,"room:1","news",{"n":3}]`)
	tab.want(`[null,null,"room:1","news",{"n":3}]`)
	v1.want(`{"topic":"room:1","event":"news","payload":{"n":3},"ref":null}`)
	for _, c := range []*client{sender, tab, elsewhere} {
		c.heartbeat()
	}
}

// What V1 cannot express is left out for who speaks it; the publisher and the
// others do not notice (spec §2.1).
func TestBinaryBroadcastToV1(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{}})
	c, v1 := dial(t, ep), dialAt(t, ep, "/socket/websocket?vsn=1.0.0")
	v1.say(`{"topic":"room:1","event":"phx_join","payload":{},"ref":"1"}`)
	v1.want(`{"topic":"room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}`)
	c.join("room:1")
	for _, payload := range []any{phx.Binary{1}, nil} {
		if err := ep.Broadcast("room:1", "b", payload); err != nil {
			t.Fatalf("Broadcast(%v): %v", payload, err)
		}
	}
	if f := c.next(); f.Op != ws.OpBinary || string(f.Payload) != "\x02\x06\x01room:1b\x01" {
		t.Errorf("got opcode %#x and %q, want the binary broadcast", f.Op, f.Payload)
	}
	c.want(`[null,null,"room:1","b",{}]`)
	v1.want(`{"topic":"room:1","event":"b","payload":{},"ref":null}`)
}

// A message that could not be sent to any client is the publisher's error, and no one
// gets it.
func TestBroadcastErrors(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{}})
	c := dial(t, ep)
	c.join("room:1")
	if err := ep.Broadcast("room:1", "e", []int{1}); !errors.Is(err, wire.ErrPayloadNotMap) {
		t.Errorf("Broadcast of a list = %v, want %v", err, wire.ErrPayloadNotMap)
	}
	if err := ep.Broadcast("room:1", strings.Repeat("e", 256), phx.Binary{1}); !errors.Is(err, wire.ErrFieldTooLong) {
		t.Errorf("binary Broadcast of a long event = %v, want %v", err, wire.ErrFieldTooLong)
	}
	if err := ep.Broadcast("room:1", "e", make(chan int)); err == nil {
		t.Error("Broadcast of a Go channel = nil, want an error")
	}
	c.heartbeat()
	c.say(`["1","2","room:1","phx_leave",{}]`)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room:1","phx_close",{}]`)
}

// An intercepted event passes Out once for every subscriber, which may change or
// drop it; others do not, nor do pushes. BroadcastFrom skips the sender still.
func TestIntercept(t *testing.T) {
	room := talkRoom()
	room.Join = func(ch *phx.Channel, p phx.Payload) (any, error) {
		var in struct{ Name string }
		err := p.Decode(&in)
		ch.Assign("name", in.Name)
		return nil, err
	}
	room.Intercept = []string{"said", "told"}
	room.Out = func(ch *phx.Channel, event string, p phx.Payload) error {
		if ch.Value("name") == "deaf" {
			return nil
		}
		return ch.Push("heard", map[string]any{"event": event, "by": ch.Value("name"), "what": p})
	}
	ep := start(t, phx.Route{Pattern: "room:*", Type: room})
	join := func(name string) *client {
		c := dial(t, ep)
		c.say(fmt.Sprintf(`["1","1","room:1","phx_join",{"name":%q}]`, name))
		c.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
		return c
	}
	ann, bob, deaf := join("ann"), join("bob"), join("deaf")
	ann.say(`["1","2","room:1","say",{"n":1}]`)
	ann.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1",null,"room:1","heard",{"event":"said","by":"ann","what":{"n":1}}]`)
	bob.want(`["1",null,"room:1","heard",{"event":"said","by":"bob","what":{"n":1}}]`)
	ann.say(`["1","3","room:1","tell",{"n":2}]`)
	ann.want(`["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`)
	bob.want(`["1",null,"room:1","heard",{"event":"told","by":"bob","what":{"n":2}}]`)
	if err := ep.Broadcast("room:1", "plain", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{ann, bob, deaf} {
		c.want(`[null,null,"room:1","plain",{}]`)
	}
}

// Out cannot leave broadcasts out because it is slow: the connection is closed,
// alone.
func TestInterceptTooSlow(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", MailboxMax: 2,
		Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{
			Intercept: []string{"e"},
			Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
				ch.Assign("slow", string(p.JSON()) != "{}")
				return nil, nil
			},
			Out: func(ch *phx.Channel, event string, p phx.Payload) error {
				if ch.Value("slow") == true {
					g.pass()
				}
				return ch.Push(event, p)
			},
		}}},
	}}})
	defer close(g.open)
	slow, fast := dial(t, ep), dial(t, ep)
	fast.join("room:1")
	slow.say(`["1","1","room:1","phx_join",{"slow":true}]`)
	slow.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
	for i := range 5 {
		if err := ep.Broadcast("room:1", "e", map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
		fast.want(fmt.Sprintf(`["1",null,"room:1","e",{"n":%d}]`, i))
		if i == 0 {
			within(t, "call of Out", g.entered)
		}
	}
	slow.wantEOF()
	fast.heartbeat()
}

// A topic too large for a publisher to serve itself: every subscriber gets what
// one publisher says in order and once.
func TestLargeTopic(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: talkRoom()})
	clients := make([]*client, 300)
	for i := range clients {
		clients[i] = dial(t, ep)
		clients[i].join("room:1")
	}
	const n = 50
	for i := range n {
		clients[0].say(fmt.Sprintf(`["1","%d","room:1","say",{"n":%d}]`, i, i))
	}
	for i := range n {
		clients[0].want(fmt.Sprintf(`[null,null,"room:1","said",{"n":%d}]`, i),
			fmt.Sprintf(`["1","%d","room:1","phx_reply",{"status":"ok","response":{}}]`, i))
	}
	for _, c := range clients[1:] {
		for i := range n {
			c.want(fmt.Sprintf(`[null,null,"room:1","said",{"n":%d}]`, i))
		}
	}
	for _, c := range clients {
		c.heartbeat()
	}
}

// A client that does not read is closed once more than OutboundMax waits for it;
// it is counted, and the others get everything.
func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	ep := startConfig(t, phx.Config{OutboundMax: 64 << 10, SendBuffer: 4 << 10, Mounts: []phx.Mount{{
		Path:   "/socket",
		Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{}}},
	}}})
	slow, good := dial(t, ep), dial(t, ep)
	slow.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	slow.join("room:1")
	good.join("room:1")
	text := strings.Repeat("x", 16<<10)
	sent := 0
	for ep.Stats().SlowConsumers == 0 {
		if sent++; sent > 2000 {
			t.Fatal("32 MB were sent to a client that does not read")
		}
		if err := ep.Broadcast("room:1", "e", map[string]any{"n": sent, "text": text}); err != nil {
			t.Fatal(err)
		}
		good.want(fmt.Sprintf(`[null,null,"room:1","e",{"n":%d,"text":%q}]`, sent, text))
	}
	eventually(t, "the slow one is gone", func() bool { return ep.Stats().Connections == 1 })
	good.heartbeat()
	want := phx.Stats{Connections: 1, Sockets: 1, Channels: 1, SlowConsumers: 1}
	eventually(t, fmt.Sprintf("stats are %+v", want), func() bool { return ep.Stats() == want })
	if n := ep.Subscribers("room:1"); n != 1 {
		t.Errorf("%d subscribers, want 1", n)
	}
}
