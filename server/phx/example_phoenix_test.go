package phx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
	"github.com/roost-rt/roost/server/token"
)

// The Go side of FROM-PHOENIX.md. A region between "doc:NAME" and "doc:end" stands
// there as it is here, which TestSnippets in server/ holds.

type newMsg struct {
	Body string `json:"body"`
}

func TestFromPhoenix(t *testing.T) {
	secret := "of 48 random bytes, the same as in config/runtime.exs"
	// doc:token
	tokens, err := token.New(secret, token.Config{}) // secret_key_base of the Phoenix application
	// doc:end
	if err != nil {
		t.Fatal(err)
	}
	// doc:mount
	mount := phx.Mount{
		Path: "/socket",
		Connect: func(s *phx.Socket, params phx.Params, _ *http.Request) error {
			user, err := token.VerifyAs[int](tokens, "user socket", params.String("token"), 14*24*time.Hour)
			if err != nil {
				return errors.New("unknown token")
			}
			s.Assign("user_id", user)
			s.SetID(fmt.Sprint("users_socket:", user))
			return nil
		},
		LongPoll: &phx.LongPoll{},
	}
	// doc:end
	// doc:room
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			if ch.Topic() == "room:secret" {
				return nil, phx.Errorf("unauthorized")
			}
			return map[string]any{"you": ch.Value("user_id")}, nil
		},
		Joined: func(ch *phx.Channel, _ phx.Payload) error {
			return ch.Push("welcome", map[string]any{"topic": ch.Topic()})
		},
		In: phx.Events{
			"new_msg": phx.On(func(ch *phx.Channel, m newMsg) (any, error) {
				return nil, ch.Broadcast("new_msg", m) // {:noreply, socket}
			}),
			"typing": func(ch *phx.Channel, p phx.Payload) (any, error) {
				return nil, ch.BroadcastFrom("typing", p)
			},
			"ping": func(_ *phx.Channel, p phx.Payload) (any, error) {
				return p, nil // {:reply, {:ok, payload}, socket}
			},
			"delete": func(*phx.Channel, phx.Payload) (any, error) {
				return nil, phx.Errorf("not_yours") // {:reply, {:error, %{reason: "not_yours"}}, socket}
			},
			"quit": func(*phx.Channel, phx.Payload) (any, error) {
				return phx.OK, phx.Stop(phx.Normal) // {:stop, :normal, {:ok, %{}}, socket}
			},
		},
	}
	// doc:end
	// doc:intercept
	moderated := &phx.ChannelType{
		Intercept: []string{"new_msg"},
		Out: func(ch *phx.Channel, event string, p phx.Payload) error {
			var m newMsg
			if err := p.Decode(&m); err != nil || blocks(ch, m) {
				return err // without an error: not for this client
			}
			return ch.Push(event, p)
		},
	}
	// doc:end
	// doc:info
	type tick time.Time
	clock := &phx.ChannelType{
		Joined: func(ch *phx.Channel, _ phx.Payload) error {
			time.AfterFunc(time.Millisecond, func() { _ = ch.Send(tick(time.Now())) }) // fails once the channel has ended
			return ch.Subscribe("announcements")
		},
		Info: func(ch *phx.Channel, msg any) error {
			switch m := msg.(type) {
			case tick:
				return ch.Push("tick", map[string]any{"at": time.Time(m)})
			case *phx.Broadcast: // of a topic that it subscribed to
				return ch.Push("announcement", m.Payload)
			}
			return nil
		},
	}
	// doc:end
	// doc:presence
	here := presence.New(presence.Config{})
	office := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			_, err := here.Track(ch, "ann", map[string]any{"online_at": time.Now().Unix()})
			return nil, err
		},
		Joined: func(ch *phx.Channel, _ phx.Payload) error { return here.PushState(ch) },
	}
	// doc:end
	mount.Routes = []phx.Route{
		{Pattern: "room:*", Type: room}, {Pattern: "moderated:*", Type: moderated},
		{Pattern: "clock", Type: clock}, {Pattern: "office", Type: office},
	}
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{mount}})
	if err := here.Attach(ep.Endpoint); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(here.Close)
	signed, err := tokens.Sign("user socket", 7)
	if err != nil {
		t.Fatal(err)
	}
	// doc:test
	ann := phxtest.Connect(t, ep, "/socket", phx.Params{"token": signed})
	lobby := ann.Join("room:lobby", nil)
	lobby.ExpectPush("welcome", map[string]any{"topic": "room:lobby"})
	lobby.Push("ping", map[string]any{"n": 1}).ExpectReply("ok", map[string]any{"n": 1})
	lobby.Push("new_msg", newMsg{"hi"})
	lobby.ExpectBroadcast("new_msg", newMsg{"hi"})
	lobby.RefutePush("welcome", phxtest.Any)
	// doc:end
	lobby.Push("delete", nil).ExpectReply("error", map[string]any{"reason": "not_yours"})
	lobby.Push("quit", nil).ExpectReply("ok", nil)
	ann.Join("clock", nil).ExpectPush("tick", phxtest.Any)
	ann.Join("office", nil).ExpectPush("presence_state", phxtest.Any)
	ann.Join("moderated:1", nil)
	outside(t, ep.Endpoint)
}

// blocks says whether the channel's user does not want to hear from somebody.
func blocks(*phx.Channel, newMsg) bool { return false }

// outside does what no channel does.
func outside(t *testing.T, ep *phx.Endpoint) {
	// doc:endpoint
	err := ep.Broadcast("room:lobby", "new_msg", newMsg{Body: "maintenance at noon"})
	// doc:end
	if err != nil {
		t.Error(err)
	}
	// doc:disconnect
	err = ep.Broadcast("users_socket:7", "disconnect", nil)
	// doc:end
	if err != nil {
		t.Error(err)
	}
	// doc:subscribe
	cancel := ep.Subscribe("room:lobby", func(b phx.Broadcast) {
		// on a goroutine of its own, in order
	})
	// doc:end
	cancel()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if _, err := ep.SubscribersEverywhere(ctx, "room:lobby"); err != nil {
		t.Error(err)
	}
}
