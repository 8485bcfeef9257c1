package phx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// mailboxBytes returns the bytes that all mailboxes hold.
func mailboxBytes(ep *phx.Endpoint) int64 {
	for _, b := range ep.Budgets() {
		if b.Name == "mailbox bytes" {
			return b.Used
		}
	}
	return -1
}

// heldRoom is a channel type whose callbacks, Join if it is asked to, wait at the
// gate and then end as end does.
func heldRoom(g *gate, end func() error) *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(_ *phx.Channel, p phx.Payload) (any, error) {
			if string(p.JSON()) != `"held"` {
				return nil, nil
			}
			g.pass()
			return nil, end()
		},
		Event:     func(*phx.Channel, string, phx.Payload) (any, error) { g.pass(); return nil, end() },
		Terminate: func(*phx.Channel, phx.Reason) {},
	}
}

// However a message leaves a mailbox, it counts no more, and not before.
func TestMailboxSum(t *testing.T) {
	fine := func() error { return nil }
	broken := func() error { panic("on purpose") }
	const join, held, block = `["1","1","room","phx_join",{}]`, `["1","1","room","phx_join","held"]`, `["1","2","room","block",{}]`
	for name, c := range map[string]struct {
		say  []string // the callback of the last one waits
		end  func() error
		also func(*client) // before the callback ends
	}{
		"done":                 {say: []string{join, block}, end: fine},
		"error":                {say: []string{join, block}, end: func() error { return errors.New("on purpose") }},
		"panic":                {say: []string{join, block}, end: broken},
		"Goexit":               {say: []string{join, block}, end: leave},
		"leave":                {say: []string{join, block}, end: fine, also: func(c *client) { c.say(`["1","9","room","phx_leave",{}]`) }},
		"hung up":              {say: []string{join, block}, end: fine, also: func(c *client) { c.hangUp(false) }},
		"hung up rudely":       {say: []string{join, block}, end: broken, also: func(c *client) { c.hangUp(true) }},
		"hung up, Goexit":      {say: []string{join, block}, end: leave, also: func(c *client) { c.hangUp(true) }},
		"duplicate join":       {say: []string{join, block}, end: fine, also: func(c *client) { c.say(`["2","9","room","phx_join",{}]`) }},
		"joined":               {say: []string{held}, end: fine},
		"join refused":         {say: []string{held}, end: func() error { return &phx.ReplyError{} }},
		"join panics":          {say: []string{held}, end: broken},
		"join Goexit":          {say: []string{held}, end: leave},
		"adopted by next join": {say: []string{held}, end: broken, also: func(c *client) { c.say(`["2","9","room","phx_join",{}]`, `["2","10","room","e",{}]`) }},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate()
			ep := start(t, phx.Route{Pattern: "room", Type: heldRoom(g, c.end)})
			client := dial(t, ep)
			client.say(c.say...)
			within(t, "callback", g.entered)
			client.say(fmt.Sprintf(`["1","3","room","e",%q]`, strings.Repeat("x", 50_000)))
			eventually(t, "the message counts", func() bool { return mailboxBytes(ep) >= 50_000 })
			if c.also != nil {
				c.also(client)
			}
			close(g.open)
			eventually(t, "nothing counts", func() bool { return mailboxBytes(ep) == 0 })
		})
	}
}

// The same of raw sockets.
func TestRawMailboxSum(t *testing.T) {
	for name, end := range map[string]func() error{
		"done": func() error { return nil }, "error": func() error { return errors.New("on purpose") },
		"panic": func() error { panic("on purpose") }, "Goexit": leave,
	} {
		for _, hangUp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, hung up %t", name, hangUp), func(t *testing.T) {
				g := newGate()
				ep := startRaw(t, phx.Mount{Raw: &phx.RawType{In: func(*phx.RawSocket, []byte, bool) error { g.pass(); return end() }}})
				c := dialAt(t, ep, "/raw/websocket")
				c.send(ws.OpText, make([]byte, 30_000))
				within(t, "call of In", g.entered)
				c.send(ws.OpText, make([]byte, 30_000))
				eventually(t, "what waits counts, and what is being done", func() bool { return mailboxBytes(ep) >= 60_000 })
				if hangUp {
					c.hangUp(true)
				}
				close(g.open)
				eventually(t, "nothing counts", func() bool { return mailboxBytes(ep) == 0 })
			})
		}
	}
}

// When mailboxes hold MailboxesMax, clients get no more in, joins included, except a
// little each: no one is silenced by others.
func TestMailboxesMax(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{MailboxesMax: 400_000, Mounts: []phx.Mount{
		{Path: "/socket", Routes: []phx.Route{
			{Pattern: "held", Type: heldRoom(g, func() error { return nil })},
			{Pattern: "room", Type: transcriptRoom()},
		}},
		{Path: "/raw", Raw: &phx.RawType{In: func(s *phx.RawSocket, data []byte, binary bool) error { return s.Push(data, binary) }}},
	}})
	large := strings.Repeat("x", 100_000)
	var greedy []*client
	for range 2 {
		c := dial(t, ep)
		c.join("held")
		c.say(`["1","2","held","block",{}]`)
		within(t, "call of the handler", g.entered)
		c.say(fmt.Sprintf(`["1","3","held","e",%q]`, large), fmt.Sprintf(`["1","4","held","e",%q]`, large))
		greedy = append(greedy, c)
	}
	eventually(t, "the budget is used up", func() bool { return ep.Ready() != nil })
	overloaded := `"phx_reply",{"status":"error","response":{"reason":"overloaded"}}]`
	for _, c := range greedy {
		c.say(`["1","5","held","e",{}]`)
		c.want(`["1","5","held",` + overloaded)
	}

	bystander := dial(t, ep)
	bystander.join("room")
	bystander.say(`["1","2","room","echo",7]`)
	bystander.want(`["1","2","room","phx_reply",{"status":"ok","response":7}]`)
	bystander.say(fmt.Sprintf(`["1","3","room","echo",%q]`, large))
	bystander.want(`["1","3","room",` + overloaded)
	bystander.say(fmt.Sprintf(`["2","4","room","phx_join",%q]`, large)) // the channel that it has stays
	bystander.want(`["2","4","room",` + overloaded)
	bystander.say(`["1","5","room","echo",8]`)
	bystander.want(`["1","5","room","phx_reply",{"status":"ok","response":8}]`)
	raw := dialAt(t, ep, "/raw/websocket")
	raw.send(ws.OpText, []byte("small"))
	if f := raw.next(); string(f.Payload) != "small" {
		t.Errorf("a raw socket got %q, want its small message", f.Payload)
	}
	raw.send(ws.OpText, []byte(large))
	raw.wantClosed(1008)

	close(g.open)
	eventually(t, "the endpoint is ready", func() bool { return ep.Ready() == nil && mailboxBytes(ep) == 0 })
	bystander.say(fmt.Sprintf(`["1","6","room","echo",%q]`, large))
	bystander.want(fmt.Sprintf(`["1","6","room","phx_reply",{"status":"ok","response":%q}]`, large))
}

// A broadcast is there once, however many wait for it: it does not count for each.
func TestBroadcastsDoNotFillMailboxes(t *testing.T) {
	const channels = 10
	g := newGate()
	ep := startConfig(t, phx.Config{MailboxesMax: 100_000, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{
		{Pattern: "room", Type: &phx.ChannelType{
			Intercept: []string{"news"},
			Out:       func(*phx.Channel, string, phx.Payload) error { g.pass(); return nil },
		}},
	}}}})
	for range channels {
		dial(t, ep).join("room")
	}
	for range 3 {
		if err := ep.Broadcast("room", "news", map[string]string{"text": strings.Repeat("x", 100_000)}); err != nil {
			t.Fatal(err)
		}
	}
	for range channels {
		within(t, "call of Out", g.entered)
	}
	close(g.open)
	for range 2 * channels { // none of them was closed for what waits
		within(t, "call of Out", g.entered)
	}
	if n := mailboxBytes(ep); n != 0 {
		t.Errorf("mailboxes hold %d bytes of broadcasts, want none", n)
	}
}
