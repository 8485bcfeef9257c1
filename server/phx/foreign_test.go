package phx_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// A moody is a serializer of the application's that does something else when it is to
// handle a topic or an event that starts with the name of one of its methods.
type moody struct {
	wire.V2
	instead func()
}

func (m *moody) heed(method, text string) {
	if strings.HasPrefix(text, method) {
		m.instead()
	}
}

func (*moody) Version() string { return "3.0.0" }

func (m *moody) Decode(data []byte, binary bool) (wire.Message, error) {
	got, err := m.V2.Decode(data, binary)
	m.heed("decode", got.Topic)
	return got, err
}

func (m *moody) AppendPush(dst []byte, joinRef wire.Ref, topic, event string, p wire.Payload) ([]byte, bool, error) {
	m.heed("push", event)
	return m.V2.AppendPush(dst, joinRef, topic, event, p)
}

func (m *moody) AppendReply(dst []byte, joinRef, ref wire.Ref, topic, status string, p wire.Payload) ([]byte, bool, error) {
	m.heed("reply", topic)
	return m.V2.AppendReply(dst, joinRef, ref, topic, status, p)
}

func (m *moody) AppendBroadcast(dst []byte, topic, event string, p wire.Payload) ([]byte, bool, error) {
	m.heed("broadcast", event)
	return m.V2.AppendBroadcast(dst, topic, event, p)
}

func (m *moody) AppendEnd(dst []byte, joinRef wire.Ref, topic, event string, p wire.Payload) ([]byte, bool, error) {
	m.heed("end", topic)
	return m.V2.AppendEnd(dst, joinRef, topic, event, p)
}

// startMoody starts an endpoint with one loop and one worker for short callbacks, where
// clients of a moody serializer are beside others.
func startMoody(t *testing.T, instead func()) *phx.Endpoint {
	return startConfig(t, phx.Config{Loops: 1, Workers: 1, Mounts: []phx.Mount{{
		Path: "/socket", LongPoll: &phx.LongPoll{}, Serializers: []wire.Serializer{&moody{instead: instead}, wire.V2{}},
		Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{
			"echo":  func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
			"push":  func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Push("push", nil) },
			"crash": func(*phx.Channel, phx.Payload) (any, error) { panic("as told") },
			"broadcast": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				return nil, ch.BroadcastFrom("broadcast", nil)
			},
		}}}},
	}}})
}

// trouble is what a client does to have each method of its moody serializer called, where
// locks are held or not.
var trouble = [][]string{
	{`["1","1","decode","phx_join",{}]`},
	{`["1","2","reply","e",{}]`},
	{`["1","2","reply","phx_leave",{}]`},
	{`["1","1","reply","phx_join",{}]`},
	{`["1","1","other","phx_join",{}]`, `["1","2","other","push",{}]`},
	{`["1","1","other","phx_join",{}]`, `["1","2","other","broadcast",{}]`},
	{`["1","1","end","phx_join",{}]`, `["1","2","end","phx_leave",{}]`},
	{`["1","1","end","phx_join",{}]`, `["2","2","end","phx_join",{}]`},
	{`["1","1","end","phx_join",{}]`, `["1","2","end","crash",{}]`},
}

// troubled makes trouble of each kind, and hangs up. Bystanders notice nothing.
func troubled(t *testing.T, ep *phx.Endpoint, bystander *client) {
	bystander.join("room")
	for _, messages := range trouble {
		c := dialAt(t, ep, "/socket/websocket?vsn=3.0.0")
		c.say(messages...)
		for range 3 {
			bystander.heartbeat()
			bystander.say(`["1","2","room","echo",{"a":1}]`)
			bystander.want(`["1","2","room","phx_reply",{"status":"ok","response":{"a":1}}]`)
		}
		c.hangUp(true)
		bystander.heartbeat() // the loop has seen the end of the connection, or is about to
		if err := ep.Broadcast("room", "e", map[string]any{}); err != nil {
			t.Error(err)
		}
		bystander.want(`[null,null,"room","e",{}]`)
	}
}

// A serializer of the application's that panics or calls runtime.Goexit harms its own
// clients at most.
func TestForeignSerializerThatLeaves(t *testing.T) {
	for name, instead := range map[string]func(){"panic": func() { panic("as told") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep := startMoody(t, instead)
			troubled(t, ep, dial(t, ep))
			eventually(t, "only the bystander is left", func() bool { return ep.Stats().Sockets == 1 && ep.Stats().Channels == 1 })
		})
	}
}

// One that never returns holds up its own client, and no lock for which the loop or
// others wait.
func TestForeignSerializerThatWaits(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	release := sync.OnceFunc(func() { close(over) })
	ep := startMoody(t, func() { <-over })
	t.Cleanup(release)
	troubled(t, ep, dial(t, ep))
	// Those that are not read from, as a message is being decoded or answered, end later.
	eventually(t, "the others are gone", func() bool { return ep.Stats().Sockets == 1+3 })
	release()
	eventually(t, "only the bystander is left", func() bool { return ep.Stats().Sockets == 1 })
}

// A broadcast that it cannot encode is none for its clients, whoever sends it, and one
// for the others.
func TestForeignSerializerAndBroadcasts(t *testing.T) {
	t.Parallel()
	ep := startMoody(t, runtime.Goexit)
	odd, other := dialAt(t, ep, "/socket/websocket?vsn=3.0.0"), dial(t, ep)
	odd.join("room")
	other.join("room")
	for _, event := range []string{"a", "broadcast", "b"} {
		if err := ep.Broadcast("room", event, map[string]any{}); err != nil {
			t.Fatal(err)
		}
	}
	other.want(`[null,null,"room","a",{}]`, `[null,null,"room","broadcast",{}]`, `[null,null,"room","b",{}]`)
	odd.want(`[null,null,"room","a",{}]`, `[null,null,"room","b",{}]`)
}

// Over long polling, the messages of a POST are decoded apart from the loop, too, and the
// session outlives a decoder that calls runtime.Goexit.
func TestForeignSerializerOverLongPoll(t *testing.T) {
	t.Parallel()
	ep := startMoody(t, runtime.Goexit)
	s := openSessionAt(t, ep, "/socket/longpoll?vsn=3.0.0")
	s.posts.send("POST", s.target, `["1","1","decode","phx_join",{}]`)
	s.posts.wantEnd()
	s.posts = dialWeb(t, ep)
	s.say(`["1","1","room","phx_join",{}]`)
	s.want(`["1","1","room","phx_reply",{"status":"ok","response":{}}]`)
}
