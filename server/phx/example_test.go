package phx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/roost-rt/roost/server/phx"
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

// Nothing can be pushed before Join has returned. What is given to Send then
// reaches Info right after it.
func ExampleChannel_Send() {
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			return nil, ch.Send("after_join")
		},
		Info: func(ch *phx.Channel, msg any) error {
			return ch.Push("welcome", map[string]any{"topic": ch.Topic()})
		},
	}
	fmt.Println(room.Info != nil)
	// Output: true
}
