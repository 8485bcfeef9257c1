package phx_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// An order is a payload that can be invalid.
type order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

func (o *order) Validate() error {
	if o.Count < 1 {
		return errors.New("count must be positive")
	}
	return nil
}

// What does not decode or validate is answered, and the handler never sees it.
func TestOn(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "shop", Type: &phx.ChannelType{In: phx.Events{
		"buy": phx.On(func(_ *phx.Channel, o order) (any, error) { return fmt.Sprint(o.Count, " ", o.Item), nil }),
		"raw": phx.On(func(_ *phx.Channel, b phx.Binary) (any, error) { return len(b), nil }),
	}}})
	c := dial(t, ep)
	c.join("shop")
	for _, tt := range []struct{ payload, want string }{
		{`{"item":"tea","count":2}`, `{"status":"ok","response":"2 tea"}`},
		{`{"item":"tea"}`, `{"status":"error","response":{"reason":"count must be positive"}}`},
		{`[]`, `{"status":"error","response":{"reason":"invalid payload: json: cannot unmarshal array into Go value of type phx_test.order"}}`},
	} {
		c.say(`["1","2","shop","buy",` + tt.payload + `]`)
		c.want(`["1","2","shop","phx_reply",` + tt.want + `]`)
	}
	c.send(ws.OpBinary, []byte("\x00\x01\x01\x04\x0312shopbuy\xff"))
	c.want(`["1","2","shop","phx_reply",{"status":"error","response":{"reason":"invalid payload: binary, want JSON"}}]`)
	c.send(ws.OpBinary, []byte("\x00\x01\x01\x04\x0312shopraw\xff\xfe"))
	c.want(`["1","2","shop","phx_reply",{"status":"ok","response":2}]`)
	c.say(`["1","2","shop","raw","x"]`)
	c.want(`["1","2","shop","phx_reply",{"status":"error","response":{"reason":"invalid payload: JSON, want binary"}}]`)
}

// Binary payloads travel in binary frames, in all directions (spec §2.3).
func TestBinary(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		Join: func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
		In: phx.Events{
			"reply":     echo,
			"push":      func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Push("p", p) },
			"broadcast": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("b", p) },
			"own": func(_ *phx.Channel, p phx.Payload) (any, error) {
				b, ok := p.Binary()
				return phx.Binary(fmt.Append(nil, b, ok, p.JSON() == nil)), nil
			},
		},
	}})
	c := dial(t, ep)
	for _, tt := range []struct{ send, want string }{
		{"\x00\x01\x01\x06\x0811room:aphx_join\x09\x08", "\x01\x01\x01\x06\x0211room:aok\x09\x08"},
		{"\x00\x01\x01\x06\x0512room:areply\xff\x00", "\x01\x01\x01\x06\x0212room:aok\xff\x00"},
		{"\x00\x01\x01\x06\x0413room:apush\x01", "\x00\x01\x06\x011room:ap\x01"},
		{"\x00\x01\x01\x06\x0914room:abroadcast\x02", "\x02\x06\x01room:ab\x02"},
		{"\x00\x01\x01\x06\x0315room:aown\x03", "\x01\x01\x01\x06\x0215room:aok[3] true true"},
	} {
		c.send(ws.OpBinary, []byte(tt.send))
		if f := c.next(); f.Op != ws.OpBinary || string(f.Payload) != tt.want {
			t.Errorf("after %q: got opcode %#x and %q, want %q", tt.send, f.Op, f.Payload, tt.want)
		}
	}
	c.send(ws.OpBinary, []byte("\x00\x00\x02\x07\x09hbphoenixheartbeat"))
	c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}
