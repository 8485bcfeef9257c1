package phx_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/token"
)

// The life of a session, as in spec §3.7.
func TestLongPollSession(t *testing.T) {
	room := &phx.ChannelType{In: phx.Events{"echo": echo}}
	ep := startConfig(t, longPolling(300*time.Millisecond, phx.Route{Pattern: "room:*", Type: room}))
	s := openSession(t, ep)
	s.say(`["3","3","room:a","phx_join",{}]`)
	s.want(`["3","3","room:a","phx_reply",{"status":"ok","response":{}}]`)

	begin := time.Now()
	if a := s.wantStatus(204); a.Token != s.token || a.body != `{"status":204,"token":"`+s.token+`","messages":[]}` {
		t.Errorf("GET after the window: %s, want the token and no messages", a.body)
	}
	if took := time.Since(begin); took < 290*time.Millisecond {
		t.Errorf("the window was %v, want 300 ms", took)
	}

	s.say(`["3","4","room:a","echo",{"n":1}]`)
	s.want(`["3","4","room:a","phx_reply",{"status":"ok","response":{"n":1}}]`)
	s.say(`["3","5","room:a","phx_leave",{}]`)
	s.want(`["3","5","room:a","phx_reply",{"status":"ok","response":{}}]`, `["3","3","room:a","phx_close",{}]`)
	if st := ep.Stats(); st.Sockets != 1 || st.Channels != 0 {
		t.Errorf("Stats = %+v, want one socket without channels", st)
	}
}

// A broadcast wakes a poll that waits, long before its window has passed.
func TestLongPollWake(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{}}))
	s := openSession(t, ep)
	s.say(`["1","1","room:a","phx_join",{}]`)
	s.want(`["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`)
	s.polls.send("GET", s.target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	if err := ep.Broadcast("room:a", "hello", map[string]string{"from": "<server> & “co”"}); err != nil {
		t.Fatal(err)
	}
	a := s.polls.receive()
	if a.Status != 200 || a.Token != s.token {
		t.Errorf("GET: %s, want status 200 and the token", a.body)
	}
	wantMessages(t, a.Messages, `[null,null,"room:a","hello",{"from":"<server> & “co”"}]`)
}

// What is there already is delivered at once, and what comes in one burst in one
// answer (spec §3.2).
func TestLongPollBuffer(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	s := openSession(t, ep)
	s.say(beat(1))
	s.say(beat(2), beat(3))
	wantMessages(t, s.poll().Messages, beaten(1), beaten(2), beaten(3))

	s.polls.send("GET", s.target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	s.say(beat(4), beat(5), beat(6))
	wantMessages(t, s.polls.receive().Messages, beaten(4), beaten(5), beaten(6))
}

// Messages of a POST, in the forms that there are (spec §3.6).
func TestLongPollPost(t *testing.T) {
	t.Parallel()
	type row struct {
		name, vsn, contentType, body string
		want                         []string // messages
	}
	var beats, beatens []string
	for i := range 101 {
		beats, beatens = append(beats, beat(i)), append(beatens, beaten(i))
	}
	push := "\x00\x01\x02\x06\x03" + "1" + "22" + "room:a" + "bin" + "\x00\xff"
	joined := `["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`
	received := `["1","22","room:a","phx_reply",{"status":"ok","response":{"got":"00ff"}}]`
	v1 := `{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"9"}`
	v1Answer := `{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"9"}`
	room := &phx.ChannelType{In: phx.Events{"bin": func(_ *phx.Channel, p phx.Payload) (any, error) {
		b, ok := p.Binary()
		if !ok {
			return nil, phx.Errorf("no binary")
		}
		return map[string]string{"got": fmt.Sprintf("%x", b)}, nil
	}}}
	ep := startConfig(t, longPolling(300*time.Millisecond, phx.Route{Pattern: "room:*", Type: room}))
	for _, tt := range []row{
		{"one line", "2.0.0", "application/x-ndjson", beat(1), []string{beaten(1)}},
		{"in order", "2.0.0", "application/x-ndjson", strings.Join(beats[:50], "\n"), beatens[:50]},
		{"CR LF", "2.0.0", "application/x-ndjson", beat(1) + "\r\n" + beat(2) + "\r\n", []string{beaten(1), beaten(2)}},
		{"empty lines", "2.0.0", "application/x-ndjson", "\n\r\n" + beat(1) + "\n\n", []string{beaten(1)}},
		{"parameters", "2.0.0", "Application/X-NDJSON ; charset=utf-8", beat(1) + "\n" + beat(2), []string{beaten(1), beaten(2)}},
		{"at most 100", "2.0.0", "application/x-ndjson", strings.Join(beats, "\n"), beatens[:100]},
		{"binary", "2.0.0", "application/x-ndjson",
			`["1","1","room:a","phx_join",{}]` + "\n" + base64.StdEncoding.EncodeToString([]byte(push)), []string{joined, received}},
		{"one message", "2.0.0", "application/json", beat(1), []string{beaten(1)}},
		{"one message, untyped", "1.0.0", "", v1, []string{v1Answer}},
		{"version 1", "1.0.0", "text/plain", v1, []string{v1Answer}},
		{"version 1 in lines (better)", "1.0.0", "application/x-ndjson", v1 + "\n" + v1, []string{v1Answer, v1Answer}},
		{"no lines", "2.0.0", "application/x-ndjson", "", nil},
		{"nothing", "2.0.0", "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openSessionAt(t, ep, "/socket/longpoll?vsn="+tt.vsn)
			if a := s.posts.do("POST", s.target, tt.body, "Content-Type: "+tt.contentType); a.body != `{"status":200}` {
				t.Fatalf("POST: %d %s, want status 200", a.code, a.body)
			}
			if tt.want != nil {
				s.want(tt.want...)
			}
			s.wantStatus(204)
		})
	}
}

// A message that is none ends the session: the POST and the poll that waits are
// told at once (spec §3.6, better).
func TestLongPollMalformed(t *testing.T) {
	cfg := longPolling(time.Minute, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{}})
	cfg.Mounts[0].MaxMessage = 200
	ep := startConfig(t, cfg)
	for name, body := range map[string]string{
		"no JSON":          "[",
		"wrong shape":      `["1"]`,
		"no base64":        "!",
		"short binary":     base64.StdEncoding.EncodeToString([]byte{0, 9}),
		"no UTF-8":         `[null,"1","phoenix","` + "\xff" + `",{}]`,
		"too long":         `[null,"1","phoenix","heartbeat",{"x":"` + strings.Repeat("x", 200) + `"}]`,
		"binary, too long": base64.StdEncoding.EncodeToString(make([]byte, 201)),
		"behind good ones": beat(1) + "\n" + beat(2) + "\n[",
		"before a good":    "[\n" + beat(1),
	} {
		t.Run(name, func(t *testing.T) {
			s := openSession(t, ep)
			s.polls.send("GET", s.target, "")
			eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
			if a := s.post(body); a.code != 200 || a.body != `{"status":410}` {
				t.Errorf("POST: %d %s, want status 410", a.code, a.body)
			}
			if a := s.polls.receive(); a.Status != 410 && (a.Status != 200 || name != "behind good ones") {
				t.Errorf("the poll that waited: %d %s, want status 410", a.code, a.body)
			}
			if a := s.post(beat(1)); a.body != `{"status":410}` {
				t.Errorf("POST afterwards: %s, want status 410", a.body)
			}
			if a := s.wantStatus(410); a.Token == s.token || a.Token == "" {
				t.Errorf("GET afterwards: %s, want a new session", a.body)
			}
		})
	}
}

// Too long a body is no reason to end the session, as it is not read.
func TestLongPollBodyLimit(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	s := openSession(t, ep)
	s.posts.send("PUT", s.target, "", "Content-Length: 9000000", ndjson) // that of a POST would be send's own
	if a := s.posts.receive(); a.code != 400 || a.body != "" {
		t.Errorf("POST of 9 MB: %d %q, want 400 and nothing", a.code, a.body)
	}
	chunked := dialWeb(t, ep)
	chunked.send("POST", s.target, "", ndjson, "Transfer-Encoding: chunked")
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat("\n", 1<<20))
	for range 8 {
		if _, err := io.WriteString(chunked.conn, chunk); err != nil {
			break // it has seen enough
		}
	}
	if a, err := chunked.tryReceive(); err == nil && a.code != 400 { // or reset, as it was still sending
		t.Errorf("chunked POST of 8 MiB: %d %q, want 400", a.code, a.body)
	}
	s.posts = dialWeb(t, ep)
	s.say(strings.Repeat("\n", 7_999_000) + beat(1))
	s.want(beaten(1))
}

// Where the token of a session may be (spec §3.3).
func TestLongPollTokens(t *testing.T) {
	secret := strings.Repeat("secret", 4)
	connects := make(chan phx.Params, 1)
	cfg := longPolling(time.Minute)
	cfg.Secret = secret
	cfg.Mounts[0].Connect = func(_ *phx.Socket, p phx.Params, _ *http.Request) error { connects <- p; return nil }
	cfg.Mounts = append(cfg.Mounts, phx.Mount{Path: "/other", LongPoll: &phx.LongPoll{}})
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	<-connects
	other := openSession(t, ep)
	<-connects

	// A genuine token of this session's that is older than two weeks.
	now, err := token.New(secret, token.Config{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := now.Verify("phx long poll", s.token, time.Minute)
	if err != nil {
		t.Fatalf("the session's token %q: %v", s.token, err)
	}
	resign := func(age time.Duration) string {
		then, _ := token.New(secret, token.Config{Now: func() time.Time { return time.Now().Add(-age) }})
		text, err := then.Sign("phx long poll", id)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const week = 7 * 24 * time.Hour
	const path = "/socket/longpoll?vsn=2.0.0"
	header := "X-Phoenix-Longpoll-Token: "
	for _, tt := range []struct {
		name, target, header string
		known                bool
	}{
		{"query", path + "&token=" + s.token, "", true},
		{"header", path, header + s.token, true},
		{"header in small letters", path, "x-phoenix-longpoll-token: " + s.token, true},
		{"header before query", path + "&token=" + other.token, header + s.token, true},
		{"bad header before query", path + "&token=" + s.token, header + "abc", false},
		{"after the application's", path + "&token=abc&token=" + s.token, "", true},
		{"before the application's", path + "&token=" + s.token + "&token=abc", "", false},
		{"13 days old", path + "&token=" + resign(2*week-24*time.Hour), "", true},
		{"15 days old", path + "&token=" + resign(2*week+24*time.Hour), "", false},
		{"from the future", path + "&token=" + resign(-24*time.Hour), "", false},
		{"forged", path + "&token=" + s.token[:len(s.token)-4] + "AAAA", "", false},
		{"garbage", path + "&token=%00%ff!", "", false},
		{"empty", path + "&token=", "", false},
		{"a list", path + "&token[]=" + s.token, "", false},
		{"none", path + "&", "", false},
		{"at another mount", "/other/longpoll?vsn=2.0.0&token=" + s.token, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dialWeb(t, ep)
			headers := slices.DeleteFunc([]string{tt.header}, func(h string) bool { return h == "" })
			want := `{"status":410}`
			if tt.known {
				want = `{"status":200}`
			}
			if tt.name == "garbage" { // not even a query
				want = ""
			}
			if a := c.do("POST", tt.target, beat(1), headers...); a.body != want {
				t.Errorf("POST: %d %q, want %q", a.code, a.body, want)
			}
			if tt.known {
				if a := c.do("GET", tt.target, "", headers...); a.Status != 200 || a.Token != s.token {
					t.Errorf("GET: %s, want the messages of the session", a.body)
				}
			}
		})
	}

	// The application's own parameter makes the first GET one without a session.
	own := openSessionAt(t, ep, path+"&token=abc")
	if p := within(t, "call of Connect", connects); p.String("token") != "abc" {
		t.Errorf("Connect got %v, want token abc", p)
	}
	own.say(beat(1))
	own.want(beaten(1))
}

// Requests that get no session, or no answer that has to do with one.
func TestLongPollRefusals(t *testing.T) {
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].Connect = func(s *phx.Socket, p phx.Params, _ *http.Request) error {
		switch p.String("do") {
		case "refuse":
			return phx.Errorf("no")
		case "limit":
			return &phx.RefuseError{Status: 429, Body: "slow down"}
		case "panic":
			panic("as told")
		}
		return nil
	}
	cfg.Mounts = append(cfg.Mounts,
		phx.Mount{Path: "/off"},
		phx.Mount{Path: "/only", WebSocketPath: phx.Off, LongPoll: &phx.LongPoll{Path: "/lp"}},
		phx.Mount{Path: "/list", LongPoll: &phx.LongPoll{}, CheckOrigin: func(o *url.URL, host string) bool {
			if o.Host == "odd.test" {
				panic("as told")
			}
			return o.Host == "friend.test" && host == "example.test:4000"
		}},
	)
	ep := startConfig(t, cfg)
	for _, tt := range []struct {
		method, target, header string
		code, status           int // status 0: an empty body
	}{
		{"GET", "/socket/longpoll?vsn=2.0.0", "", 200, 410},
		{"GET", "/socket/longpoll", "", 200, 410},
		{"GET", "/socket/longpoll?vsn=2.0.0&token=abc", "", 200, 410},
		{"GET", "/only/lp", "", 200, 410},
		{"GET", "/socket/longpoll?vsn=3.0.0", "", 200, 403},
		{"GET", "/socket/longpoll?vsn=2.0.0&do=refuse", "", 200, 403},
		{"GET", "/socket/longpoll?vsn=2.0.0&do=limit", "", 200, 403},
		{"GET", "/socket/longpoll?vsn=2.0.0&do=panic", "", 500, 500},
		{"GET", "/socket/longpoll?a=%zz", "", 400, 0},
		{"POST", "/socket/longpoll?vsn=2.0.0", "", 200, 410},
		{"POST", "/socket/longpoll?vsn=9", "", 200, 410},
		{"PUT", "/socket/longpoll", "", 400, 0},
		{"DELETE", "/socket/longpoll", "", 400, 0},
		{"GET", "/socket/longpoll", "Origin: http://example.test:4000", 200, 410},
		{"GET", "/socket/longpoll", "Origin: http://evil.test", 200, 403},
		{"GET", "/socket/longpoll", "Origin: null", 200, 403},
		{"GET", "/socket/longpoll", "Origin:", 200, 403},
		{"POST", "/socket/longpoll", "Origin: http://evil.test", 200, 403},
		{"OPTIONS", "/socket/longpoll", "Origin: http://evil.test", 200, 403},
		{"PUT", "/socket/longpoll", "Origin: http://evil.test", 200, 403},
		{"GET", "/list/longpoll", "Origin: http://friend.test", 200, 410},
		{"POST", "/list/longpoll", "Origin: http://friend.test", 200, 410},
		{"GET", "/list/longpoll", "Origin: http://example.test:4000", 200, 403},
		{"POST", "/list/longpoll", "Origin: http://example.test:4000", 200, 403},
		{"GET", "/list/longpoll", "Origin: http://odd.test", 500, 500},
		{"GET", "/list/longpoll", "", 200, 410},
		{"GET", "/off/longpoll", "", 404, 0},
		{"GET", "/only/websocket", "", 404, 0},
	} {
		t.Run(strings.TrimSpace(tt.method+" "+tt.target+" "+tt.header), func(t *testing.T) {
			var headers []string
			if tt.header != "" {
				headers = []string{tt.header}
			}
			c := dialWeb(t, ep)
			for range 2 { // the connection is kept
				a := c.do(tt.method, tt.target, "", headers...)
				if a.code != tt.code || a.Status != tt.status || tt.status == 0 && tt.code == 400 && a.body != "" {
					t.Fatalf("answer %d %q, want %d and status %d", a.code, a.body, tt.code, tt.status)
				}
				if a.code == 404 {
					return // net/http's
				}
				for name, want := range map[string]string{"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"} {
					if got := a.header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				if got := a.header.Get("Content-Type"); tt.status != 0 && got != "application/json; charset=utf-8" {
					t.Errorf("Content-Type: %q, want JSON", got)
				}
			}
		})
	}
}

// Mistakes in the configuration name the field.
func TestLongPollConfig(t *testing.T) {
	for want, cfg := range map[string]phx.Config{
		"Mounts[0].LongPoll.Window":      {Mounts: []phx.Mount{{Path: "/a", LongPoll: &phx.LongPoll{Window: -1}}}},
		"Mounts[0].LongPoll.MaxSessions": {Mounts: []phx.Mount{{Path: "/a", LongPoll: &phx.LongPoll{MaxSessions: -1}}}},
		"Secret has 5 bytes":             {Secret: "short"},
		"its path must start with /":     {Mounts: []phx.Mount{{Path: "/a", LongPoll: &phx.LongPoll{Path: "lp"}}}},
	} {
		if _, err := phx.Start(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start: %v, want an error with %q", err, want)
		}
	}
}

// Browsers ask before they send headers of their own (spec §3.2).
func TestLongPollPreflight(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	a := dialWeb(t, ep).do("OPTIONS", "/socket/longpoll?vsn=2.0.0", "",
		"Origin: http://example.test:4000", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,x-phoenix-authtoken")
	if a.code != 200 || a.body != "" {
		t.Errorf("OPTIONS: %d %q, want 200 and nothing", a.code, a.body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":  "*",
		"Access-Control-Allow-Methods": "get, post, options",
		"Access-Control-Allow-Headers": "content-type,x-phoenix-authtoken",
		"Access-Control-Max-Age":       "3600",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Connect gets the parameters, those of the path first, the request, and the
// auth token as it is (spec §1.5).
func TestLongPollConnect(t *testing.T) {
	type seen struct {
		params                        phx.Params
		remote, token, header, method string
		sent                          bool
		transport                     string
	}
	calls := make(chan seen, 1)
	look := func(s *phx.Socket, p phx.Params, r *http.Request) error {
		token, sent := phx.AuthToken(r)
		calls <- seen{p, r.RemoteAddr, token, r.Header.Get("X-Test"), r.Method, sent, s.Transport()}
		s.SetID("user:" + p.String("org"))
		return nil
	}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/socket/:org", Connect: look, AuthToken: true, LongPoll: &phx.LongPoll{Window: time.Minute}},
		{Path: "/plain", Connect: look, LongPoll: &phx.LongPoll{}},
	}})
	s := openSessionAt(t, ep, "/socket/a%20b/longpoll?vsn=2.0.0&org=x&l[]=1&t=%2B", "X-Phoenix-AuthToken: s3cr+t/=", "X-Test: yes")
	got := within(t, "call of Connect", calls)
	want := seen{phx.Params{"org": "a b", "l": []any{"1"}, "t": "+", "vsn": "2.0.0"},
		s.polls.conn.LocalAddr().String(), "s3cr+t/=", "yes", "GET", true, "longpoll"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Connect got %v, want %v", got, want)
	}
	s.polls.send("GET", s.target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	if err := ep.Broadcast("user:a b", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	if a := s.polls.receive(); a.Status != 410 {
		t.Errorf("the poll that waits at a disconnect: %s, want status 410 at once", a.body)
	}

	openSessionAt(t, ep, "/plain/longpoll?vsn=2.0.0", "X-Phoenix-AuthToken: s3cr+t/=")
	if got := within(t, "call of Connect", calls); got.sent {
		t.Errorf("a mount without AuthToken got the token %q", got.token)
	}
}
