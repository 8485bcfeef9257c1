package phx_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// A leaver ends the goroutine that encodes it.
type leaver struct{}

func (leaver) MarshalJSON() ([]byte, error) { runtime.Goexit(); return nil, nil }

// leave is a callback that ends its goroutine.
func leave() error { runtime.Goexit(); return nil }

// A callback that calls runtime.Goexit is a crash of its channel, however often
// it happens: there is one worker, and it is not lost.
func TestGoexitIsCrash(t *testing.T) {
	ended := make(chan phx.Reason, 1)
	ep := startConfig(t, phx.Config{Workers: 1, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{
		{Pattern: "join", Type: &phx.ChannelType{Join: func(*phx.Channel, phx.Payload) (any, error) { return nil, leave() }}},
		{Pattern: "joined", Type: &phx.ChannelType{Joined: func(*phx.Channel, phx.Payload) error { return leave() }}},
		{Pattern: "room", Type: &phx.ChannelType{
			Info: func(*phx.Channel, any) error { return leave() },
			In: phx.Events{
				"leave":   func(*phx.Channel, phx.Payload) (any, error) { return nil, leave() },
				"marshal": func(*phx.Channel, phx.Payload) (any, error) { return leaver{}, nil },
				"push":    func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Push("e", leaver{}) },
				"info":    func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Send(1) },
			},
			Terminate: func(_ *phx.Channel, why phx.Reason) { ended <- why; leave() },
		}},
	}}}})
	c := dial(t, ep)
	for n := range 3 { // the channel is gone each time, and can be joined again
		c.say(fmt.Sprintf(`["1","%d","join","phx_join",{}]`, n))
		c.want(fmt.Sprintf(`["1","%d","join","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`, n))
		c.join("joined")
		c.want(`["1","1","joined","phx_error",{"reason":"channel_crash"}]`)
	}
	for _, event := range []string{"leave", "marshal", "push", "info"} {
		c.join("room")
		c.say(fmt.Sprintf(`["1","2","room",%q,{}]`, event))
		c.want(`["1","1","room","phx_error",{"reason":"channel_crash"}]`)
		if why := within(t, "Terminate", ended); why != phx.Crash {
			t.Errorf("Terminate after %s: %q, want a crash", event, why)
		}
	}
}

// Whoever takes the place of a channel whose Terminate calls runtime.Goexit joins
// all the same.
func TestGoexitAtDuplicateJoin(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{Terminate: func(*phx.Channel, phx.Reason) { leave() }}})
	c := dial(t, ep)
	c.join("room")
	c.say(`["2","2","room","phx_join",{}]`)
	c.want(`["2","2","room","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room","phx_close",{}]`)
}

// In Connect it is a refusal, on both transports; in CheckOrigin, too.
func TestGoexitInConnect(t *testing.T) {
	ep := startConfig(t, phx.Config{Workers: 1, Mounts: []phx.Mount{{
		Path: "/socket", LongPoll: &phx.LongPoll{},
		Connect: func(*phx.Socket, phx.Params, *http.Request) error { return leave() },
	}}})
	for range 3 {
		c := connect(t, ep)
		c.write(request("/socket/websocket?vsn=2.0.0"))
		if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 500 ") {
			t.Errorf("answer %q, want 500", head)
		}
		response, err := http.Get("http://" + ep.Addr().String() + "/socket/longpoll?vsn=2.0.0")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusInternalServerError {
			t.Errorf("long poll: status %d, want 500", response.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// In a raw socket it closes the connection with 1011, and Terminate comes.
func TestGoexitInRawSocket(t *testing.T) {
	ended := make(chan phx.Reason, 1)
	ep := startConfig(t, phx.Config{Workers: 1, Mounts: []phx.Mount{{Path: "/raw", Raw: &phx.RawType{
		In:        func(*phx.RawSocket, []byte, bool) error { return leave() },
		Terminate: func(_ *phx.RawSocket, why phx.Reason) { ended <- why; leave() },
	}}}})
	for range 3 {
		c := dialAt(t, ep, "/raw/websocket")
		c.say("hello")
		c.wantClosed(1011)
		c.conn.Close()
		if why := within(t, "Terminate", ended); why != phx.Crash {
			t.Errorf("Terminate: %q, want a crash", why)
		}
	}
}

// A subscribed function gets what comes after the broadcast that it left.
func TestGoexitInSubscribe(t *testing.T) {
	ep := startConfig(t, phx.Config{Workers: 1})
	heard := make(chan string, 9)
	defer ep.Subscribe("a", func(b phx.Broadcast) {
		heard <- b.Event
		if b.Event == "leave" {
			runtime.Goexit()
		}
	})()
	for _, event := range []string{"leave", "leave", "stay"} {
		if err := ep.Broadcast("a", event, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"leave", "leave", "stay"} {
		if got := within(t, "call", heard); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

// Telemetry hooks are like callbacks.
func TestGoexitInTelemetry(t *testing.T) {
	ep := startConfig(t, phx.Config{
		Workers: 1,
		Telemetry: &phx.Telemetry{
			HandledIn: func(phx.MessageEvent) { runtime.Goexit() },
			Crashed:   func(phx.CrashEvent) { runtime.Goexit() },
		},
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{
			In: phx.Events{"e": func(*phx.Channel, phx.Payload) (any, error) { return nil, nil }},
		}}}}},
	})
	c := dial(t, ep)
	for range 3 {
		c.join("room")
		c.say(`["1","2","room","e",{}]`)
		c.want(`["1","1","room","phx_error",{"reason":"channel_crash"}]`)
	}
}

// Hooks do not end the goroutines of the event loop, of a drain and of an adapter.
func TestGoexitInTelemetryApart(t *testing.T) {
	adapter := new(lossy)
	ep := startConfig(t, phx.Config{
		Loops:   1,
		Adapter: adapter,
		Telemetry: &phx.Telemetry{
			Connected:    func(phx.ConnectEvent) { runtime.Goexit() },
			Disconnected: func(phx.DisconnectEvent) { runtime.Goexit() },
			Drained:      func(phx.DrainEvent) { runtime.Goexit() },
			Gap:          func(pubsub.Gap) { runtime.Goexit() },
			Node:         func(pubsub.NodeEvent) { runtime.Goexit() },
		},
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}},
	})
	other := dial(t, ep)
	for range 3 {
		c := dial(t, ep)
		c.join("room")
		c.hangUp(false)
		eventually(t, "the socket is gone", func() bool { return ep.Stats().Sockets == 1 && ep.Subscribers("room") == 0 })
		other.heartbeat()
	}
	told := make(chan bool, 1)
	go func() {
		defer close(told)
		adapter.gap(pubsub.Gap{Node: "b", Messages: 1})
		adapter.told(pubsub.NodeEvent{Node: "b", Change: pubsub.NodeUp})
		told <- true
	}()
	if !within(t, "end of the adapter's goroutine", told) {
		t.Error("a hook has ended the adapter's goroutine")
	}
	go func() { other.tryNext(); other.hangUp(false) }() // ends with the connection
	shutdown(t, ep)
}

// leaving is a serializer that calls runtime.Goexit for messages that say so.
type leaving struct{ wire.V2 }

func (leaving) Decode(data []byte, binary bool) (wire.Message, error) {
	if strings.Contains(string(data), "decode") {
		runtime.Goexit()
	}
	return wire.V2{}.Decode(data, binary)
}

// A serializer that does it while it decodes ends the message's connection: on the
// event loop, and in the turn that a large message has.
func TestGoexitInSerializer(t *testing.T) {
	ep := startConfig(t, phx.Config{Loops: 1, Workers: 1, Mounts: []phx.Mount{{
		Path: "/socket", Serializers: []wire.Serializer{leaving{}},
		Routes: []phx.Route{{Pattern: "room", Type: &phx.ChannelType{}}},
	}}})
	other := dial(t, ep)
	for range 3 {
		for _, message := range []string{
			`["1","1","decode","phx_join",{}]`,
			`["1","1","decode","phx_join",{"long":"` + strings.Repeat("x", 100<<10) + `"}]`,
		} {
			c := dial(t, ep)
			c.join("room")
			c.say(message)
			c.wantEOF()
			other.heartbeat()
		}
	}
	eventually(t, "the sockets are gone", func() bool { return ep.Stats().Sockets == 1 && ep.Subscribers("room") == 0 })
}
