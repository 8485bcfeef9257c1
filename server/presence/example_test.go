package presence_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// Everyone in a room sees who else is there: new Presence(channel) of the official
// client needs no more than this.
func Example() {
	here := presence.New(presence.Config{Logger: slog.New(slog.DiscardHandler)})
	room := &phx.ChannelType{
		Join: phx.On(func(ch *phx.Channel, in struct{ User string }) (any, error) {
			_, err := here.Track(ch, in.User, map[string]string{"status": "online"})
			return nil, err
		}),
		Joined: func(ch *phx.Channel, _ phx.Payload) error { return here.PushState(ch) },
		In: phx.Events{
			"status": func(ch *phx.Channel, p phx.Payload) (any, error) {
				_, err := here.Update(ch, "ann", p)
				return phx.OK, err
			},
		},
	}
	ep, err := phx.Start(phx.Config{
		Addr:   "127.0.0.1:0",
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := here.Attach(ep); err != nil {
		fmt.Println(err)
	}
	fmt.Println(here.Count("room:lobby"), "in the lobby")

	here.Close() // first: other nodes hear at once that these people have left
	if err := ep.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: 0 in the lobby
}

// Names come from a database rather than from metas, with one query for everyone in a
// diff or a state.
func ExampleConfig_fetch() {
	names := func(ids []string) map[string]string { // SELECT id, name FROM users WHERE id IN …
		return map[string]string{"7": "Ann", "8": "Bob"}
	}
	_ = presence.New(presence.Config{
		Fetch: func(_ string, entries map[string]*presence.Entry) {
			var ids []string
			for id := range entries {
				ids = append(ids, id)
			}
			for id, name := range names(ids) {
				if e := entries[id]; e != nil {
					e.Fields = map[string]any{"name": name}
				}
			}
		},
	})
	// Output:
}
