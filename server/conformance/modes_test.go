package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A modal is a client of Phoenix's tests of long polling: a session and a channel.
type modal struct {
	*pollClient
	vsn, topic string
	alive      string // URL that tells how many channels have joined the topic
}

// A said is a message, whatever the version.
type said struct {
	JoinRef *string `json:"join_ref"`
	Ref     *string `json:"ref"`
	Topic   string  `json:"topic"`
	Event   string  `json:"event"`
	Payload any     `json:"payload"`
}

// open makes a session at the first node and joins the topic at the last one, which
// is also asked from then on.
func (m modal) open(t *testing.T, nodes []string, path string, headers ...string) *modal {
	t.Helper()
	m.pollClient = openPoll(t, nodes[0], path+"vsn="+m.vsn, headers...)
	here, there := nodes[0], nodes[len(nodes)-1]
	m.url = strings.Replace(m.url, here, there, 1)
	m.alive = "http://" + here + "/__conformance/alive?topic=" + m.topic
	m.say(t, m.topic, "phx_join", "{}")
	return &m
}

func (m *modal) say(t *testing.T, topic, event, payload string) {
	t.Helper()
	text := fmt.Sprintf(`{"join_ref":"1","ref":"1","topic":%q,"event":%q,"payload":%s}`, topic, event, payload)
	if m.vsn == "2.0.0" {
		text = fmt.Sprintf(`["1","1",%q,%q,%s]`, topic, event, payload)
	}
	if a := ask(t, m.http, "POST", m.url, text, "Content-Type: application/json"); a.Status != http.StatusOK {
		t.Fatalf("POST %s: %d %s, want status 200", text, a.code, a.body)
	}
}

// hear polls until so many messages have come.
func (m *modal) hear(t *testing.T, n int) (all []said) {
	t.Helper()
	for len(all) < n {
		text := m.receive(t).Payload
		var s said
		fields := []any{&s.JoinRef, &s.Ref, &s.Topic, &s.Event, &s.Payload}
		err := json.Unmarshal(text, &fields)
		if m.vsn == "1.0.0" {
			err = json.Unmarshal(text, &s)
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, s)
	}
	return all
}

// want checks what a message says, with the refs of version 2 if it has some.
func (m *modal) want(t *testing.T, got said, refs bool, event, payload string) {
	t.Helper()
	ref, joinRef := (*string)(nil), (*string)(nil)
	if one := "1"; refs {
		if ref = &one; m.vsn == "2.0.0" {
			joinRef = &one
		}
	}
	var content any
	if err := json.Unmarshal([]byte(payload), &content); err != nil {
		t.Fatal(err)
	}
	show := func(s said) string { text, _ := json.Marshal(s); return string(text) }
	if wanted := show(said{joinRef, ref, m.topic, event, content}); show(got) != wanted {
		t.Errorf("got %s, want %s", show(got), wanted)
	}
}

// info is the connect_info that the channel pushes after its join.
func (m *modal) info(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(m.hear(t, 3)[2].Payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wantIn(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("got %s, want %s in it", got, part)
		}
	}
}

// gone waits until no channel has joined the topic any more.
func (m *modal) gone(t *testing.T) {
	t.Helper()
	for began := time.Now(); ask(t, m.http, "GET", m.alive, "").body != "0"; {
		if time.Since(began) > patience {
			t.Fatal("the channel is still there")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// modes are the tests that Phoenix runs twice (long_poll_channels_test.exs), and three
// that it runs for both versions.
var modes = []struct {
	name     string
	versions []string
	run      func(t *testing.T, nodes []string, m modal)
}{
	{"joins and poll messages", []string{"1.0.0"}, func(t *testing.T, nodes []string, m modal) {
		c := m.open(t, nodes, "/lp/longpoll?")
		all := c.hear(t, 3)
		c.want(t, all[0], true, "phx_reply", `{"response":{},"status":"ok"}`)
		c.want(t, all[1], false, "user_entered", `{"user":null}`)
		all[2].JoinRef = nil // version 2 has one here
		c.want(t, all[2], false, "joined", `{"status":"connected","user_id":null}`)
		if a := c.get(t); a.Status != http.StatusNoContent {
			t.Errorf("GET: %s, want status 204", a.body)
		}
	}},
	{"transport x_headers are extracted to the socket connect_info", []string{"1.0.0"}, func(t *testing.T, nodes []string, m modal) {
		c := m.open(t, nodes, "/lp/connect_info/longpoll?", "x-application: Phoenix")
		wantIn(t, c.info(t), `"x_headers":{"x-application":"Phoenix"}`)
	}},
	{"transport trace_context_headers are extracted to the socket connect_info", []string{"1.0.0"}, func(t *testing.T, nodes []string, m modal) {
		c := m.open(t, nodes, "/lp/connect_info/longpoll?", "traceparent: 00-0af7-b7ad-01", "tracestate: congo=t61rcWkgMz")
		wantIn(t, c.info(t), `"trace_context_headers":{"traceparent":"00-0af7-b7ad-01","tracestate":"congo=t61rcWkgMz"}`)
	}},
	{"transport peer_data is extracted to the socket connect_info", []string{"1.0.0"}, func(t *testing.T, nodes []string, m modal) {
		wantIn(t, m.open(t, nodes, "/lp/connect_info/longpoll?").info(t), `"peer_data":{"address":"127.0.0.1"`)
	}},
	{"transport uri is extracted to the socket connect_info", []string{"1.0.0"}, func(t *testing.T, nodes []string, m modal) {
		got := m.open(t, nodes, "/lp/connect_info/longpoll?").info(t)
		wantIn(t, got, `"host":"127.0.0.1"`, `"path":"/lp/connect_info/longpoll"`, `"query":"vsn=1.0.0"`, `"scheme":"http"`)
	}},
	{"publishing events", []string{"1.0.0"}, func(t *testing.T, nodes []string, m modal) {
		c := m.open(t, nodes, "/lp/longpoll?")
		c.say(t, m.topic, "new_msg", `{"body":"hi!"}`)
		last := c.hear(t, 4)[3]
		last.JoinRef = nil
		c.want(t, last, false, "new_msg", `{"body":"hi!","transport":":longpoll"}`)
		c.say(t, "room:private-room", "new_msg", `{"body":"this method shouldn't send!'"}`)
		last = c.hear(t, 1)[0]
		last.Topic, last.JoinRef = m.topic, nil
		c.want(t, last, true, "phx_reply", `{"response":{"reason":"unmatched topic"},"status":"error"}`)
	}},
	{"shuts down after timeout", []string{"1.0.0"}, func(t *testing.T, nodes []string, m modal) {
		c := m.open(t, nodes, "/lp/longpoll?")
		c.gone(t)
		if a := c.post(t); a.Status != http.StatusGone {
			t.Errorf("POST: %s, want status 410", a.body)
		}
	}},
	{"sends phx_error if a channel server abnormally exits", []string{"1.0.0", "2.0.0"}, func(t *testing.T, nodes []string, m modal) {
		c := m.open(t, nodes, "/lp/longpoll?")
		c.say(t, m.topic, "boom", "{}")
		c.want(t, c.hear(t, 4)[3], true, "phx_error", `{"reason":"channel_crash"}`)
	}},
	{"sends phx_close if a channel server normally exits", []string{"1.0.0", "2.0.0"}, func(t *testing.T, nodes []string, m modal) {
		c := m.open(t, nodes, "/lp/longpoll?")
		c.say(t, m.topic, "phx_leave", "{}")
		all := c.hear(t, 5)
		i := slices.IndexFunc(all, func(s said) bool { return s.Event == "phx_close" })
		if i < 0 {
			t.Fatalf("got %v, want phx_close", all)
		}
		c.want(t, all[i], true, "phx_close", `{}`)
	}},
	{"shuts down when receiving disconnect broadcasts on socket's id", []string{"1.0.0", "2.0.0"}, func(t *testing.T, nodes []string, m modal) {
		id := strings.ReplaceAll(m.topic, ":", "-")
		c := m.open(t, nodes, "/lp/longpoll?user_id="+id+"&")
		control := strings.TrimSuffix(c.alive, "alive?topic="+m.topic) + "broadcast"
		ask(t, c.http, "POST", control, `{"topic":"user_sockets:`+id+`","event":"disconnect","payload":{}}`)
		c.gone(t)
		if a := c.get(t); a.Status != http.StatusGone {
			t.Errorf("GET: %s, want status 410", a.body)
		}
	}},
}

// Phoenix's integration tests of long polling, with the session on the node that is
// asked, and on another one (there: "local" and "pubsub").
func TestIntegrationPollModes(t *testing.T) {
	ours(t)
	all := startNodes(t, 2)
	t.Run("modes", func(t *testing.T) {
		for mode, nodes := range map[string][]string{"local": all[:1], "pubsub": all} {
			for i, test := range modes {
				for _, vsn := range test.versions {
					t.Run(mode+": "+test.name+", "+vsn, func(t *testing.T) {
						t.Parallel()
						test.run(t, nodes, modal{vsn: vsn, topic: fmt.Sprintf("room:%s%d-%s", mode, i, vsn[:1])})
					})
				}
			}
		}
	})
}
