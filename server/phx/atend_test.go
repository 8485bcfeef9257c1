package phx_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// atEnd is a watcher that is a function.
type atEnd struct{ do func(*phx.Channel) }

func (w *atEnd) ChannelEnded(ch *phx.Channel) { w.do(ch) }

// However a channel ends, each watcher given to AtEnd is told once, after Terminate.
func TestAtEnd(t *testing.T) {
	ends := make(chan string, 8)
	first := &atEnd{func(*phx.Channel) { ends <- "first" }}
	last := &atEnd{func(*phx.Channel) { ends <- "last"; panic("on purpose") }}
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			for _, w := range []*atEnd{first, last, first, last} {
				ch.AtEnd(w)
			}
			switch string(p.JSON()) {
			case `{"refuse":1}`:
				return nil, phx.Errorf("no")
			case `{"crash":1}`:
				panic("on purpose")
			case `{"exit":1}`:
				runtime.Goexit()
			}
			return nil, nil
		},
		In: phx.Events{
			"exit": func(*phx.Channel, phx.Payload) (any, error) { runtime.Goexit(); return nil, nil },
			"wrong": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				ch.Assign("exit", true)
				return phx.Reply{Status: "ok"}, nil
			},
			"crash": func(*phx.Channel, phx.Payload) (any, error) { return nil, errors.New("on purpose") },
			"stop":  func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Stop(phx.Normal) },
		},
		Terminate: func(ch *phx.Channel, _ phx.Reason) {
			ends <- "Terminate"
			if ch.Value("exit") != nil {
				runtime.Goexit()
			}
		},
	}
	for _, tt := range []struct {
		name, join string
		end        func(c *client)
		refused    bool
	}{
		{"leave", `{}`, func(c *client) { c.say(`["1","2","room:a","phx_leave",{}]`) }, false},
		{"crash", `{}`, func(c *client) { c.say(`["1","2","room:a","crash",{}]`) }, false},
		{"stop", `{}`, func(c *client) { c.say(`["1","2","room:a","stop",{}]`) }, false},
		{"end of the connection", `{}`, func(c *client) { c.conn.Close() }, false},
		{"Goexit", `{}`, func(c *client) { c.say(`["1","2","room:a","exit",{}]`) }, false},
		{"Goexit of Terminate", `{}`, func(c *client) {
			c.say(`["1","2","room:a","wrong",{}]`)
			c.next()
			c.say(`["1","3","room:a","phx_leave",{}]`)
		}, false},
		{"Goexit of the join", `{"exit":1}`, func(*client) {}, true},
		{"refusal", `{"refuse":1}`, func(*client) {}, true},
		{"crash of the join", `{"crash":1}`, func(*client) {}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := start(t, phx.Route{Pattern: "room:*", Type: room})
			c := dial(t, ep)
			c.say(`["1","1","room:a","phx_join",` + tt.join + `]`)
			c.next()
			tt.end(c)
			want := []string{"Terminate", "last", "first"}
			if tt.refused {
				want = want[1:]
			}
			for _, want := range want {
				if got := within(t, want, ends); got != want {
					t.Fatalf("%s came, want %s", got, want)
				}
			}
			c.conn.Close()
			shutdown(t, ep)
			if len(ends) > 0 {
				t.Errorf("%s came as well", <-ends)
			}
		})
	}
}

// The one that takes the place of another joins after the end of that.
func TestAtEndOfDuplicate(t *testing.T) {
	order := make(chan string, 8)
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			order <- "join " + ch.JoinRef()
			ch.AtEnd(&atEnd{func(*phx.Channel) { order <- "end " + ch.JoinRef() }})
			return nil, nil
		},
	}})
	c := dial(t, ep)
	c.say(`["1","1","room:a","phx_join",{}]`, `["2","2","room:a","phx_join",{}]`)
	for _, want := range []string{"join 1", "end 1", "join 2"} {
		if got := within(t, want, order); got != want {
			t.Fatalf("%s came, want %s", got, want)
		}
	}
}

// Once the channel has ended, AtEnd does not wait.
func TestAtEndAfterwards(t *testing.T) {
	channels := make(chan *phx.Channel, 1)
	ended := make(chan bool, 1)
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			channels <- ch
			ch.AtEnd(&atEnd{func(*phx.Channel) { ended <- true }})
			return nil, nil
		},
	}})
	c := dial(t, ep)
	c.join("room:a")
	c.leave("room:a")
	within(t, "end", ended)
	called := false
	within(t, "channel", channels).AtEnd(&atEnd{func(*phx.Channel) { called = true }})
	if !called {
		t.Error("it waits for an end that was")
	}
}

// A watcher is told of a channel whatever else that has had meanwhile, and of no other
// channel; those that have nothing else share the memory for it.
func TestAtEndBeside(t *testing.T) {
	ended := make(chan string, 8)
	watcher := &atEnd{func(ch *phx.Channel) { ended <- ch.Topic() }}
	watch := func(ch *phx.Channel, _ phx.Payload) (any, error) {
		ch.AtEnd(watcher)
		return nil, nil
	}
	ep := start(t,
		phx.Route{Pattern: "limited:*", Type: &phx.ChannelType{Join: watch, Timeout: time.Minute}},
		phx.Route{Pattern: "context:*", Type: &phx.ChannelType{Join: watch, Joined: func(ch *phx.Channel, _ phx.Payload) error {
			ch.Context()
			return ch.Subscribe("elsewhere")
		}}},
		phx.Route{Pattern: "plain:*", Type: &phx.ChannelType{Join: watch}},
		phx.Route{Pattern: "none:*", Type: &phx.ChannelType{}},
	)
	c := dial(t, ep)
	topics := []string{"plain:a", "limited:a", "context:a", "none:a", "plain:b"}
	for _, topic := range topics {
		c.join(topic)
	}
	for _, topic := range topics {
		c.leave(topic)
		if topic == "none:a" {
			continue
		}
		if got := within(t, "end of "+topic, ended); got != topic {
			t.Errorf("%s has ended, want %s", got, topic)
		}
	}
}

// Topics on which nodes talk to each other are not for clients.
func TestInternalTopics(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{}})
	c := dial(t, ep)
	c.say(`["1","1","\u0000presence","phx_join",{}]`)
	c.want(`[null,"1","\u0000presence","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
}
