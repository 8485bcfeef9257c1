package phx_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// nosyRoom subscribes to what it is told and pushes what it hears: "sub" and
// "unsub" have a topic as payload, as has a join.
func nosyRoom() *phx.ChannelType {
	topic := func(do func(*phx.Channel, string) error) phx.Handler {
		return phx.On(func(ch *phx.Channel, in struct{ Topic string }) (any, error) {
			if in.Topic == "" {
				return nil, nil
			}
			return phx.OK, do(ch, in.Topic)
		})
	}
	subscribe := topic((*phx.Channel).Subscribe)
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			_, err := subscribe(ch, p)
			if ch.Topic() == "room:no" {
				err = phx.Errorf("no")
			}
			return nil, err
		},
		In: phx.Events{
			"sub":   subscribe,
			"unsub": topic(func(ch *phx.Channel, topic string) error { ch.Unsubscribe(topic); return nil }),
			"say":   func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Broadcast("said", p) },
			"tell":  func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.BroadcastFrom("told", p) },
		},
		Info: func(ch *phx.Channel, msg any) error {
			b := msg.(*phx.Broadcast)
			if data, ok := b.Payload.Binary(); ok {
				return ch.Push("heard", map[string]any{"topic": b.Topic, "event": b.Event, "bytes": data})
			}
			return ch.Push("heard", map[string]any{"topic": b.Topic, "event": b.Event, "what": b.Payload})
		},
	}
}

// A channel hears other topics in Info, as often as it has subscribed to them,
// until it unsubscribes; its client hears nothing of it by itself (spec §5.3).
func TestChannelSubscribe(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: nosyRoom()})
	c := dial(t, ep)
	c.say(`["1","1","room:1","phx_join",{"topic":"news"}]`) // in Join already
	c.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
	publish := func(topic string, payload any) {
		t.Helper()
		if err := ep.Broadcast(topic, "e", payload); err != nil {
			t.Fatal(err)
		}
	}
	publish("other", nil)
	publish("news", map[string]int{"n": 1})
	c.want(`["1",null,"room:1","heard",{"topic":"news","event":"e","what":{"n":1}}]`)
	publish("news", phx.Binary{1})
	c.want(`["1",null,"room:1","heard",{"topic":"news","event":"e","bytes":"AQ=="}]`)

	c.say(`["1","2","room:1","sub",{"topic":"news"}]`, `["1","3","room:1","sub",{"topic":"other"}]`)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`, `["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`)
	publish("news", nil)
	publish("other", nil)
	c.want(`["1",null,"room:1","heard",{"topic":"news","event":"e","what":{}}]`, `["1",null,"room:1","heard",{"topic":"news","event":"e","what":{}}]`,
		`["1",null,"room:1","heard",{"topic":"other","event":"e","what":{}}]`)

	c.say(`["1","4","room:1","unsub",{"topic":"news"}]`, `["1","5","room:1","unsub",{"topic":"never"}]`)
	c.want(`["1","4","room:1","phx_reply",{"status":"ok","response":{}}]`, `["1","5","room:1","phx_reply",{"status":"ok","response":{}}]`)
	publish("news", nil)
	publish("other", map[string]int{"n": 2})
	c.want(`["1",null,"room:1","heard",{"topic":"other","event":"e","what":{"n":2}}]`)
	if n := ep.Subscribers("news"); n != 0 {
		t.Errorf("%d subscribers, want 0", n)
	}
}

// A channel that has subscribed to its own topic hears it twice, also what it
// broadcasts itself, but not what it broadcasts to the others.
func TestChannelSubscribesToItself(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: nosyRoom()})
	c, other := dial(t, ep), dial(t, ep)
	other.join("room:1")
	c.say(`["1","1","room:1","phx_join",{"topic":"room:1"}]`)
	c.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
	c.say(`["1","2","room:1","tell",{}]`, `["1","3","room:1","say",{}]`)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`[null,null,"room:1","said",{}]`,
		`["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1",null,"room:1","heard",{"topic":"room:1","event":"said","what":{}}]`)
	other.say(`["1","4","room:1","tell",{}]`)
	c.want(`[null,null,"room:1","told",{}]`, `["1",null,"room:1","heard",{"topic":"room:1","event":"told","what":{}}]`)
	other.want(`[null,null,"room:1","told",{}]`, `[null,null,"room:1","said",{}]`, `["1","4","room:1","phx_reply",{"status":"ok","response":{}}]`)
}

// However a channel ends, so do its subscriptions.
func TestSubscriptionsEndWithTheChannel(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*client)
	}{
		{"leave", func(c *client) { c.say(`["1","2","room:1","phx_leave",{}]`) }},
		{"crash", func(c *client) { c.say(`["1","2","room:1","unknown",{}]`) }},
		{"duplicate join", func(c *client) { c.say(`["2","2","room:1","phx_join",{}]`) }},
		{"refused join", func(c *client) {
			c.say(`["2","2","room:no","phx_join",{"topic":"news"}]`, `["1","2","room:1","phx_leave",{}]`)
		}},
		{"hanging up", func(c *client) { c.hangUp(true) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := start(t, phx.Route{Pattern: "room:*", Type: nosyRoom()})
			c := dial(t, ep)
			c.say(`["1","1","room:1","phx_join",{"topic":"news"}]`)
			c.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
			tt.end(c)
			eventually(t, "nobody is subscribed", func() bool { return ep.Subscribers("news") == 0 })
		})
	}
}

// What is over cannot subscribe.
func TestSubscribeWhenOver(t *testing.T) {
	channels := make(chan *phx.Channel, 1)
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
		channels <- ch
		return nil, nil
	}}})
	c := dial(t, ep)
	c.join("a")
	ch := within(t, "Join", channels)
	c.hangUp(false)
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
	for what, err := range map[string]error{"channel": ch.Subscribe("news"), "socket": ch.Socket().Subscribe("news")} {
		if !errors.Is(err, phx.ErrClosed) {
			t.Errorf("Subscribe of a %s that has ended = %v, want %v", what, err, phx.ErrClosed)
		}
	}
	ch.Unsubscribe("news")
	ch.Socket().Unsubscribe("news")
	if n := ep.Subscribers("news"); n != 0 {
		t.Errorf("%d subscribers, want 0", n)
	}
}

// A channel that does not keep up with what it has subscribed to is closed with
// its connection, alone.
func TestSubscribeTooSlow(t *testing.T) {
	g := newGate()
	defer close(g.open)
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", MailboxMax: 2,
		Routes: []phx.Route{{Pattern: "slow:*", Type: &phx.ChannelType{
			Join: func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Subscribe("news") },
			Info: func(*phx.Channel, any) error { g.pass(); return nil },
		}}, {Pattern: "room:*", Type: nosyRoom()}},
	}}})
	slow, fast := dial(t, ep), dial(t, ep)
	slow.join("slow:1")
	fast.say(`["1","1","room:1","phx_join",{"topic":"news"}]`)
	fast.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`)
	for i := range 4 {
		if err := ep.Broadcast("news", "e", map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
		fast.want(fmt.Sprintf(`["1",null,"room:1","heard",{"topic":"news","event":"e","what":{"n":%d}}]`, i))
		if i == 0 {
			within(t, "call of Info", g.entered)
		}
	}
	slow.wantEOF()
	fast.heartbeat()
}

// A socket's client gets the broadcasts of topics that it has not joined, as they
// are, from the moment on when it is connected.
func TestSocketSubscribe(t *testing.T) {
	sockets := make(chan *phx.Socket, 10)
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket",
		Connect: func(s *phx.Socket, p phx.Params, r *http.Request) error {
			if err := s.Subscribe("__absinthe__:doc:1"); err != nil {
				return err
			}
			sockets <- s
			if p.String("first") == "" {
				return nil
			}
			// What is broadcast now must not come before the handshake is answered.
			return s.Endpoint().Broadcast("__absinthe__:doc:1", "too soon", nil)
		},
		Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}},
	}}})
	publish := func(topic string, n int) {
		t.Helper()
		if err := ep.Broadcast(topic, "subscription:data", map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	c := dialAt(t, ep, "/socket/websocket?vsn=2.0.0&first=1")
	s := within(t, "Connect", sockets)
	v1 := dialAt(t, ep, "/socket/websocket")
	publish("__absinthe__:doc:1", 1)
	c.want(`[null,null,"__absinthe__:doc:1","subscription:data",{"n":1}]`)
	v1.want(`{"topic":"__absinthe__:doc:1","event":"subscription:data","payload":{"n":1},"ref":null}`)
	for range 2 {
		if err := s.Subscribe("b"); err != nil {
			t.Fatal(err)
		}
	}
	c.join("b")
	publish("b", 2)
	c.want(`[null,null,"b","subscription:data",{"n":2}]`, `[null,null,"b","subscription:data",{"n":2}]`, `[null,null,"b","subscription:data",{"n":2}]`)
	s.Unsubscribe("b")
	publish("b", 3)
	c.want(`[null,null,"b","subscription:data",{"n":3}]`) // by the channel
	c.hangUp(false)
	v1.hangUp(false)
	eventually(t, "nobody is subscribed", func() bool { return ep.Subscribers("__absinthe__:doc:1") == 0 })
}

// Sockets that were refused leave no subscription.
func TestSubscribeOfRefusedSocket(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Connect: func(s *phx.Socket, _ phx.Params, _ *http.Request) error {
		return errors.Join(s.Subscribe("a"), errors.New("no"))
	}}}})
	c := connect(t, ep)
	c.write(request("/socket/websocket?vsn=2.0.0"))
	c.head()
	if n := ep.Subscribers("a"); n != 0 {
		t.Errorf("%d subscribers, want 0", n)
	}
}

// Many sockets of one topic get batches, each in order and complete.
func TestSocketSubscribeToLargeTopic(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Connect: func(s *phx.Socket, _ phx.Params, _ *http.Request) error {
		return s.Subscribe("a")
	}}}})
	clients := make([]*client, 200)
	for i := range clients {
		clients[i] = dial(t, ep)
	}
	eventually(t, "all are subscribed", func() bool { return ep.Subscribers("a") == len(clients) })
	for i := range 30 {
		if err := ep.Broadcast("a", "e", map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range clients {
		for i := range 30 {
			c.want(fmt.Sprintf(`[null,null,"a","e",{"n":%d}]`, i))
		}
	}
}

// A raw socket hears topics in Info.
func TestRawSubscribe(t *testing.T) {
	sockets := make(chan *phx.RawSocket, 1)
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/raw", Raw: &phx.RawType{
		Open: func(s *phx.RawSocket) error { return errors.Join(s.Subscribe("a"), s.Push([]byte("up"), false)) },
		In:   func(s *phx.RawSocket, _ []byte, _ bool) error { s.Unsubscribe("a"); return s.Push([]byte("ok"), false) },
		Info: func(s *phx.RawSocket, msg any) error {
			b := msg.(*phx.Broadcast)
			return s.Push(fmt.Appendf(nil, "%s %s %s", b.Topic, b.Event, b.Payload.JSON()), false)
		},
		Terminate: func(s *phx.RawSocket, _ phx.Reason) { sockets <- s },
	}}}})
	c := dialAt(t, ep, "/raw/websocket")
	wantText := func(want string) {
		t.Helper()
		if got := c.message(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	wantText("up")
	for range 2 {
		if err := ep.Broadcast("a", "e", map[string]int{"n": 1}); err != nil {
			t.Fatal(err)
		}
		wantText(`a e {"n":1}`)
	}
	c.say("stop")
	wantText("ok")
	if n := ep.Subscribers("a"); n != 0 {
		t.Errorf("%d subscribers, want 0", n)
	}
	c.hangUp(false)
	if err := within(t, "Terminate", sockets).Subscribe("a"); !errors.Is(err, phx.ErrClosed) {
		t.Errorf("Subscribe of a raw socket that has ended = %v, want %v", err, phx.ErrClosed)
	}
}

// Go code that is no channel hears a topic in order, may panic, and stops when it
// likes.
func TestEndpointSubscribe(t *testing.T) {
	ep := start(t)
	heard := make(chan string, 2000)
	cancel := ep.Subscribe("a", func(b phx.Broadcast) {
		heard <- fmt.Sprintf("%s %s %s", b.Topic, b.Event, b.Payload.JSON())
		if b.Event == "panic" {
			panic("as told")
		}
	})
	if err := ep.Broadcast("a", "panic", nil); err != nil {
		t.Fatal(err)
	}
	if got := within(t, "call", heard); got != "a panic {}" {
		t.Errorf("heard %q, want %q", got, "a panic {}")
	}
	for i := range 500 {
		if err := ep.LocalBroadcast("a", "e", map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 {
		if got, want := within(t, "call", heard), fmt.Sprintf(`a e {"n":%d}`, i); got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
	}
	cancel()
	cancel() // again: nothing happens
	if err := ep.Broadcast("a", "e", nil); err != nil {
		t.Fatal(err)
	}
	if n := ep.Subscribers("a"); n != 0 || len(heard) != 0 {
		t.Errorf("%d subscribers and %d calls after cancel, want none", n, len(heard))
	}
}

// A function that does not keep up is told how much it has missed, and holds up no one.
func TestEndpointSubscribeMissed(t *testing.T) {
	g := newGate()
	ep := start(t)
	var mu sync.Mutex
	var got []int // number, or how many were missed before it, negative
	cancel := ep.Subscribe("a", func(b phx.Broadcast) {
		g.pass()
		var in struct{ N int }
		if err := b.Payload.Decode(&in); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if b.Missed > 0 {
			got = append(got, -b.Missed)
		}
		got = append(got, in.N)
	})
	defer cancel()
	publish := func(n int) {
		t.Helper()
		if err := ep.Broadcast("a", "e", map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	publish(0)
	within(t, "first call", g.entered)
	for n := 1; n <= 1024+10; n++ { // the last ten do not fit
		publish(n)
	}
	go func() { // ends with the entries below
		for range 1024 + 1 {
			<-g.entered
		}
	}()
	close(g.open)
	eventually(t, "all that fitted are heard", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 1025 })
	publish(-5)
	eventually(t, "the next is heard", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 1027 })
	if want := []int{1024, -10, -5}; !slices.Equal(got[1024:], want) {
		t.Errorf("heard %v at the end, want %v", got[1024:], want)
	}
}

// Large ones count by their size: what waits for a function has a bound in bytes,
// too.
func TestEndpointSubscribeMissedBytes(t *testing.T) {
	ep := start(t)
	entered, open := make(chan int), make(chan struct{}) // how many each has missed
	cancel := ep.Subscribe("a", func(b phx.Broadcast) { entered <- b.Missed; <-open })
	defer cancel()
	publish := func() {
		t.Helper()
		if err := ep.Broadcast("a", "e", make(phx.Binary, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	within(t, "first call", entered)
	for range 20 { // 16 MiB wait, the last four are dropped
		publish()
	}
	close(open)
	for range 16 {
		if missed := within(t, "call", entered); missed != 0 {
			t.Fatalf("%d missed among those that waited", missed)
		}
	}
	publish()
	if missed := within(t, "the next call", entered); missed != 4 {
		t.Errorf("%d missed, want 4", missed)
	}
}
