package phx_test

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/token"
)

// The room channel of the Phoenix guide: everybody may join the lobby, and what
// one says, all hear.
func ExampleChannelType() {
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			if ch.Topic() != "room:lobby" {
				return nil, phx.Errorf("unauthorized")
			}
			return nil, nil
		},
		In: phx.Events{
			"new_msg": func(ch *phx.Channel, p phx.Payload) (any, error) {
				return nil, ch.Broadcast("new_msg", p)
			},
		},
	}
	ep, err := phx.Start(phx.Config{
		Addr:   "127.0.0.1:0",
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ep.Subscribers("room:lobby"), "in the lobby")
	fmt.Println(ep.Shutdown(context.Background()))
	// Output:
	// 0 in the lobby
	// <nil>
}

// Payloads that decode into a struct. What does not is answered without asking
// the handler, and so is what Validate finds wrong, if there is such a method.
func ExampleOn() {
	type message struct {
		Body string `json:"body"`
	}
	room := &phx.ChannelType{In: phx.Events{
		"new_msg": phx.On(func(ch *phx.Channel, m message) (any, error) {
			if strings.TrimSpace(m.Body) == "" {
				return nil, phx.Errorf("say something")
			}
			return phx.OK, ch.Broadcast("new_msg", m)
		}),
	}}
	fmt.Println(len(room.In))
	// Output: 1
}

// A token in the query says who the user is. The id lets all sockets of a user be
// closed, and the assigns are seen by their channels.
func ExampleMount_connect() {
	users := map[string]string{"secret": "ann"}
	mount := phx.Mount{
		Path: "/socket",
		Connect: func(s *phx.Socket, params phx.Params, _ *http.Request) error {
			user, ok := users[params.String("token")]
			if !ok {
				return errors.New("unknown token")
			}
			s.SetID("users:" + user)
			s.Assign("user", user)
			return nil
		},
		Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{
			Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
				return map[string]any{"you": ch.Value("user")}, nil
			},
		}}},
	}
	fmt.Println(mount.Path)
	// Output: /socket
}

// Connect finds out whose token it is, and the channels know it from there. In Go a
// token's number is an int64; VerifyAs and Value make of it what is wanted.
func ExampleValue() {
	tokens, err := token.New("of 48 random bytes from the environment, not the source", token.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	mount := phx.Mount{
		Path:      "/socket",
		AuthToken: true,
		Connect: func(s *phx.Socket, _ phx.Params, r *http.Request) error {
			signed, _ := phx.AuthToken(r)
			user, err := token.VerifyAs[int](tokens, "user socket", signed, 14*24*time.Hour)
			if err != nil {
				return err
			}
			s.Assign("user", user)
			return nil
		},
		Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{
			Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
				if phx.Value[int](ch, "user") != 7 {
					return nil, phx.Errorf("unauthorized")
				}
				return nil, nil
			},
		}}},
	}
	fmt.Println(mount.Path)
	// Output: /socket
}

// One check for all messages of a kind of channel, and one clock for all callbacks.
func ExampleMiddleware() {
	signedIn := func(c *phx.Call, next func() (any, error)) (any, error) {
		if c.Callback == "In" && phx.Value[string](c.Channel, "user") == "" {
			return nil, phx.Errorf("unauthorized")
		}
		return next()
	}
	timed := func(c *phx.Call, next func() (any, error)) (any, error) {
		start := time.Now()
		defer func() { slog.Debug("called", "callback", c.Callback, "event", c.Event, "took", time.Since(start)) }()
		return next()
	}
	room := &phx.ChannelType{
		Middleware: []phx.Middleware{timed, signedIn},
		In: phx.Events{
			"new_msg": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("new_msg", p) },
		},
	}
	fmt.Println(len(room.Middleware))
	// Output: 2
}

// The hooks of a metrics page and of a tracer, side by side.
func ExampleJoinTelemetry() {
	joins := expvar.NewInt("joins")
	metrics := &phx.Telemetry{Joined: func(phx.JoinEvent) { joins.Add(1) }}
	crashes := &phx.Telemetry{Crashed: func(e phx.CrashEvent) { fmt.Println("crashed:", e.Err) }}
	cfg := phx.Config{Telemetry: phx.JoinTelemetry(metrics, crashes)}
	fmt.Println(cfg.Telemetry.Joined != nil, cfg.Telemetry.Crashed != nil, cfg.Telemetry.Pushed != nil)
	// Output: true true false
}

// What a channel starts ends with it, and what a callback waits for ends with its
// client or after a second.
func ExampleChannel_Context() {
	fetch := func(ctx context.Context, what string) (string, error) { return what, ctx.Err() } // a query, say
	room := &phx.ChannelType{
		Timeout: time.Second,
		Joined: func(ch *phx.Channel, _ phx.Payload) error {
			ctx := ch.Context()
			go func() {
				for ticks := time.Tick(time.Minute); ; {
					select {
					case <-ticks:
						_ = ch.Push("time", map[string]any{"now": time.Now()}) // if it has ended, ctx has
					case <-ctx.Done():
						return // context.Cause(ctx) says why: phx.Left, phx.Closed …
					}
				}
			}()
			return nil
		},
		In: phx.Events{
			"load": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				rows, err := fetch(ch.CallbackContext(), "rows")
				if err != nil {
					return nil, err // late: the error reply "timeout"; gone: nobody is left to be told
				}
				return map[string]any{"rows": rows}, nil
			},
		},
	}
	fmt.Println(room.Timeout)
	// Output: 1s
}

// How many watch, on all nodes. Those that do not answer are told apart from those
// that have nobody.
func ExampleEndpoint_SubscribersEverywhere() {
	ep, err := phx.Start(phx.Config{Addr: phx.Off}) // with an Adapter, in a cluster
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ep.Shutdown(context.Background())
	n, err := ep.SubscribersEverywhere(context.Background(), "match:7")
	if silent := (*pubsub.SilentError)(nil); errors.As(err, &silent) {
		fmt.Println("at least", n, "watch;", silent.Nodes, "did not say")
		return
	}
	fmt.Println(n, "watch", err)
	// Output: 0 watch <nil>
}

// Nothing can be pushed before Join has returned. Joined comes right after it.
func ExampleChannelType_joined() {
	room := &phx.ChannelType{
		Joined: func(ch *phx.Channel, _ phx.Payload) error {
			return ch.Push("welcome", map[string]any{"topic": ch.Topic()})
		},
	}
	fmt.Println(room.Joined != nil)
	// Output: true
}

// What the server itself has for a channel goes to Info, in the channel's turn:
// here, what a timer sends until the channel is no more.
func ExampleChannel_Send() {
	type tick struct{}
	var again func(ch *phx.Channel)
	again = func(ch *phx.Channel) {
		time.AfterFunc(time.Second, func() {
			if ch.Send(tick{}) == nil {
				again(ch)
			}
		})
	}
	room := &phx.ChannelType{
		Joined: func(ch *phx.Channel, _ phx.Payload) error { again(ch); return nil },
		Info:   func(ch *phx.Channel, msg any) error { return ch.Push("tick", nil) },
	}
	fmt.Println(room.Info != nil)
	// Output: true
}

// A channel that listens to another topic sends on what its client should know.
func ExampleChannel_Subscribe() {
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) { return nil, ch.Subscribe("news") },
		Info: func(ch *phx.Channel, msg any) error {
			if b, ok := msg.(*phx.Broadcast); ok && b.Event == "headline" {
				return ch.Push("news", b.Payload)
			}
			return nil
		},
	}
	fmt.Println(room.Info != nil)
	// Output: true
}

// Hooks count what a metrics page shows.
func ExampleTelemetry() {
	connected, refused := expvar.NewInt("sockets_connected"), expvar.NewInt("sockets_refused")
	cfg := phx.Config{Telemetry: &phx.Telemetry{
		Connected: func(e phx.ConnectEvent) {
			if e.Err != nil {
				refused.Add(1)
			} else {
				connected.Add(1)
			}
		},
		Disconnected: func(phx.DisconnectEvent) { connected.Add(-1) },
	}}
	fmt.Println(cfg.Telemetry.Connected != nil, connected.Value())
	// Output: true 0
}
