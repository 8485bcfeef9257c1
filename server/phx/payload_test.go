package phx_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// An order is a payload that can be invalid.
type order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

func (o *order) Validate() error {
	if o.Count < 0 {
		return fmt.Errorf("order %v: %w", o, phx.Errorf("unheard of"))
	}
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
		{`[]`, `{"status":"error","response":{"reason":"invalid payload: array where an object is expected"}}`},
		{`{"count":-1}`, `{"status":"error","response":{"reason":"unheard of"}}`},
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

// picky is a payload with fields of all kinds.
type (
	Common struct { // its name must not show
		ID int `json:"id"`
	}
	picky struct {
		*Common
		Name   string           `json:"name"`
		Items  []item           `json:"items"`
		Prices map[string]*item `json:"prices"`
		Places map[int]bool     `json:"places"`
		Small  int8             `json:"small"`
		Share  float32          `json:"share"`
		Data   []byte           `json:"data"`
		From   netip.Addr       `json:"from"`
		At     time.Time        `json:"at"`
		Number json.Number      `json:"number"`
		Pair   [2]int           `json:"pair"`
		Any    fmt.Stringer     `json:"any"`
		Color  color            `json:"color"`
		Bare   int
	}
	item struct {
		Price float64 `json:"price"`
		Sold  bool    `json:"sold"`
	}
	color string
)

func (c *color) UnmarshalJSON(text []byte) error {
	if string(text) == `"red"` {
		return fmt.Errorf("color %s: %w", text, phx.Errorf("no red, please"))
	}
	return fmt.Errorf("*phx_test.color: %s", text)
}

// What clients are told of a payload that does not decode is in their words, and
// the log has what encoding/json says.
func TestDecodeErrors(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for _, tt := range []struct{ payload, want, log string }{
		{`7`, ": number where an object is expected", "picky"},
		{`{"name":7}`, ": name: number where a string is expected", "picky.name"},
		{`{"name":{"a":[1]}}`, ": name: object where a string is expected", "string"},
		{`{"NAME":false}`, ": NAME: boolean where a string is expected", "string"},
		{`{"id":"7"}`, ": id: string where an integer is expected", "int"},
		{`{"Bare":[]}`, ": Bare: array where an integer is expected", "int"},
		{`{"name":"x","items":[{"price":1},{"sold":true,"price":"2"}]}`, ": items.1.price: string where a number is expected", "float64"},
		{`{"items":[[],{}]}`, ": items.0: array where an object is expected", "item"},
		{`{"items":{}}`, ": items: object where an array is expected", "item"},
		{`{"prices":{"a":{"sold":true},"b.c":{"sold":"no"}}}`, ": prices.b.c.sold: string where a boolean is expected", "bool"},
		{`{"prices":{"` + long + `":[]}}`, ": prices." + long[:248] + "…: array where an object is expected", "item"},
		{`{"places":{"7":true,"x":true}}`, ": places.x: string where an integer is expected", "int"},
		{`{"small":300}`, ": small: number out of range", "int8"},
		{`{"small":3.5}`, ": small: number where an integer is expected", "int8"},
		{`{"share":1e300}`, ": share: number out of range", "float32"},
		{`{"data":7}`, ": data: number where a string is expected", "uint8"},
		{`{"from":7}`, ": from: number where a string is expected", "netip.Addr"},
		{`{"number":true}`, ": number: boolean where a number is expected", "json.Number"},
		{`{"pair":"x"}`, ": pair: string where an array is expected", "[2]int"},
		{`{"any":"x"}`, ": any: unexpected string", "fmt.Stringer"},
		{`{"data":"!"}`, "", "base64"},
		{`{"from":"x"}`, "", "ParseAddr"},
		{`{"at":7}`, "", "Time.UnmarshalJSON"},
		{`{"color":"blue"}`, "", "phx_test.color"},
		{`{`, ": not JSON", "unexpected end"},
	} {
		var refusal *phx.ReplyError
		err := phx.PayloadOf(tt.payload).Decode(new(picky))
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v, want a ReplyError", tt.payload, err)
			continue
		}
		if got := fmt.Sprint(refusal.Response); got != "map[reason:invalid payload"+tt.want+"]" {
			t.Errorf("%s: the client is told %s, want %q", tt.payload, got, tt.want)
		}
		if !strings.Contains(err.Error(), tt.log) {
			t.Errorf("%s: the log is told %v, want %q", tt.payload, err, tt.log)
		}
	}
	var refusal *phx.ReplyError
	if err := phx.PayloadOf(`{"color":"red"}`).Decode(new(picky)); !errors.As(err, &refusal) || fmt.Sprint(refusal.Response) != "map[reason:no red, please]" {
		t.Errorf("what UnmarshalJSON has for the client becomes %v", err)
	}
	if err := phx.PayloadOf(`{}`).Decode(picky{}); err == nil || errors.As(err, &refusal) {
		t.Errorf("decoding into no pointer: %v, want an error that is not the client's", err)
	}
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

// A payload that is encoded once goes to all as it is.
func TestEncode(t *testing.T) {
	p, err := phx.Encode(map[string]any{"a": json.RawMessage(`[ 1 ]`)})
	if err != nil || string(p.JSON()) != `{"a":[1]}` {
		t.Errorf("%s, %v", p.JSON(), err)
	}
	if _, err := phx.Encode(func() {}); err == nil {
		t.Error("a function is JSON")
	}
}
