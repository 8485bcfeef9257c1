package phxtest_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// The application under test: rooms for those who have a name.
func mounts() []phx.Mount {
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			if ch.Topic() == "room:secret" {
				return nil, phx.Errorf("unauthorized")
			}
			return map[string]any{"you": ch.Value("user")}, ch.Send("joined")
		},
		In: phx.Events{
			"ping":   func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
			"shout":  func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("shout", p) },
			"typing": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.BroadcastFrom("typing", p) },
			"crash":  func(*phx.Channel, phx.Payload) (any, error) { return nil, errors.New("on purpose") },
			"stop":   func(*phx.Channel, phx.Payload) (any, error) { return phx.OK, phx.Stop(phx.Normal) },
		},
		Info: func(ch *phx.Channel, _ any) error {
			return ch.BroadcastFrom("joined", map[string]any{"who": ch.Value("user")})
		},
		Terminate: func(ch *phx.Channel, _ phx.Reason) {
			_ = ch.Socket().Endpoint().Broadcast(ch.Topic(), "left", map[string]any{"who": ch.Value("user")})
		},
	}
	return []phx.Mount{{
		Path: "/socket",
		Connect: func(s *phx.Socket, params phx.Params, _ *http.Request) error {
			name := params.String("name")
			if name == "" {
				return &phx.RefuseError{Status: http.StatusUnauthorized, Body: "who are you?"}
			}
			s.SetID("users:" + name)
			s.Assign("user", name)
			return nil
		},
		Routes: []phx.Route{{Pattern: "room:*", Type: room}},
	}}
}

// A test of a whole application, from connecting to leaving.
func TestExample(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: mounts()})
	phxtest.ConnectError(t, ep, "/socket", nil, http.StatusUnauthorized)
	ann := phxtest.Connect(t, ep, "/socket", phx.Params{"name": "ann"})
	bob := phxtest.Connect(t, ep, "/socket", phx.Params{"name": "bob"})
	ann.JoinError("room:secret", nil, map[string]any{"reason": "unauthorized"})

	room := ann.Join("room:1", nil)
	bobs := bob.Join("room:1", nil)
	room.ExpectPush("joined", map[string]any{"who": "bob"})

	type shout struct {
		Text string `json:"text"`
	}
	room.Push("ping", shout{"hello"}).ExpectReply("ok", shout{"hello"})
	room.Push("shout", shout{"hello all"}).RefuteReply()
	bobs.ExpectBroadcast("shout", shout{"hello all"})
	room.Push("typing", nil)
	bobs.ExpectBroadcast("typing", nil)
	room.RefutePush("typing", phxtest.Any)

	if err := ep.Broadcast("room:1", "news", map[string]any{"id": 7, "title": "Roost"}); err != nil {
		t.Fatal(err)
	}
	bobs.ExpectBroadcast("news", phxtest.Where(func(n struct{ ID int }) bool { return n.ID == 7 }))

	bobs.Leave()
	room.ExpectBroadcast("left", map[string]any{"who": "bob"})
	room.Push("crash", nil)
	room.ExpectError()
	ann.Close()
	if n := ep.Subscribers("room:1"); n != 0 {
		t.Errorf("%d subscribers after everybody has left", n)
	}
}
