package phx_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// latin1 is a value whose JSON is not UTF-8, as of a file that was read and sent.
type latin1 struct{}

func (latin1) MarshalJSON() ([]byte, error) { return []byte("{\"x\":\"\xe4\"}"), nil }

var notUTF8 = map[string]any{
	"RawMessage":  json.RawMessage("{\"x\":\"\xe4\"}"),
	"MarshalJSON": latin1{},
	"inside":      map[string]any{"a": []any{latin1{}}},
}

// gateRoom does what it is told to by the payload, with the given payload.
func gateRoom(bad any, result chan<- error) *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			if ch.Topic() == "bad" {
				return bad, nil
			}
			return nil, nil
		},
		In: phx.Events{
			"push":  func(ch *phx.Channel, _ phx.Payload) (any, error) { result <- ch.Push("e", bad); return nil, nil },
			"event": func(ch *phx.Channel, _ phx.Payload) (any, error) { result <- ch.Push("\xff", nil); return nil, nil },
			"reply": func(ch *phx.Channel, _ phx.Payload) (any, error) { result <- ch.Ref().Reply(bad); return nil, nil },
			"status": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				result <- ch.Ref().Reply(phx.Reply{Status: "\xff"})
				return nil, nil
			},
			"return": func(ch *phx.Channel, _ phx.Payload) (any, error) { return bad, nil },
		},
	}
}

// Browsers hang up at text that is not UTF-8. So it is an error of the sender, and no one
// gets it, by whatever way it leaves.
func TestNotUTF8IsThePublishersError(t *testing.T) {
	for name, bad := range notUTF8 {
		t.Run(name, func(t *testing.T) {
			result := make(chan error, 1)
			ep := start(t, phx.Route{Pattern: "*", Type: gateRoom(bad, result)})
			c := dial(t, ep)
			c.join("room")
			for way, err := range map[string]error{
				"Broadcast":         ep.Broadcast("room", "e", bad),
				"LocalBroadcast":    ep.LocalBroadcast("room", "e", bad),
				"BroadcastTo":       ep.BroadcastTo("", "room", "e", bad),
				"event":             ep.Broadcast("room", "\xff", nil),
				"event of a binary": ep.Broadcast("room", "\xff", phx.Binary{1}),
				"topic":             ep.Broadcast("room\xff", "e", nil),
			} {
				if !errors.Is(err, wire.ErrNotUTF8) {
					t.Errorf("%s = %v, want %v", way, err, wire.ErrNotUTF8)
				}
			}
			for _, way := range []string{"push", "event", "reply", "status"} {
				c.say(`["1","2","room","` + way + `",{}]`)
				if err := within(t, way, result); !errors.Is(err, wire.ErrNotUTF8) {
					t.Errorf("%s = %v, want %v", way, err, wire.ErrNotUTF8)
				}
			}
			c.heartbeat() // and nothing before its answer
			c.say(`["1","2","room","return",{}]`)
			c.want(`["1","1","room","phx_error",{"reason":"channel_crash"}]`)
			c.say(`["9","9","bad","phx_join",{}]`)
			c.want(`["9","9","bad","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`)
			c.heartbeat()
		})
	}
}

// Raw sockets are no way past the gate, and neither is the reason of a Close.
func TestRawNotUTF8(t *testing.T) {
	result := make(chan error, 1)
	ep := startRaw(t, phx.Mount{Raw: &phx.RawType{In: func(s *phx.RawSocket, _ []byte, binary bool) error {
		if result <- s.Push([]byte("\xff"), binary); binary {
			return &phx.CloseError{Code: 4000, Reason: "\xff"}
		}
		return nil
	}}})
	c := dialAt(t, ep, "/raw/websocket")
	c.send(ws.OpText, []byte("x"))
	if err := within(t, "Push", result); !errors.Is(err, wire.ErrNotUTF8) {
		t.Errorf("Push = %v, want %v", err, wire.ErrNotUTF8)
	}
	c.send(ws.OpBinary, []byte("x"))
	if err := within(t, "binary Push", result); err != nil {
		t.Error(err)
	}
	if f := c.next(); f.Op != ws.OpBinary || string(f.Payload) != "\xff" {
		t.Errorf("got opcode %#x and %q", f.Op, f.Payload)
	}
	c.wantClosed(4000)
}

func TestMaxPayload(t *testing.T) {
	result := make(chan error, 1)
	big := map[string]string{"x": strings.Repeat("x", 1000)}
	ep := startConfig(t, phx.Config{MaxPayload: 1000, Mounts: []phx.Mount{
		{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: gateRoom(big, result)}}},
		{Path: "/raw", Raw: &phx.RawType{In: func(s *phx.RawSocket, data []byte, _ bool) error {
			result <- s.Push(make([]byte, 1001), true)
			return s.Push(make([]byte, 1000), true)
		}}},
	}})
	c := dial(t, ep)
	c.join("room")
	for way, err := range map[string]error{
		"Broadcast":  ep.Broadcast("room", "e", big),
		"binary":     ep.Broadcast("room", "e", make(phx.Binary, 996)),
		"long event": ep.Broadcast("room", strings.Repeat("e", 1000), nil),
	} {
		if !errors.Is(err, phx.ErrTooLarge) {
			t.Errorf("%s = %v, want %v", way, err, phx.ErrTooLarge)
		}
	}
	for _, way := range []string{"push", "reply"} {
		c.say(`["1","2","room","` + way + `",{}]`)
		if err := within(t, way, result); !errors.Is(err, phx.ErrTooLarge) {
			t.Errorf("%s = %v, want %v", way, err, phx.ErrTooLarge)
		}
	}
	if err := ep.Broadcast("room", "e", make(phx.Binary, 995)); err != nil {
		t.Errorf("Broadcast of 1000 bytes with its names = %v", err)
	}
	if f := c.next(); len(f.Payload) < 995 {
		t.Errorf("got %d bytes", len(f.Payload))
	}
	raw := dialAt(t, ep, "/raw/websocket")
	raw.send(ws.OpText, []byte("x"))
	if err := within(t, "Push", result); !errors.Is(err, phx.ErrTooLarge) {
		t.Errorf("Push = %v, want %v", err, phx.ErrTooLarge)
	}
	if f := raw.next(); len(f.Payload) != 1000 {
		t.Errorf("got %d bytes, want 1000", len(f.Payload))
	}
}

// A foreigner is an adapter that brings what the test says.
type foreigner struct{ deliver func(*pubsub.Message) error }

func (f *foreigner) Start(deliver func(*pubsub.Message) error, _ func(pubsub.Gap)) error {
	f.deliver = deliver
	return nil
}
func (f *foreigner) Broadcast(*pubsub.Message) error    { return nil }
func (f *foreigner) Send(string, *pubsub.Message) error { return pubsub.ErrUnknownNode }
func (f *foreigner) Node() string                       { return "here" }
func (f *foreigner) Stats() pubsub.AdapterStats         { return pubsub.AdapterStats{} }
func (f *foreigner) Close()                             {}

// What another node sends is not trusted either: what clients could not read is
// dropped, and its adapter told so.
func TestBroadcastsOfABrokenNode(t *testing.T) {
	other := new(foreigner)
	ep := startConfig(t, phx.Config{Adapter: other, MaxPayload: 1000, Mounts: []phx.Mount{{
		Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}}})
	c, v1 := dial(t, ep), dialAt(t, ep, "/socket/websocket")
	c.join("a")
	v1.say(`{"topic":"a","event":"phx_join","payload":{},"ref":"1"}`)
	v1.want(`{"topic":"a","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}`)
	for _, m := range []*pubsub.Message{
		{Topic: "a", Event: "e", Payload: []byte("{\"x\":\"\xff\"}")},
		{Topic: "a", Event: "e\xff", Payload: []byte("{}")},
		{Topic: "a", Event: "e", Payload: []byte(`{}]`)},
		{Topic: "a", Event: "e", Payload: []byte(`{"x":`)},
		{Topic: "a", Event: "e", Payload: []byte(`[]`)},
		{Topic: "a", Event: "e", Payload: []byte{0, 0xff}}, // a binary one whose flag was lost
		{Topic: "a", Event: "e", Payload: make([]byte, 1000), Binary: true},
		{Topic: "a", Event: strings.Repeat("e", 256), Payload: []byte{1}, Binary: true},
	} {
		if err := other.deliver(m); !errors.Is(err, pubsub.ErrInvalid) {
			t.Errorf("deliver(%q %.300q) = %v, want %v", m.Event, m.Payload, err, pubsub.ErrInvalid)
		}
	}
	for _, event := range []string{"good", "empty"} {
		payload := map[string]string{"good": `{"x":1}`}[event]
		if err := other.deliver(&pubsub.Message{Topic: "a", Event: event, Payload: []byte(payload)}); err != nil {
			t.Error(err)
		}
	}
	c.want(`[null,null,"a","good",{"x":1}]`, `[null,null,"a","empty",{}]`)
	v1.want(`{"topic":"a","event":"good","payload":{"x":1},"ref":null}`, `{"topic":"a","event":"empty","payload":{},"ref":null}`)
}
