package phx_test

import (
	"os"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// TestTranscripts replays what a real Phoenix server was seen to do.
func TestTranscripts(t *testing.T) {
	file, err := os.ReadFile("testdata/transcripts.txt")
	if err != nil {
		t.Fatal(err)
	}
	routes := []phx.Route{{Pattern: "room:*", Type: transcriptRoom()}, {Pattern: "quiet:*", Type: &phx.ChannelType{}}}
	ep := startConfig(t, phx.Config{
		Workers: 1, MaxWorkers: 1, // so that what is asked last is answered last: see quiet
		Mounts: []phx.Mount{
			{Path: "/socket", Routes: routes},
			{Path: "/two", Routes: routes, MaxChannels: 2},
		},
	})
	for _, block := range strings.Split(string(file), "\n\n")[1:] {
		heading, lines, _ := strings.Cut(strings.TrimSpace(block), "\n")
		t.Run(heading, func(t *testing.T) { replay(t, ep, heading, lines) })
	}
}

func replay(t *testing.T, ep *phx.Endpoint, heading, lines string) {
	vsn := "2.0.0"
	if strings.HasPrefix(lines, "> {") {
		vsn = "1.0.0"
	}
	mount := heading[strings.LastIndex(heading, "/"):]
	c := dialAt(t, ep, mount+"/websocket?vsn="+vsn)
	for line := range strings.Lines(lines) {
		direction, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch direction {
		case ">":
			c.say(text)
		case "<":
			c.want(text)
		case "=":
			c.quiet(vsn)
		default:
			t.Fatalf("line %q starts with none of > < =", line)
		}
	}
	c.quiet(vsn)
}

// quiet checks that nothing more comes: the answers to a heartbeat, from the
// loop, and to a join, behind all that waits for the only worker, are next.
func (c *client) quiet(vsn string) {
	c.t.Helper()
	if vsn == "1.0.0" {
		c.say(`{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"hb"}`)
		c.want(`{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"hb"}`)
		c.say(`{"topic":"quiet:1","event":"phx_join","payload":{},"ref":"q"}`)
		c.want(`{"topic":"quiet:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"q"}`)
		c.say(`{"topic":"quiet:1","event":"phx_leave","payload":{},"ref":"l"}`)
		c.want(`{"topic":"quiet:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"l"}`,
			`{"topic":"quiet:1","event":"phx_close","payload":{},"ref":null}`)
		return
	}
	c.heartbeat()
	c.join("quiet:1")
	c.leave("quiet:1")
}

// transcriptRoom behaves as the channel that the transcripts were recorded with.
func transcriptRoom() *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			switch topic := ch.Topic(); {
			case topic == "room:deny", topic == "room:once" && string(p.JSON()) != "{}":
				return nil, phx.Errorf("nope")
			case topic == "room:crash":
				panic("as told")
			case topic == "room:reply":
				return p, nil
			case topic == "room:refuse":
				return nil, &phx.ReplyError{Response: p}
			case topic == "room:unencodable":
				return make(chan int), nil
			case topic == "room:binary":
				return phx.Binary{1}, nil
			}
			return nil, nil
		},
		In: phx.Events{
			"echo":    func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
			"okonly":  func(*phx.Channel, phx.Payload) (any, error) { return phx.OK, nil },
			"noreply": func(*phx.Channel, phx.Payload) (any, error) { return nil, nil },
			"maybe": func(*phx.Channel, phx.Payload) (any, error) {
				return phx.Reply{Status: "maybe", Response: []int{1}}, nil
			},
			"crash": func(*phx.Channel, phx.Payload) (any, error) { panic("as told") },
			"stop": phx.On(func(_ *phx.Channel, in struct{ Reason phx.Reason }) (any, error) {
				return map[string]int{"bye": 1}, phx.Stop(in.Reason)
			}),
			"shout": func(ch *phx.Channel, p phx.Payload) (any, error) {
				return map[string]bool{"after": true}, ch.Broadcast("shout", p)
			},
			"intercepted": func(ch *phx.Channel, p phx.Payload) (any, error) {
				if err := ch.Broadcast("icept", p); err != nil {
					return nil, err
				}
				return phx.OK, ch.Push("pushed", nil)
			},
			"later": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				return nil, ch.Send(ch.Ref())
			},
		},
		Info: func(_ *phx.Channel, msg any) error {
			ref := msg.(phx.Ref)
			if err := ref.Reply(map[string]any{"later": true}); err != nil {
				return err
			}
			return ref.Reply(map[string]any{"later": 2})
		},
		Intercept: []string{"icept"},
		Out: func(ch *phx.Channel, event string, p phx.Payload) error {
			var out map[string]string
			if err := p.Decode(&out); err != nil {
				return err
			}
			out["seen"] = ch.Topic()
			return ch.Push(event, out)
		},
		Terminate: func(ch *phx.Channel, why phx.Reason) {
			if ch.Topic() == "room:t" {
				_ = ch.Push("you_left", map[string]any{"r": why})
			}
		},
	}
}
