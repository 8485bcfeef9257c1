package main

import (
	"encoding/json"

	"github.com/roost-rt/roost/server/phx"
)

// wsRoom is room:* of Phoenix's WebSocket tests.
func wsRoom() *phx.ChannelType {
	return &phx.ChannelType{
		Joined: announce,
		In: phx.Events{
			"new_msg":      newMsg,
			"boom":         crash,
			"binary_event": on(binaryEvent),
		},
		Intercept: []string{"new_msg"},
		Out:       addTransport,
		Terminate: sayBye,
	}
}

// lpRoom is room:* of Phoenix's long-poll tests.
func lpRoom() *phx.ChannelType {
	return &phx.ChannelType{
		Joined:    announce,
		In:        phx.Events{"new_msg": broadcast("new_msg"), "bin": on(acknowledge), "boom": crash},
		Intercept: []string{"new_msg", "bin_ack"},
		Out:       addTransport,
	}
}

// phxtest is phxtest:*: wsRoom with an event of lpRoom.
func phxtest() *phx.ChannelType {
	t := wsRoom()
	t.In["bin"] = on(acknowledge)
	return t
}

// announce tells the topic and the client of a join.
func announce(ch *phx.Channel, p phx.Payload) error {
	in := decode[struct{ User json.RawMessage }](p)
	if err := ch.Broadcast("user_entered", map[string]any{"user": in.User}); err != nil {
		return err
	}
	return ch.Push("joined", joined(ch))
}

// joined is the socket's assigns, with a status.
func joined(ch *phx.Channel) map[string]any {
	payload := map[string]any{"status": "connected", "user_id": ch.Value("user_id")}
	if info := ch.Value("connect_info"); info != nil {
		payload["connect_info"] = info
	}
	return payload
}

func newMsg(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Broadcast("new_msg", p) }

func binaryEvent(ch *phx.Channel, b phx.Binary) (any, error) {
	return append(b[:len(b):len(b)], 3, 4), ch.Push("binary_event", phx.Binary{0, 1})
}

func acknowledge(ch *phx.Channel, _ phx.Binary) (any, error) {
	return nil, ch.Broadcast("bin_ack", nil)
}

// addTransport names the receiver's transport, as an Elixir atom.
func addTransport(ch *phx.Channel, event string, p phx.Payload) error {
	return ch.Push(event, with(p, "transport", ":"+ch.Socket().Transport()))
}

// sayBye speaks to those who leave. To others nothing could come through, or, in
// place of a duplicate join, must not (spec §1.11).
func sayBye(ch *phx.Channel, why phx.Reason) {
	if why == phx.Left {
		_ = ch.Push("you_left", map[string]string{"message": "bye!"}) // the connection may have ended since
	}
}

// custom is custom:*, whose joins end as they say.
func custom() *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(_ *phx.Channel, p phx.Payload) (any, error) {
			switch decode[struct{ Action string }](p).Action {
			case "ok":
				return p, nil
			case "ignore":
				return nil, &phx.ReplyError{Response: p}
			}
			panic("asked to")
		},
		In: phx.Events{
			"close": func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Stop(phx.Shutdown) },
		},
	}
}
