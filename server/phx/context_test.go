package phx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/phx"
)

// wantCause waits for the end of a context and checks why it has ended.
func wantCause(t *testing.T, what string, ctx context.Context, want error) {
	t.Helper()
	within(t, "end of the context: "+what, ctx.Done())
	if got := context.Cause(ctx); !errors.Is(got, want) {
		t.Errorf("%s: the context has ended by %v, want %v", what, got, want)
	}
}

// The context of a channel ends with it, and says why; the socket's goes on unless the
// socket ends, too.
func TestChannelContext(t *testing.T) {
	type contexts struct {
		channel, socket context.Context
		of              *phx.Socket
	}
	crash := errors.New("crash")
	room := phx.ChannelType{
		Join: func(_ *phx.Channel, p phx.Payload) (any, error) {
			switch string(p.JSON()) {
			case `"refuse"`:
				return nil, phx.Errorf("no")
			case `"crash"`:
				return nil, crash
			}
			return nil, nil
		},
		In: phx.Events{
			"crash":  func(*phx.Channel, phx.Payload) (any, error) { return nil, crash },
			"stop":   func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Stop(phx.Normal) },
			"strike": func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Stop("on strike") },
		},
	}
	say := func(text string) func(*phx.Endpoint, *client, *phx.Socket) {
		return func(_ *phx.Endpoint, c *client, _ *phx.Socket) { c.say(text) }
	}
	for _, tt := range []struct {
		name   string
		join   string
		end    func(*phx.Endpoint, *client, *phx.Socket)
		want   phx.Reason
		socket bool // ends, too
	}{
		{"leave", `{}`, say(`["1","2","a","phx_leave",{}]`), phx.Left, false},
		{"crash", `{}`, say(`["1","2","a","crash",{}]`), phx.Crash, false},
		{"stop", `{}`, say(`["1","2","a","stop",{}]`), phx.Normal, false},
		{"reason of one's own", `{}`, say(`["1","2","a","strike",{}]`), "on strike", false},
		{"another join", `{}`, say(`["2","2","a","phx_join",{}]`), phx.Duplicate, false},
		{"refused", `"refuse"`, say(`[null,"2","phoenix","heartbeat",{}]`), phx.Normal, false},
		{"crash of Join", `"crash"`, say(`[null,"2","phoenix","heartbeat",{}]`), phx.Normal, false},
		{"hung up", `{}`, func(_ *phx.Endpoint, c *client, _ *phx.Socket) { c.hangUp(false) }, phx.Closed, true},
		{"closed by the client", `{}`, func(_ *phx.Endpoint, c *client, _ *phx.Socket) { c.send(ws.OpClose, closeFrame(1000)) }, phx.Closed, true},
		{"closed by the server", `{}`, func(_ *phx.Endpoint, _ *client, s *phx.Socket) { s.Close() }, phx.Disconnected, true},
		{"drain", `{}`, func(ep *phx.Endpoint, _ *client, _ *phx.Socket) { go ep.Shutdown(t.Context()) }, phx.Draining, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := make(chan contexts, 2)
			room := room
			room.Middleware = []phx.Middleware{func(c *phx.Call, next func() (any, error)) (any, error) {
				if c.Callback == "Join" {
					s := c.Channel.Socket()
					asked <- contexts{c.Channel.Context(), s.Context(), s}
				}
				return next()
			}}
			ep := start(t, phx.Route{Pattern: "*", Type: &room})
			c := dial(t, ep)
			c.say(`["1","1","a","phx_join",` + tt.join + `]`)
			c.message()
			ctx := within(t, "join", asked)
			if err := ctx.channel.Err(); err != nil && tt.want != phx.Normal {
				t.Errorf("the context of a channel that is joined has ended: %v", context.Cause(ctx.channel))
			}
			tt.end(ep, c, ctx.of)
			wantCause(t, "the channel's", ctx.channel, tt.want)
			if tt.socket {
				wantCause(t, "the socket's", ctx.socket, tt.want)
				wantCause(t, "the socket's, asked late", ctx.of.Context(), tt.want)
			} else if ctx.socket.Err() != nil {
				t.Errorf("the socket's context has ended: %v", context.Cause(ctx.socket))
			}
		})
	}
}

// Long-poll sessions are sockets, too.
func TestLongPollContext(t *testing.T) {
	sockets := make(chan *phx.Socket, 1)
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].Connect = func(s *phx.Socket, _ phx.Params, _ *http.Request) error {
		s.Context()
		sockets <- s
		return nil
	}
	openSession(t, startConfig(t, cfg))
	s := within(t, "session", sockets)
	if err := s.Context().Err(); err != nil {
		t.Errorf("the context of an open session: %v", err)
	}
	s.Close()
	wantCause(t, "closed", s.Context(), phx.Disconnected)
}

// The context of a socket that does not open ends, whatever the reason.
func TestContextOfRefusedSocket(t *testing.T) {
	asked := make(chan context.Context, 1)
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket",
		Connect: func(s *phx.Socket, p phx.Params, _ *http.Request) error {
			asked <- s.Context()
			switch p.String("how") {
			case "panic":
				panic("oh")
			case "exit":
				runtime.Goexit()
			}
			return errors.New("no")
		},
		LongPoll: &phx.LongPoll{},
	}}})
	for _, how := range []string{"refuse", "panic", "exit"} {
		connect(t, ep).write(request("/socket/websocket?vsn=2.0.0&how=" + how))
		wantCause(t, how, within(t, "Connect", asked), phx.Closed)
		dialWeb(t, ep).send("GET", "/socket/longpoll?vsn=2.0.0&how="+how, "")
		wantCause(t, how+" over long polling", within(t, "Connect", asked), phx.Closed)
	}
}

// Who asks when the channel has ended gets a context that has ended; in Terminate,
// the callback's own has not.
func TestContextAfterTheEnd(t *testing.T) {
	ended := make(chan context.Context, 2)
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Terminate: func(ch *phx.Channel, _ phx.Reason) { ended <- ch.Context(); ended <- ch.CallbackContext() },
	}})
	c := dial(t, ep)
	c.join("a")
	c.leave("a")
	wantCause(t, "of a channel that was left", within(t, "Terminate", ended), phx.ErrClosed)
	if ctx := within(t, "Terminate", ended); ctx.Err() != nil {
		t.Errorf("CallbackContext in Terminate has ended: %v", context.Cause(ctx))
	}
	c.join("a")
	c.hangUp(true)
	wantCause(t, "of a channel whose client is gone", within(t, "Terminate", ended), phx.Closed)
}

// A callback that gives up because its client is gone has not crashed, and neither
// has one whose Join does.
func TestGivingUpIsNoCrash(t *testing.T) {
	t.Parallel()
	var j journal
	entered := make(chan string, 1)
	done := make(chan struct{}, 1)
	wait := func(name string, cause bool) func(*phx.Channel, phx.Payload) (any, error) {
		return func(ch *phx.Channel, _ phx.Payload) (any, error) {
			defer func() { done <- struct{}{} }()
			entered <- name
			ctx := ch.CallbackContext()
			<-ctx.Done()
			if cause {
				return nil, fmt.Errorf("query: %w", context.Cause(ctx))
			}
			return nil, fmt.Errorf("query: %w", ctx.Err())
		}
	}
	ep := startConfig(t, phx.Config{
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{
			{Pattern: "slow", Type: &phx.ChannelType{Join: wait("join", false)}},
			{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{
				"wait": wait("wait", false), "cause": wait("cause", true),
				"other": func(*phx.Channel, phx.Payload) (any, error) { return nil, context.Canceled },
			}}},
		}}},
		Telemetry: &phx.Telemetry{Crashed: func(e phx.CrashEvent) { j.add("%s: %v", e.Channel.Topic(), e.Err) }},
	})
	for _, end := range []func(*client){
		func(c *client) { c.hangUp(true) },
		func(c *client) { c.send(ws.OpClose, closeFrame(1000)) }, // and stays
	} {
		for _, say := range []string{`["1","2","a","wait",{}]`, `["1","2","a","cause",{}]`, `["5","5","slow","phx_join",{}]`} {
			c := dial(t, ep)
			c.join("a")
			c.say(say)
			within(t, "call", entered)
			end(c)
			within(t, "end of the call", done)
			eventually(t, "no callback runs", func() bool { return ep.Stats().Callbacks.Running == 0 })
		}
	}
	j.want(t)
	c := dial(t, ep)
	c.join("a")
	c.say(`["1","2","a","other",{}]`) // somebody else's cancellation
	c.want(`["1","1","a","phx_error",{"reason":"channel_crash"}]`)
	j.want(t, "a: context canceled")
}

// A callback's time limit ends its context. One that honours it is answered, one
// that does not is counted, and both are late.
func TestTimeout(t *testing.T) {
	var j journal
	const limit = 20 * time.Millisecond
	ends := make(chan context.Context, 10)
	honour := func(ch *phx.Channel, _ phx.Payload) (any, error) {
		ctx := ch.CallbackContext()
		if ctx != ch.CallbackContext() {
			t.Error("CallbackContext is another one each time")
		}
		<-ctx.Done()
		ends <- ctx
		return nil, fmt.Errorf("query: %w", ctx.Err())
	}
	ignore := make(chan struct{})
	type_ := phx.ChannelType{
		Timeout: limit,
		In: phx.Events{
			"honour": honour,
			"cause": func(ch *phx.Channel, p phx.Payload) (any, error) {
				_, _ = honour(ch, p)
				return "ignored", context.Cause(ch.CallbackContext())
			},
			"ignore": func(ch *phx.Channel, _ phx.Payload) (any, error) { <-ignore; return phx.OK, nil },
			"quick":  func(ch *phx.Channel, _ phx.Payload) (any, error) { ends <- ch.CallbackContext(); return phx.OK, nil },
			"other":  func(*phx.Channel, phx.Payload) (any, error) { return nil, context.DeadlineExceeded },
			"send":   func(ch *phx.Channel, _ phx.Payload) (any, error) { return phx.OK, ch.Send("late") },
		},
		Info: func(ch *phx.Channel, _ any) error { _, err := honour(ch, phx.Payload{}); return err },
	}
	slow := type_
	slow.Join = honour
	ep := startConfig(t, phx.Config{
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "slow", Type: &slow}, {Pattern: "*", Type: &type_}}}},
		Telemetry: &phx.Telemetry{
			Crashed:   func(e phx.CrashEvent) { j.add("crash: %v", e.Err) },
			HandledIn: func(e phx.MessageEvent) { j.add("%s: %v", e.Event, e.Err) },
		},
	})
	c := dial(t, ep)
	c.say(`["1","1","slow","phx_join",{}]`)
	c.want(`["1","1","slow","phx_reply",{"status":"error","response":{"reason":"timeout"}}]`)
	wantCause(t, "Join", within(t, "end", ends), phx.ErrTimeout)
	c.join("a")
	for _, event := range []string{"honour", "cause"} {
		c.say(`["1","2","a","` + event + `",{}]`)
		c.want(`["1","2","a","phx_reply",{"status":"error","response":{"reason":"timeout"}}]`)
		wantCause(t, event, within(t, "end", ends), phx.ErrTimeout)
	}
	c.say(`["1","3","a","quick",{}]`)
	c.want(`["1","3","a","phx_reply",{"status":"ok","response":{}}]`)
	wantCause(t, "the end of the callback", within(t, "end", ends), context.Canceled)
	if n := ep.Stats().Callbacks.TimedOut; n != 3 {
		t.Errorf("TimedOut = %d, want 3", n)
	}
	c.say(`["1","4","a","ignore",{}]`)
	time.AfterFunc(2*limit, func() { close(ignore) })
	c.want(`["1","4","a","phx_reply",{"status":"ok","response":{}}]`)
	eventually(t, "it is counted", func() bool { return ep.Stats().Callbacks.TimedOut == 4 })
	c.say(`["1","5","a","other",{}]`) // somebody else's limit
	c.want(`["1","1","a","phx_error",{"reason":"channel_crash"}]`)
	c.join("b")
	c.say(`["1","6","b","send",{}]`)
	c.want(`["1","6","b","phx_reply",{"status":"ok","response":{}}]`)
	c.want(`["1","1","b","phx_error",{"reason":"channel_crash"}]`)
	j.want(t,
		"honour: error reply: {\"reason\":\"timeout\"}: query: context deadline exceeded",
		"cause: error reply: {\"reason\":\"timeout\"}: phx: the callback runs longer than its type's Timeout",
		"quick: <nil>", "ignore: <nil>", "other: context deadline exceeded", "crash: context deadline exceeded",
		"send: <nil>", "crash: error reply: {\"reason\":\"timeout\"}: query: context deadline exceeded")
}

// Callbacks of raw sockets have the same.
func TestRawContext(t *testing.T) {
	ends := make(chan context.Context, 2)
	ep := startRaw(t, phx.Mount{Raw: &phx.RawType{
		Timeout: 20 * time.Millisecond,
		Open:    func(s *phx.RawSocket) error { ends <- s.Context(); return nil },
		In: func(s *phx.RawSocket, data []byte, _ bool) error {
			ctx := s.CallbackContext()
			if string(data) == "quick" {
				ends <- ctx
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		},
		Terminate: func(s *phx.RawSocket, _ phx.Reason) { ends <- s.CallbackContext() },
	}})
	c := dialAt(t, ep, "/raw/websocket")
	life := within(t, "Open", ends)
	c.send(ws.OpText, []byte("quick"))
	wantCause(t, "the end of In", within(t, "In", ends), context.Canceled)
	if life.Err() != nil {
		t.Errorf("the socket's context has ended: %v", context.Cause(life))
	}
	c.send(ws.OpText, []byte("slow"))
	c.wantClosed(1011)
	wantCause(t, "the socket's", life, phx.Crash)
	c.hangUp(false)
	wantCause(t, "Terminate's", within(t, "Terminate", ends), context.Canceled) // when it has returned
	if n := ep.Stats().Callbacks.TimedOut; n != 1 {
		t.Errorf("TimedOut = %d, want 1", n)
	}
}

// A raw callback that gives up because its client is gone is no crash.
func TestRawGivesUp(t *testing.T) {
	entered := make(chan bool, 1)
	why := make(chan phx.Reason, 1)
	ep := startRaw(t, phx.Mount{Raw: &phx.RawType{
		In: func(s *phx.RawSocket, _ []byte, _ bool) error {
			entered <- true
			<-s.CallbackContext().Done()
			return s.CallbackContext().Err()
		},
		Terminate: func(_ *phx.RawSocket, w phx.Reason) { why <- w },
	}})
	c := dialAt(t, ep, "/raw/websocket")
	c.send(ws.OpText, []byte("x"))
	within(t, "In", entered)
	c.hangUp(true)
	if w := within(t, "Terminate", why); w != phx.Closed {
		t.Errorf("the socket has ended by %q, want %q", w, phx.Closed)
	}
}

// Middleware hands values to the callback by its context.
func TestMiddlewareContext(t *testing.T) {
	type key struct{}
	ends := make(chan context.Context, 1)
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Middleware: []phx.Middleware{func(c *phx.Call, next func() (any, error)) (any, error) {
			c.SetContext(context.WithValue(c.Context(), key{}, c.Event))
			return next()
		}},
		Event: func(ch *phx.Channel, _ string, _ phx.Payload) (any, error) {
			ends <- ch.CallbackContext()
			return ch.CallbackContext().Value(key{}), nil
		},
	}})
	c := dial(t, ep)
	c.join("a")
	c.say(`["1","2","a","trace",{}]`)
	c.want(`["1","2","a","phx_reply",{"status":"ok","response":"trace"}]`)
	wantCause(t, "the end of the callback", within(t, "In", ends), context.Canceled)
}

// Who never asks has no context, and an idle channel with middleware and a limit
// holds nothing for them.
func TestContextCostsNothing(t *testing.T) {
	channels := make(chan *phx.Channel, 1)
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Timeout:    time.Minute,
		Middleware: []phx.Middleware{func(_ *phx.Call, next func() (any, error)) (any, error) { return next() }},
		In: phx.Events{
			"plain": func(ch *phx.Channel, p phx.Payload) (any, error) { channels <- ch; return p, nil },
			"ask":   func(ch *phx.Channel, p phx.Payload) (any, error) { channels <- ch; ch.CallbackContext(); return p, nil },
		},
	}})
	c := dial(t, ep)
	c.join("a")
	for _, event := range []string{"plain", "ask"} {
		c.say(`["1","2","a","` + event + `",{}]`)
		c.want(`["1","2","a","phx_reply",{"status":"ok","response":{}}]`)
		if got, want := within(t, "call", channels).HasExtra(), event == "ask"; got != want {
			t.Errorf("after %s the channel has more than all others: %v, want %v", event, got, want)
		}
	}
}

// The context of Connect's request ends when no one waits for it any more.
func TestConnectContext(t *testing.T) {
	for _, transport := range []string{"websocket", "longpoll"} {
		for _, tt := range []struct {
			name    string
			timeout time.Duration
			end     func(*phx.Endpoint, *client)
			want    error
		}{
			{"client hangs up", time.Minute, func(_ *phx.Endpoint, c *client) { c.hangUp(false) }, phx.ErrClosed},
			{"HandshakeTimeout", 50 * time.Millisecond, func(*phx.Endpoint, *client) {}, poller.ErrTimeout},
			{"Shutdown", time.Minute, func(ep *phx.Endpoint, _ *client) { go ep.Shutdown(t.Context()) }, poller.ErrStopped},
		} {
			t.Run(transport+", "+tt.name, func(t *testing.T) {
				asked := make(chan context.Context, 2)
				ep := startConfig(t, phx.Config{HandshakeTimeout: tt.timeout, Mounts: []phx.Mount{{
					Path: "/socket", LongPoll: &phx.LongPoll{},
					Connect: func(_ *phx.Socket, p phx.Params, r *http.Request) error {
						asked <- r.Context()
						if p.String("wait") != "" {
							<-r.Context().Done()
						}
						return r.Context().Err()
					},
				}}})
				c := connect(t, ep)
				c.write(request("/socket/" + transport + "?vsn=2.0.0&wait=1"))
				ctx := within(t, "Connect", asked)
				tt.end(ep, c)
				wantCause(t, "the request's", ctx, tt.want)
				if tt.name == "client hangs up" { // who is let in has a context that ends, too
					connect(t, ep).write(request("/socket/" + transport + "?vsn=2.0.0"))
					wantCause(t, "when Connect has returned", within(t, "Connect", asked), context.Canceled)
				}
			})
		}
	}
}
