package phxtest_test

import (
	"encoding/json"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// echo pushes, broadcasts and replies what it gets.
var echo = phx.ChannelType{In: phx.Events{
	"echo": func(ch *phx.Channel, p phx.Payload) (any, error) {
		if err := ch.Push("pushed", p); err != nil {
			return nil, err
		}
		return p, ch.Broadcast("broadcast", p)
	},
}}

func TestPayloadsAreComparedAsJSON(t *testing.T) {
	type pair struct {
		A int     `json:"a"`
		B []int64 `json:"b"`
	}
	sent := pair{1, []int64{1 << 60}}
	for name, want := range map[string]any{
		"struct": sent,
		"map":    map[string]any{"b": []any{1 << 60}, "a": 1},
		"text":   json.RawMessage(`{ "b": [1152921504606846976], "a": 1 }`),
		"any":    phxtest.Any,
		"where":  phxtest.Where(func(p pair) bool { return p.A == 1 && p.B[0] == 1<<60 }),
	} {
		t.Run(name, func(t *testing.T) {
			room := connect(t, serve(t, "room:*", echo)).Join("room:1", nil)
			room.Push("echo", sent).ExpectReply("ok", want)
			room.ExpectPush("pushed", want)
			room.ExpectBroadcast("broadcast", want)
			room.ExpectNothing()
		})
	}
}

func TestNilIsTheEmptyObject(t *testing.T) {
	room := connect(t, serve(t, "room:*", echo)).Join("room:1", nil)
	reply := room.Push("echo", nil).ExpectReply("ok", nil)
	if got := string(reply.JSON); got != "{}" {
		t.Errorf("reply %s, want {}", got)
	}
}

func TestBinary(t *testing.T) {
	room := connect(t, serve(t, "room:*", echo)).Join("room:1", phx.Binary{1})
	for _, payload := range []phx.Binary{{0, 255}, {}} {
		reply := room.Push("echo", payload).ExpectReply("ok", payload)
		if reply.Binary == nil || reply.JSON != nil {
			t.Errorf("reply %v has Binary %v and JSON %s", reply, reply.Binary, reply.JSON)
		}
		room.ExpectPush("pushed", payload)
		room.ExpectBroadcast("broadcast", payload)
	}
	room.ExpectNothing()
}

func TestVersion1(t *testing.T) {
	ep := serve(t, "room:*", echo)
	c := phxtest.Dialer{Version: "1.0.0"}.Connect(t, ep, "/socket", nil)
	c.JoinError("other:1", nil, map[string]any{"reason": "unmatched topic"})
	room := c.Join("room:1", nil)
	payload := map[string]any{"a": 1}
	room.Push("echo", payload).ExpectReply("ok", payload)
	room.ExpectPush("pushed", payload)
	room.ExpectBroadcast("broadcast", payload)
	room.RefutePush("pushed", phxtest.Any)
	room.Leave()
	c.Close()
}

func TestExpectationsInAnyOrder(t *testing.T) {
	c := connect(t, serve(t, "room:*", echo))
	a, b := c.Join("room:a", nil), c.Join("room:b", nil)
	first, second := a.Push("echo", map[string]any{"n": 1}), b.Push("echo", map[string]any{"n": 2})
	b.ExpectBroadcast("broadcast", map[string]any{"n": 2})
	second.ExpectReply("ok", map[string]any{"n": 2})
	a.ExpectPush("pushed", map[string]any{"n": 1})
	first.ExpectReply("ok", map[string]any{"n": 1})
	a.RefutePush("pushed", phxtest.Any) // taken
	a.ExpectPush("broadcast", phxtest.Any)
	a.ExpectNothing()
}

func TestNextKeepsTheOrder(t *testing.T) {
	room := connect(t, serve(t, "room:*", echo)).Join("room:1", nil)
	room.Push("echo", nil)
	for _, want := range []string{`push "pushed" {}`, `broadcast "broadcast" {}`, `reply "ok" {}`} {
		if got := room.Next().String(); got != want {
			t.Errorf("Next() = %s, want %s", got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	room := connect(t, serve(t, "room:*", echo)).Join("room:1", nil)
	type point struct{ X, Y int }
	reply := room.Push("echo", point{1, 2}).ExpectReply("ok", phxtest.Any)
	if got := phxtest.Decode[point](reply); got != (point{1, 2}) {
		t.Errorf("Decode(%v) = %v, want {1 2}", reply, got)
	}
}

func TestSeveralReplies(t *testing.T) {
	room := connect(t, serve(t, "room:*", phx.ChannelType{In: phx.Events{
		"upload": func(ch *phx.Channel, _ phx.Payload) (any, error) {
			if err := ch.Ref().Reply(phx.Reply{Status: "progress"}); err != nil {
				return nil, err
			}
			return "done", nil
		},
	}})).Join("room:1", nil)
	upload := room.Push("upload", nil)
	upload.ExpectReply("progress", nil)
	upload.ExpectReply("ok", "done")
}

func TestSubscribeHearsWhatNobodyJoined(t *testing.T) {
	ep := serve(t, "room:*", phx.ChannelType{In: phx.Events{
		"typing": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.BroadcastFrom("typing", p) },
	}})
	others, elsewhere := phxtest.Subscribe(t, ep, "room:1"), phxtest.Subscribe(t, ep, "users:ann")
	room := connect(t, ep).Join("room:1", nil)
	room.Push("typing", nil)
	others.ExpectBroadcast("typing", nil)
	elsewhere.RefuteBroadcast("typing", phxtest.Any)
	if err := ep.Broadcast("users:ann", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	elsewhere.ExpectBroadcast("disconnect", nil)
}

func TestRejoin(t *testing.T) {
	c := connect(t, serve(t, "room:*", echo))
	old := c.Join("room:1", nil)
	room := c.Join("room:1", nil)
	room.ExpectNothing()
	old.ExpectClose()
	room.Push("echo", nil).ExpectReply("ok", nil)
	if late := old.Push("echo", nil); failure(t, func(testing.TB) { late.RefuteReply() }) != "" {
		t.Error("a reply for the old join")
	}
}
