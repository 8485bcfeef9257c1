package phx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// notes is middleware that writes down what it is called for, and what comes back.
func (j *journal) notes(name string) phx.Middleware {
	return func(c *phx.Call, next func() (any, error)) (any, error) {
		j.add("%s: %s %s %s %s", name, c.Channel.Topic(), c.Callback, c.Event, c.Payload.JSON())
		result, err := next()
		text, _ := json.Marshal(result)
		j.add("%s: %s returns %s, %s", name, c.Callback, text, short(err))
		return result, err
	}
}

// Every callback has the middleware around it, the first outermost, and Join has
// also where there is no callback.
func TestMiddleware(t *testing.T) {
	var j journal
	ep := start(t,
		phx.Route{Pattern: "bare", Type: &phx.ChannelType{Middleware: []phx.Middleware{j.notes("bare")}}},
		phx.Route{Pattern: "*", Type: &phx.ChannelType{
			Middleware: []phx.Middleware{j.notes("outer"), j.notes("inner")},
			Join:       func(*phx.Channel, phx.Payload) (any, error) { return "in", nil },
			Joined:     func(ch *phx.Channel, _ phx.Payload) error { return ch.Send("info") },
			In:         phx.Events{"echo": echo, "die": func(*phx.Channel, phx.Payload) (any, error) { panic("oh") }},
			Event:      func(_ *phx.Channel, event string, _ phx.Payload) (any, error) { return nil, phx.Errorf("no %s", event) },
			Intercept:  []string{"seen"},
			Out:        func(ch *phx.Channel, event string, p phx.Payload) error { return ch.Push(event, p) },
			Info:       func(*phx.Channel, any) error { return nil },
			Terminate:  func(*phx.Channel, phx.Reason) {},
		}})
	c := dial(t, ep)
	both := func(call, result string) (lines []string) {
		var name, topic string
		fmt.Sscan(call, &topic, &name)
		return []string{"outer: " + call, "inner: " + call, "inner: " + name + " returns " + result, "outer: " + name + " returns " + result}
	}
	var want []string
	for _, step := range []struct {
		say, answer  string
		call, result string
	}{
		{`["1","1","a","phx_join",{"x":1}]`, `["1","1","a","phx_reply",{"status":"ok","response":"in"}]`, `a Join  {"x":1}`, `"in", <nil>`},
		{"", "", `a Joined  {"x":1}`, "null, <nil>"},
		{"", "", `a Info  {}`, "null, <nil>"},
		{`["1","2","a","echo",{"y":2}]`, `["1","2","a","phx_reply",{"status":"ok","response":{"y":2}}]`, `a In echo {"y":2}`, `{"y":2}, <nil>`},
		{`["1","3","a","odd",{}]`, `["1","3","a","phx_reply",{"status":"error","response":{"reason":"no odd"}}]`, `a Event odd {}`, `null, error reply: {"reason":"no odd"}`},
		{"", `["1",null,"a","seen",{"z":3}]`, `a Out seen {"z":3}`, "null, <nil>"},
		{`["1","4","a","die",{}]`, `["1","1","a","phx_error",{"reason":"channel_crash"}]`, `a In die {}`, "null, panic: oh"},
		{"", "", `a Terminate  {}`, "null, <nil>"},
	} {
		switch {
		case step.say != "":
			c.say(step.say)
		case step.answer != "":
			if err := ep.Broadcast("a", "seen", map[string]int{"z": 3}); err != nil {
				t.Fatal(err)
			}
		}
		if step.answer != "" {
			c.want(step.answer)
		}
		want = append(want, both(step.call, step.result)...)
	}
	j.want(t, want...)
	c.join("bare")
	j.want(t, append(want, "bare: bare Join  {}", "bare: Join returns null, <nil>")...)
}

// What middleware returns takes the place of the callback's result, and a callback
// that it does not ask for does not run. Its own panic is a crash as the callback's.
func TestMiddlewareDecides(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Middleware: []phx.Middleware{
			func(c *phx.Call, next func() (any, error)) (any, error) {
				result, err := next()
				if c.Event == "panic" {
					return "caught: " + short(err), nil
				}
				return result, err
			},
			func(c *phx.Call, next func() (any, error)) (any, error) {
				switch {
				case c.Channel.Topic() == "secret", c.Event == "forbidden":
					return nil, phx.Errorf("unauthorized")
				case c.Event == "panic":
					panic("middleware")
				case c.Event == "crash":
					return nil, fmt.Errorf("crash")
				}
				return next()
			},
		},
		Event: func(_ *phx.Channel, event string, _ phx.Payload) (any, error) {
			if event != "allowed" {
				t.Errorf("the callback runs for %s", event)
			}
			return phx.OK, nil
		},
	}})
	c := dial(t, ep)
	c.say(`["1","1","secret","phx_join",{}]`)
	c.want(`["1","1","secret","phx_reply",{"status":"error","response":{"reason":"unauthorized"}}]`)
	c.join("a")
	for event, want := range map[string]string{
		"allowed":   `{"status":"ok","response":{}}`,
		"forbidden": `{"status":"error","response":{"reason":"unauthorized"}}`,
		"panic":     `{"status":"ok","response":"caught: panic: middleware"}`,
	} {
		c.say(`["1","2","a","` + event + `",{}]`)
		c.want(`["1","2","a","phx_reply",` + want + `]`)
	}
	c.say(`["1","2","a","crash",{}]`)
	c.want(`["1","1","a","phx_error",{"reason":"channel_crash"}]`)
}

// rawNotes is notes for raw sockets.
func (j *journal) rawNotes(name string) phx.RawMiddleware {
	return func(c *phx.RawCall, next func() error) error {
		j.add("%s: %s %q %v %v %v %s", name, c.Callback, c.Data, c.Binary, c.Ping, c.Message, c.Reason)
		err := next()
		j.add("%s: %s returns %s", name, c.Callback, short(err))
		return err
	}
}

// Raw sockets have middleware as channels do.
func TestRawMiddleware(t *testing.T) {
	var j journal
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/raw", Raw: &phx.RawType{
		Middleware: []phx.RawMiddleware{j.rawNotes("outer"), j.rawNotes("inner")},
		Open:       func(s *phx.RawSocket) error { return s.Send("info") },
		In: func(_ *phx.RawSocket, data []byte, _ bool) error {
			if string(data) == "die" {
				panic("oh")
			}
			return nil
		},
		Control:   func(*phx.RawSocket, bool, []byte) error { return nil },
		Info:      func(*phx.RawSocket, any) error { return nil },
		Terminate: func(*phx.RawSocket, phx.Reason) {},
	}}}})
	c := dialAt(t, ep, "/raw/websocket")
	var want []string
	for _, step := range []struct {
		send         func()
		call, result string
	}{
		{func() {}, `Open "" false false <nil> `, "<nil>"},
		{func() {}, `Info "" false false info `, "<nil>"},
		{func() { c.send(ws.OpBinary, []byte("a")) }, `In "a" true false <nil> `, "<nil>"},
		{func() { c.send(ws.OpPing, []byte("p")) }, `Control "p" false true <nil> `, "<nil>"},
		{func() { c.say("die") }, `In "die" false false <nil> `, "panic: oh"},
		{func() { c.hangUp(false) }, `Terminate "" false false <nil> crash`, "<nil>"},
	} {
		step.send()
		name, _, _ := strings.Cut(step.call, " ")
		want = append(want, "outer: "+step.call, "inner: "+step.call, "inner: "+name+" returns "+step.result, "outer: "+name+" returns "+step.result)
		if name != "Open" { // which has Info called
			j.want(t, want...)
		}
	}
}

// What raw middleware returns takes the place of the callback's error, and one that it
// does not ask for does not run. Contexts are passed on.
func TestRawMiddlewareDecides(t *testing.T) {
	type key struct{}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/raw", Raw: &phx.RawType{
		Middleware: []phx.RawMiddleware{
			func(c *phx.RawCall, next func() error) error {
				c.SetContext(context.WithValue(c.Context(), key{}, "value"))
				err := next()
				if string(c.Data) == "panic" {
					return c.Socket.Push([]byte("caught: "+short(err)), false)
				}
				return err
			},
			func(c *phx.RawCall, next func() error) error {
				switch string(c.Data) {
				case "panic":
					panic("middleware")
				case "forbidden":
					return &phx.CloseError{Code: 4003}
				}
				return next()
			},
		},
		In: func(s *phx.RawSocket, data []byte, _ bool) error {
			return s.Push(fmt.Appendf(data, " %v", s.CallbackContext().Value(key{})), false)
		},
	}}}})
	c := dialAt(t, ep, "/raw/websocket")
	c.say("allowed")
	c.want("allowed value")
	c.say("panic")
	c.want("caught: panic: middleware")
	c.say("forbidden")
	c.wantClosed(4003)
}
