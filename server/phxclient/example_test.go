package phxclient_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxclient"
)

// doc:bot
// greet answers everybody in a room who says hello, until ctx is done.
func greet(ctx context.Context, url string) error {
	client, err := phxclient.Dial(ctx, url, phxclient.Config{Logger: slog.Default()})
	if err != nil {
		return err // a *phxclient.RefusedError if the server does not want us
	}
	defer client.Close()

	room := client.Channel("room:lobby", map[string]any{"name": "bot"})
	messages := room.Messages(ctx) // before Join, so that none is missed
	if _, err := room.Join(ctx); err != nil {
		return err // a *phxclient.ReplyError if the channel does not
	}
	for m := range messages {
		switch m.Event {
		case phxclient.Joined: // now, and again after a lost connection or a crash
			fmt.Printf("joined: %s\n", m.JSON)
		case "new_msg":
			var msg struct{ From, Body string }
			if err := m.Decode(&msg); err != nil || msg.Body != "hello" {
				continue
			}
			answer, err := room.Request(ctx, "new_msg", map[string]any{"body": "hello, " + msg.From})
			if err != nil {
				return err
			}
			fmt.Printf("answered: %s\n", answer.JSON)
		}
	}
	return ctx.Err() // nil: the server has closed the channel
}

// doc:end

func Example() {
	lobby := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			return map[string]any{"members": 2}, ch.Send("joined")
		},
		Info: func(ch *phx.Channel, _ any) error {
			return ch.Push("new_msg", map[string]any{"from": "ann", "body": "hello"})
		},
		In: phx.Events{"new_msg": func(_ *phx.Channel, p phx.Payload) (any, error) {
			return p, phx.Stop(phx.Normal) // which ends the bot, too
		}},
	}
	ep, err := phx.Start(phx.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Mounts: []phx.Mount{{
		Path: "/socket", Routes: []phx.Route{{Pattern: "room:lobby", Type: lobby}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ep.Shutdown(context.Background())
	fmt.Println(greet(context.Background(), "ws://"+ep.Addr().String()+"/socket"))
	// Output:
	// joined: {"members":2}
	// answered: {"body":"hello, ann"}
	// <nil>
}
