package phx_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// Messages of one channel are handled in the order in which they came.
func TestOrder(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", MailboxMax: 5000,
		Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{"echo": echo}}}},
	}}})
	c := dial(t, ep)
	c.join("a")
	var texts []string
	for i := range 3000 {
		texts = append(texts, fmt.Sprintf(`["1",%d,"a","echo",%d]`, i, i))
	}
	c.say(texts...)
	for i := range texts {
		c.want(fmt.Sprintf(`["1",%d,"a","phx_reply",{"status":"ok","response":%d}]`, i, i))
	}
}

// Callbacks that block every worker delay neither heartbeats nor broadcasts.
func TestBlockedWorkers(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{Workers: 1, Mounts: []phx.Mount{{
		Path:   "/socket",
		Routes: []phx.Route{{Pattern: "room:*", Type: slowRoom(g, make(chan phx.Reason, 10))}},
	}}})
	c, other := dial(t, ep), dial(t, ep)
	c.join("room:1")
	other.join("room:1")
	c.say(`["1","2","room:1","block",{}]`)
	within(t, "call of the handler", g.entered)
	for range 3 {
		c.heartbeat()
		other.heartbeat()
		if err := ep.Broadcast("room:1", "news", nil); err != nil {
			t.Fatal(err)
		}
		c.want(`[null,null,"room:1","news",{}]`)
		other.want(`[null,null,"room:1","news",{}]`)
	}
	close(g.open)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`)
}

// A mailbox is full of few messages, too, if they are large.
func TestMailboxBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds: it is about the bytes of large messages")
	}
	g := newGate()
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{
		"block": func(*phx.Channel, phx.Payload) (any, error) { g.pass(); return nil, nil },
		"len":   func(_ *phx.Channel, p phx.Payload) (any, error) { return len(p.JSON()), nil },
	}}})
	c := dial(t, ep)
	c.join("room:1")
	c.say(`["1","2","room:1","block",{}]`)
	within(t, "call of the handler", g.entered)
	large := strings.Repeat("x", 5_999_998)
	for i := 3; i <= 6; i++ {
		c.say(fmt.Sprintf(`["1","%d","room:1","len",%q]`, i, large))
	}
	c.want(`["1","6","room:1","phx_reply",{"status":"error","response":{"reason":"overloaded"}}]`)
	close(g.open)
	for i := 3; i <= 5; i++ {
		c.want(fmt.Sprintf(`["1","%d","room:1","phx_reply",{"status":"ok","response":6000000}]`, i))
	}
	c.say(`["1","7","room:1","len",7]`)
	c.want(`["1","7","room:1","phx_reply",{"status":"ok","response":1}]`)
}

// All of a message counts: a client may make any part of it the large one.
func TestMailboxCountsAllParts(t *testing.T) {
	g := newGate()
	var ch *phx.Channel
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Joined: func(c *phx.Channel, _ phx.Payload) error { ch = c; g.pass(); return nil },
		Event:  func(*phx.Channel, string, phx.Payload) (any, error) { return nil, nil },
	}})
	c := dial(t, ep)
	topic, joinRef, long := "t"+strings.Repeat("o", 200), strings.Repeat("j", 200), strings.Repeat("x", 200)
	c.say(fmt.Sprintf(`["%s","1","%s","phx_join",{}]`, joinRef, topic))
	within(t, "call of Joined", g.entered)
	const n = 10
	for range n {
		c.say(fmt.Sprintf(`["%s","%s","%s","%s",{"a":"%s"}]`, joinRef, long, topic, long, long))
	}
	eventually(t, "all parts of all messages count", func() bool { return ch.MailboxBytes() >= n*5*200 })
	if got := ch.MailboxBytes(); got > n*(5*200+300) {
		t.Errorf("%d messages of 1 kB count as %d bytes", n, got)
	}
	close(g.open)
	eventually(t, "nothing counts any more", func() bool { return ch.MailboxBytes() == 0 })
}

// What a full mailbox does not take is answered; the channel lives on.
func TestMailboxFull(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", MailboxMax: 2,
		Routes: []phx.Route{{Pattern: "room:*", Type: slowRoom(g, make(chan phx.Reason, 10))}},
	}}})
	c := dial(t, ep)
	c.join("room:1")
	c.say(`["1","2","room:1","block",{}]`)
	within(t, "call of the handler", g.entered)
	for i := 3; i <= 6; i++ {
		c.say(fmt.Sprintf(`["1","%d","room:1","echo",%d]`, i, i))
	}
	c.want(`["1","5","room:1","phx_reply",{"status":"error","response":{"reason":"overloaded"}}]`,
		`["1","6","room:1","phx_reply",{"status":"error","response":{"reason":"overloaded"}}]`)
	close(g.open)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1","3","room:1","phx_reply",{"status":"ok","response":3}]`,
		`["1","4","room:1","phx_reply",{"status":"ok","response":4}]`)
	c.say(`["1","7","room:1","echo",7]`)
	c.want(`["1","7","room:1","phx_reply",{"status":"ok","response":7}]`)
}

// A channel that crashes takes nothing else with it, and can be joined again.
func TestCrashIsolation(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: transcriptRoom()})
	c, other := dial(t, ep), dial(t, ep)
	c.join("room:1")
	c.join("room:2")
	other.join("room:1")
	c.say(`["1","2","room:1","crash",{}]`)
	c.want(`["1","1","room:1","phx_error",{"reason":"channel_crash"}]`)
	if n := ep.Subscribers("room:1"); n != 1 {
		t.Errorf("%d subscribers after the crash, want the other", n)
	}
	c.say(`["1","3","room:2","echo",{}]`)
	c.want(`["1","3","room:2","phx_reply",{"status":"ok","response":{}}]`)
	other.say(`["1","4","room:1","echo",{}]`)
	other.want(`["1","4","room:1","phx_reply",{"status":"ok","response":{}}]`)
	c.join("room:1")
}

// panicky is a value that JSON cannot be made of.
type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("as told") }

// Whatever is wrong with what a handler gives, the channel ends in order.
func TestHandlerMistakes(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			switch ch.Topic() {
			case "room:panicky":
				return panicky{}, nil
			case "room:refused":
				return nil, &phx.ReplyError{Response: panicky{}}
			}
			return nil, nil
		},
		In: phx.Events{
			"push a list":      func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Push("e", []int{1}) },
			"broadcast a list": func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Broadcast("e", []int{1}) },
			"unencodable":      func(*phx.Channel, phx.Payload) (any, error) { return make(chan int), nil },
			"panicky":          func(*phx.Channel, phx.Payload) (any, error) { return panicky{}, nil },
			"panicky refusal":  func(*phx.Channel, phx.Payload) (any, error) { return nil, &phx.ReplyError{Response: panicky{}} },
			"long status": func(*phx.Channel, phx.Payload) (any, error) {
				return phx.Reply{Status: strings.Repeat("s", 256), Response: phx.Binary{1}}, nil
			},
			"error": func(*phx.Channel, phx.Payload) (any, error) { return nil, errors.New("as told") },
			"nil":   nil,
		},
	}})
	c := dial(t, ep)
	for _, event := range []string{"push a list", "broadcast a list", "unencodable", "panicky", "panicky refusal", "long status", "error", "nil"} {
		t.Run(event, func(t *testing.T) {
			c := dial(t, ep)
			c.join("room:1")
			c.say(fmt.Sprintf(`["1","2","room:1",%q,{}]`, event))
			c.want(`["1","1","room:1","phx_error",{"reason":"channel_crash"}]`)
			c.join("room:1")
		})
	}
	for _, topic := range []string{"room:panicky", "room:refused"} {
		c.say(fmt.Sprintf(`["1","2",%q,"phx_join",{}]`, topic))
		c.want(fmt.Sprintf(`["1","2",%q,"phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`, topic))
	}
}

// Terminate is called once, with the reason, however a joined channel ends.
func TestTerminate(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*phx.Endpoint, *client)
		want phx.Reason
	}{
		{"leave", func(_ *phx.Endpoint, c *client) { c.say(`["1","2","room:1","phx_leave",{}]`) }, phx.Left},
		{"leave twice", func(_ *phx.Endpoint, c *client) {
			c.say(`["1","2","room:1","phx_leave",{}]`, `["1","3","room:1","phx_leave",{}]`)
		}, phx.Left},
		{"stop", func(_ *phx.Endpoint, c *client) { c.say(`["1","2","room:1","stop",{"reason":"normal"}]`) }, phx.Normal},
		{"stop for another reason", func(_ *phx.Endpoint, c *client) { c.say(`["1","2","room:1","stop",{"reason":"tired"}]`) }, "tired"},
		{"stop in Info", func(_ *phx.Endpoint, c *client) { c.say(`["1","2","room:1","stop in Info",{}]`) }, phx.Shutdown},
		{"stop in Out", func(_ *phx.Endpoint, c *client) { c.say(`["1","2","room:1","stop in Out",{}]`) }, "out"},
		{"crash", func(_ *phx.Endpoint, c *client) { c.say(`["1","2","room:1","crash",{}]`) }, phx.Crash},
		{"duplicate join", func(_ *phx.Endpoint, c *client) { c.say(`["2","2","room:1","phx_join",{"deaf":true}]`) }, phx.Duplicate},
		{"FIN", func(_ *phx.Endpoint, c *client) { c.hangUp(false) }, phx.Closed},
		{"RST", func(_ *phx.Endpoint, c *client) { c.hangUp(true) }, phx.Closed},
		{"Close frame", func(_ *phx.Endpoint, c *client) { c.send(ws.OpClose, closeFrame(1000)); c.hangUp(false) }, phx.Closed},
		{"malformed message", func(_ *phx.Endpoint, c *client) { c.say(`{`); c.wantClosed(1011); c.hangUp(false) }, phx.Closed},
		{"disconnect", func(ep *phx.Endpoint, c *client) {
			_ = ep.Broadcast("users:1", "disconnect", nil)
			c.wantClosed(1001)
			c.hangUp(false)
		}, phx.Disconnected},
		{"Socket.Close", func(_ *phx.Endpoint, c *client) {
			c.say(`["1","2","room:1","close the socket",{}]`)
			c.wantClosed(1001)
			c.hangUp(false)
		}, phx.Disconnected},
		{"shutdown", func(ep *phx.Endpoint, c *client) {
			go func() { c.tryNext(); c.hangUp(false) }() // ends with the connection
			shutdown(c.t, ep)
		}, phx.Draining},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ended := make(chan phx.Reason, 10)
			ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
				Path: "/socket", Connect: setID("users:1"),
				Routes: []phx.Route{{Pattern: "room:*", Type: endingRoom(ended)}},
			}}})
			c := dial(t, ep)
			c.join("room:1")
			tt.end(ep, c)
			if why := within(t, "Terminate", ended); why != tt.want {
				t.Errorf("Terminate(%q), want %q", why, tt.want)
			}
			c.hangUp(false)
			eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
			shutdown(t, ep)
			if n := len(ended); n != 0 {
				t.Errorf("Terminate was called %d more times, with %q", n, <-ended)
			}
		})
	}
}

// endingRoom is transcriptRoom with more ways to end, and says why it does. Those
// who join deaf are refused.
func endingRoom(ended chan<- phx.Reason) *phx.ChannelType {
	room := transcriptRoom()
	room.Join = func(_ *phx.Channel, p phx.Payload) (any, error) {
		if string(p.JSON()) != "{}" {
			return nil, phx.Errorf("deaf")
		}
		return nil, nil
	}
	room.In["stop in Info"] = func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Send("stop") }
	room.In["stop in Out"] = func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("icept", p) }
	room.In["close the socket"] = func(ch *phx.Channel, _ phx.Payload) (any, error) { ch.Socket().Close(); return nil, nil }
	room.Info = func(*phx.Channel, any) error { return phx.Stop(phx.Shutdown) }
	room.Out = func(*phx.Channel, string, phx.Payload) error { return phx.Stop("out") }
	room.Terminate = func(_ *phx.Channel, why phx.Reason) { ended <- why }
	return room
}

// A Terminate that panics is contained like any other callback.
func TestTerminatePanics(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{Terminate: func(*phx.Channel, phx.Reason) { panic("as told") }}})
	c := dial(t, ep)
	c.join("room:1")
	c.leave("room:1")
	c.join("room:1")
	c.say(`["2","2","room:1","phx_join",{}]`)
	c.want(`["2","2","room:1","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room:1","phx_close",{}]`)
}

// A channel sees its own values first, then its route's, then its socket's, and
// never another channel's.
func TestAssigns(t *testing.T) {
	room := &phx.ChannelType{In: phx.Events{
		"assign": func(ch *phx.Channel, _ phx.Payload) (any, error) { ch.Assign("a", "channel"); return nil, nil },
		"values": func(ch *phx.Channel, _ phx.Payload) (any, error) {
			return []any{ch.Value("a"), ch.Value("b"), ch.Value("c"), ch.Value("d"), ch.Socket().Value("a"), ch.Socket().ID()}, nil
		},
	}}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket",
		Connect: func(s *phx.Socket, _ phx.Params, _ *http.Request) error {
			for _, key := range []string{"a", "b", "c"} {
				s.Assign(key, "socket")
			}
			return nil
		},
		Routes: []phx.Route{{Pattern: "room:*", Type: room, Assigns: map[string]any{"a": "route", "b": "route"}}},
	}}})
	c := dial(t, ep)
	c.join("room:1")
	c.join("room:2")
	c.say(`["1","2","room:1","assign",{}]`, `["1","3","room:1","values",{}]`)
	c.want(`["1","3","room:1","phx_reply",{"status":"ok","response":["channel","route","socket",null,"socket",""]}]`)
	c.say(`["1","4","room:2","values",{}]`)
	c.want(`["1","4","room:2","phx_reply",{"status":"ok","response":["route","route","socket",null,"socket",""]}]`)
}

// A message can be answered after its handler has returned, from anywhere, more
// than once, and with any result.
func TestRef(t *testing.T) {
	refs := make(chan phx.Ref, 1)
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{
		"later": func(ch *phx.Channel, _ phx.Payload) (any, error) { refs <- ch.Ref(); return nil, nil },
	}}})
	c := dial(t, ep)
	c.join("room:1")
	c.say(`["1",7,"room:1","later",{}]`)
	ref := within(t, "Ref", refs)
	c.heartbeat()
	for _, tt := range []struct {
		result any
		want   string
	}{
		{nil, `{"status":"ok","response":{}}`},
		{[]int{1}, `{"status":"ok","response":[1]}`},
		{phx.Reply{Status: "error", Response: "no"}, `{"status":"error","response":"no"}`},
	} {
		if err := ref.Reply(tt.result); err != nil {
			t.Fatalf("Reply(%v): %v", tt.result, err)
		}
		c.want(`["1",7,"room:1","phx_reply",` + tt.want + `]`)
	}
	for _, result := range []any{make(chan int), panicky{}} {
		if err := ref.Reply(result); err == nil {
			t.Errorf("Reply(%T) = nil, want an error", result)
		}
	}
	c.hangUp(false)
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
	if err := ref.Reply(nil); !errors.Is(err, phx.ErrClosed) {
		t.Errorf("Reply on a lost connection = %v, want %v", err, phx.ErrClosed)
	}
}

// Send says when a channel cannot take more, and when there is none any more.
func TestSend(t *testing.T) {
	g := newGate()
	channels := make(chan *phx.Channel, 1)
	infos := make(chan any, 10)
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", MailboxMax: 2,
		Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{
			Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
				channels <- ch
				if ch.Topic() == "room:refused" {
					return nil, phx.Errorf("no")
				}
				return nil, nil
			},
			In:   phx.Events{"block": func(*phx.Channel, phx.Payload) (any, error) { g.pass(); return nil, nil }},
			Info: func(_ *phx.Channel, msg any) error { infos <- msg; return nil },
		}}},
	}}})
	c := dial(t, ep)
	c.join("room:1")
	ch := within(t, "Join", channels)
	c.say(`["1","2","room:1","block",{}]`)
	within(t, "call of the handler", g.entered)
	for i, want := range []error{nil, nil, phx.ErrMailboxFull} {
		if err := ch.Send(i); !errors.Is(err, want) {
			t.Errorf("Send(%d) = %v, want %v", i, err, want)
		}
	}
	close(g.open)
	for i := range 2 {
		if msg := within(t, "Info", infos); msg != i {
			t.Errorf("Info(%v), want %d", msg, i)
		}
	}
	c.say(`["1","3","room:refused","phx_join",{}]`)
	c.want(`["1","3","room:refused","phx_reply",{"status":"error","response":{"reason":"no"}}]`)
	if err := within(t, "Join", channels).Send(3); !errors.Is(err, phx.ErrClosed) {
		t.Errorf("Send to a channel that was refused = %v, want %v", err, phx.ErrClosed)
	}
	c.leave("room:1")
	if err := ch.Send(3); !errors.Is(err, phx.ErrClosed) {
		t.Errorf("Send to a channel that was left = %v, want %v", err, phx.ErrClosed)
	}
	c.hangUp(false)
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
	if err := ch.Push("e", nil); !errors.Is(err, phx.ErrClosed) {
		t.Errorf("Push on a lost connection = %v, want %v", err, phx.ErrClosed)
	}
}

// Without callbacks a channel only relays broadcasts; Event takes what In does
// not name, and an Info without a handler is dropped.
func TestDefaults(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "bare:*", Type: &phx.ChannelType{}},
		phx.Route{Pattern: "any:*", Type: &phx.ChannelType{
			In: phx.Events{"known": echo},
			Event: func(ch *phx.Channel, event string, _ phx.Payload) (any, error) {
				return event, ch.Send("nobody wants it")
			},
		}},
		phx.Route{Pattern: "any:shadowed", Type: &phx.ChannelType{}})
	c := dial(t, ep)
	c.join("bare:1")
	c.say(`["1","2","bare:1","e",{}]`)
	c.want(`["1","1","bare:1","phx_error",{"reason":"channel_crash"}]`)
	c.join("any:shadowed")
	c.say(`["1","2","any:shadowed","known",[]]`, `["1","3","any:shadowed","new",{}]`, `["1","4","any:shadowed","known",4]`)
	c.want(`["1","2","any:shadowed","phx_reply",{"status":"ok","response":[]}]`,
		`["1","3","any:shadowed","phx_reply",{"status":"ok","response":"new"}]`,
		`["1","4","any:shadowed","phx_reply",{"status":"ok","response":4}]`)
}

// What a channel sends when it is over is refused, however it ended; only
// Terminate, and what it calls, may still say goodbye.
func TestSendWhenOver(t *testing.T) {
	for _, end := range []string{"leave", "stop", "crash"} {
		t.Run(end, func(t *testing.T) {
			refs, goodbyes := make(chan phx.Ref, 1), make(chan error, 1)
			channels := make(chan *phx.Channel, 1)
			ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
				In: phx.Events{
					"ref":  func(ch *phx.Channel, _ phx.Payload) (any, error) { channels <- ch; refs <- ch.Ref(); return nil, nil },
					"stop": func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Stop(phx.Normal) },
				},
				Terminate: func(ch *phx.Channel, _ phx.Reason) { goodbyes <- ch.Push("goodbye", nil) },
			}})
			c := dial(t, ep)
			c.join("room:1")
			c.say(`["1","2","room:1","ref",{}]`)
			ch, ref := within(t, "channel", channels), within(t, "Ref", refs)
			switch end {
			case "leave":
				c.leave("room:1")
			case "stop":
				c.say(`["1","3","room:1","stop",{}]`)
				c.want(`["1","1","room:1","phx_close",{}]`)
			case "crash":
				c.say(`["1","3","room:1","unknown",{}]`)
				c.want(`["1","1","room:1","phx_error",{"reason":"channel_crash"}]`)
			}
			c.want(`["1",null,"room:1","goodbye",{}]`)
			if err := within(t, "Terminate", goodbyes); err != nil {
				t.Errorf("Push in Terminate = %v", err)
			}
			eventually(t, "Push fails", func() bool { return errors.Is(ch.Push("late", nil), phx.ErrClosed) })
			if err := ref.Reply(nil); !errors.Is(err, phx.ErrClosed) {
				t.Errorf("Reply = %v, want %v", err, phx.ErrClosed)
			}
			c.heartbeat()
		})
	}
}

// JoinRef is the text of the ref, whatever its JSON type.
func TestJoinRef(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) { return ch.JoinRef(), nil },
	}})
	c := dial(t, ep)
	for ref, want := range map[string]string{`"3"`: "3", `7`: "7", `"\u00e9\""`: `é\"`} {
		c.say(`[` + ref + `,"2","a","phx_join",{}]`)
		c.want(`[` + ref + `,"2","a","phx_reply",{"status":"ok","response":"` + want + `"}]`)
		c.say(`[` + ref + `,"3","a","phx_leave",{}]`)
		c.message()
		c.message()
	}
	c.say(`[null,"2","a","phx_join",{}]`) // the join's own ref takes its place (spec §2.2)
	c.want(`[null,"2","a","phx_reply",{"status":"ok","response":"2"}]`)
}

// Value returns the value that is kept, a number as the type that is asked for. A value
// that cannot be one crashes the channel: a zero could be somebody's id.
func TestValueOfType(t *testing.T) {
	crashes := make(chan error, 1)
	ep := startConfig(t, phx.Config{
		Telemetry: &phx.Telemetry{Crashed: func(e phx.CrashEvent) { crashes <- e.Err }},
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Assigns: map[string]any{"n": int64(7), "nil": nil}, Type: &phx.ChannelType{
			Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
				return []any{
					phx.Value[int](ch, "n"), phx.Value[float64](ch, "n"), phx.Value[any](ch, "n"),
					phx.Value[*int](ch, "none"), phx.Value[string](ch, "nil"), phx.Value[int](ch.Socket(), "n"),
				}, nil
			},
			In: phx.Events{
				"text": func(ch *phx.Channel, _ phx.Payload) (any, error) { return phx.Value[string](ch, "n"), nil },
				"bool": func(ch *phx.Channel, _ phx.Payload) (any, error) { return phx.Value[bool](ch, "n"), nil },
			},
		}}}}},
	})
	c := dial(t, ep)
	for event, want := range map[string]string{"text": `the value kept under "n": int64 is no string`, "bool": "int64 is no bool"} {
		c.say(`["1","1","a","phx_join",{}]`)
		c.want(`["1","1","a","phx_reply",{"status":"ok","response":[7,7,7,null,"",0]}]`)
		c.say(`["1","2","a","` + event + `",{}]`)
		c.want(`["1","1","a","phx_error",{"reason":"channel_crash"}]`)
		if err := within(t, "crash", crashes); !strings.Contains(err.Error(), want) {
			t.Errorf("after %s the crash is %v, want %q", event, err, want)
		}
	}
}
