package main_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// Long polling request by request (spec §3). What goes over it is in the scripts.

// Targets by their window.
const (
	fast       = "/fast/longpoll?vsn=2.0.0" // 300 ms
	oneSecond  = "/lp/longpoll?vsn=2.0.0"
	tenSeconds = "/socket/longpoll?vsn=2.0.0"
)

func beat(ref int) string { return fmt.Sprintf(`[null,"%d","phoenix","heartbeat",{}]`, ref) }

func beaten(ref int) string {
	return fmt.Sprintf(`[null,"%d","phoenix","phx_reply",{"response":{},"status":"ok"}]`, ref)
}

// want receives messages.
func (c *pollClient) want(t *testing.T, messages ...string) {
	t.Helper()
	for _, want := range messages {
		make(names).expect(t, c, "a poll", want)
	}
}

// status polls once, for no messages.
func (c *pollClient) status(t *testing.T, want int) {
	t.Helper()
	if a := c.get(t); a.code != http.StatusOK || a.Status != want || len(a.Messages) > 0 {
		t.Errorf("GET: %d %s, want status %d", a.code, a.body, want)
	}
}

// wait starts a poll that waits, and gives its answer later.
func (c *pollClient) wait(t *testing.T) <-chan answer {
	later := make(chan answer, 1)
	go func() { // ends with the poll, at the latest with the test
		a, _ := tryAsk(t, c.http, "GET", c.url, "")
		later <- a
	}()
	<-time.After(time.Second) // nothing tells when the server has it
	return later
}

// Requests without a session, and refusals.
func TestLongPollAnswers(t *testing.T) {
	addr, web := start(t), newHTTP(t)
	const elsewhere, example = "Origin: https://elsewhere.com", "Origin: http://example.com:81"
	tests := []struct {
		method, target, header string
		code, status           int // status 0: an empty body
	}{
		{"GET", "/socket/longpoll", "", 200, 410},
		{"GET", "/socket/longpoll?vsn=2.0.0", elsewhere, 200, 410},
		{"GET", "/socket/longpoll?vsn=2.0.0&token=forged", "", 200, 410},
		{"GET", "/socket/longpoll?vsn=2.0.0&", "", 200, 410},
		{"GET", "/socket/longpoll?vsn=3.0.0", "", 200, 403},
		{"GET", "/socket/longpoll?reject=true", "", 200, 403},
		{"GET", "/socket/longpoll?ratelimit=true", "", 200, 403},
		{"POST", "/socket/longpoll?vsn=2.0.0", "", 200, 410},
		{"POST", "/socket/longpoll?vsn=2.0.0&token=forged", "", 200, 410},
		{"PUT", "/socket/longpoll", "", 400, 0},
		{"DELETE", "/socket/longpoll", "", 400, 0},
		{"OPTIONS", "/socket/longpoll", "", 200, 0},
		{"GET", "/fast/longpoll", "", 200, 410},
		{"GET", "/limited/longpoll", "", 200, 410},
		{"GET", "/origin/longpoll", "", 200, 410},
		{"GET", "/origin/longpoll", example, 200, 410},
		{"GET", "/origin/longpoll", elsewhere, 200, 403},
		{"POST", "/origin/longpoll", elsewhere, 200, 403},
		{"OPTIONS", "/origin/longpoll", elsewhere, 200, 403},
		{"GET", "/auth/longpoll", "", 200, 403},
		{"GET", "/auth/longpoll", "X-Phoenix-AuthToken: wrong", 200, 403},
		{"GET", "/auth/longpoll", "X-Phoenix-AuthToken: s3cret+/=", 200, 410},
		{"GET", "/lp/longpoll", "", 200, 410},
		{"GET", "/lp/longpoll", example, 200, 410},
		{"GET", "/lp/longpoll", elsewhere, 200, 403},
		{"GET", "/lp/longpoll?reject=true", "", 200, 403},
		{"GET", "/lp/longpoll?custom_error=true", "", 200, 403},
		{"GET", "/lp/connect_info/longpoll", elsewhere, 200, 403},
		{"GET", "/lp/slow/longpoll", "", 200, 410},
	}
	for _, test := range tests {
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		a := ask(t, web, test.method, "http://"+addr+test.target, "", headers...)
		if a.code != test.code || a.Status != test.status || test.status == 0 && a.body != "" || (a.Token != "") != (test.status == 410 && test.method == "GET") {
			t.Errorf("%s %s, %q = %d %s, want %d and status %d", test.method, test.target, test.header, a.code, a.body, test.code, test.status)
		}
		if test.status == 0 {
			continue
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", test.method, test.target, name, got, want)
			}
		}
	}
}

// What a browser asks before it sends headers of its own.
func TestLongPollPreflight(t *testing.T) {
	a := ask(t, newHTTP(t), "OPTIONS", "http://"+start(t)+"/origin/longpoll", "",
		"Origin: http://example.com", "Access-Control-Request-Headers: content-type,x-phoenix-authtoken")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "get, post, options",
		"Access-Control-Allow-Headers": "content-type,x-phoenix-authtoken", "Access-Control-Max-Age": "3600",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("OPTIONS: %s is %q, want %q", name, got, want)
		}
	}
}

// The auth token is asked for once, at the start of the session (spec §1.5).
func TestLongPollAuthToken(t *testing.T) {
	c := openPoll(t, start(t), "/auth/longpoll?vsn=2.0.0", "X-Phoenix-AuthToken: s3cret+/=")
	c.post(t, `["1","1","room:auth","phx_join",{}]`, `["1","2","room:auth","whoami",{}]`)
	c.want(t, `["1","1","room:auth","phx_reply",{"response":{},"status":"ok"}]`,
		`["1","2","room:auth","phx_reply",{"response":{"topic":"room:auth","user_id":"auth","join_ref":"1"},"status":"ok"}]`)
}

// A poll waits for a window, is answered at once if something is there, and wakes
// up for what comes.
func TestLongPollWindow(t *testing.T) {
	addr := start(t)
	c := openPoll(t, addr, oneSecond)
	began := time.Now()
	if a := c.get(t); a.Status != http.StatusNoContent || a.Token != c.token {
		t.Errorf("GET with nothing there: %s, want status 204 and the token", a.body)
	}
	if took := time.Since(began); took < 990*time.Millisecond {
		t.Errorf("the window was %v, want one second", took)
	}

	listener, speaker := openPoll(t, addr, tenSeconds), openPoll(t, addr, tenSeconds)
	began = time.Now()
	for i, c := range []*pollClient{listener, speaker} {
		c.post(t, fmt.Sprintf(`["%d","%d","room:window","phx_join",{}]`, i, i))
		c.want(t, fmt.Sprintf(`["%d","%d","room:window","phx_reply",{"response":{},"status":"ok"}]`, i, i))
	}
	woken := listener.wait(t)
	speaker.post(t, `["1","3","room:window","shout",{"k":1}]`)
	a := <-woken
	if a.Status != http.StatusOK || len(a.Messages) != 1 || !same(ws.OpText, []byte(a.Messages[0]), []byte(`[null,null,"room:window","shout",{"k":1}]`)) {
		t.Errorf("the poll that waited: %s, want the broadcast", a.body)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the answers took %v, though there was something to say", took)
	}
}

// The forms that a POST may have (spec §3.6).
func TestLongPollPosts(t *testing.T) {
	addr := start(t)
	var beats, beatens []string
	for i := range 101 {
		beats, beatens = append(beats, beat(i)), append(beatens, beaten(i))
	}
	const v1, v1Answer = `{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"9"}`, `{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"9"}`
	binary := base64.StdEncoding.EncodeToString([]byte("\x00\x00\x01\x07\x098phoenixheartbeat"))
	tests := []struct {
		name, vsn, contentType, body string
		want                         []string
		differs                      string
	}{
		{"one line", "2.0.0", "application/x-ndjson", beat(1), []string{beaten(1)}, ""},
		{"lines", "2.0.0", "application/x-ndjson", strings.Join(beats[:50], "\n"), beatens[:50], ""},
		{"CR LF", "2.0.0", "application/x-ndjson", beat(1) + "\r\n" + beat(2), []string{beaten(1), beaten(2)}, ""},
		{"at most 100", "2.0.0", "application/x-ndjson", strings.Join(beats, "\n"), beatens[:100], ""},
		{"base64", "2.0.0", "application/x-ndjson", beat(1) + "\n" + binary, []string{beaten(1), beaten(8)}, ""},
		{"JSON", "2.0.0", "application/json", beat(1), []string{beaten(1)}, ""},
		{"untyped", "2.0.0", "", beat(1), []string{beaten(1)}, ""},
		{"V1", "1.0.0", "application/json", v1, []string{v1Answer}, ""},
		{"V1 in lines", "1.0.0", "application/x-ndjson", v1 + "\n" + v1, []string{v1Answer, v1Answer}, "V1 in lines"},
		{"empty lines", "2.0.0", "application/x-ndjson", "\n" + beat(1) + "\n\n", []string{beaten(1)}, "empty lines"},
		{"charset", "2.0.0", "application/x-ndjson; charset=utf-8", beat(1) + "\n" + beat(2), []string{beaten(1), beaten(2)}, "charset of lines"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := openPoll(t, addr, "/lp/longpoll?vsn="+test.vsn)
			var headers []string
			if test.contentType != "" {
				headers = append(headers, "Content-Type: "+test.contentType)
			}
			a := ask(t, c.http, "POST", c.url, test.body, headers...)
			if test.differs != "" && differs(t, test.differs) {
				if a.Status == http.StatusOK {
					t.Errorf("POST: %d %s: so there is no difference", a.code, a.body)
				}
				return
			}
			if a.code != http.StatusOK || a.body != `{"status":200}` {
				t.Fatalf("POST: %d %s, want status 200", a.code, a.body)
			}
			c.want(t, test.want...)
			if len(c.unread) > 0 {
				t.Errorf("got %q, too", c.unread)
			}
		})
	}
}

// What cannot be understood ends the session.
func TestLongPollMalformed(t *testing.T) {
	addr := start(t)
	for _, body := range []string{"[", `["1"]`, "!", "AAk="} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			c := openPoll(t, addr, oneSecond)
			a := c.post(t, body)
			if differs(t, "malformed POST") {
				if a.Status != http.StatusRequestTimeout && a.code != http.StatusInternalServerError {
					t.Errorf("POST: %d %s: so the difference is another", a.code, a.body)
				}
				return
			}
			if a.Status != http.StatusGone {
				t.Errorf("POST: %d %s, want status 410", a.code, a.body)
			}
			if a := c.post(t, beat(1)); a.Status != http.StatusGone {
				t.Errorf("POST afterwards: %s, want status 410", a.body)
			}
		})
	}
}

// The longest body is about 8 MB; a longer one is refused, and the session lives.
func TestLongPollBodyLimit(t *testing.T) {
	c := openPoll(t, start(t), tenSeconds)
	want := http.StatusBadRequest
	if differs(t, "long body") {
		want = http.StatusInternalServerError
	}
	if a, err := tryAsk(t, c.http, "POST", c.url, strings.Repeat(" ", 9_000_000), ndjson); err == nil && a.code != want { // or reset: it was still sending
		t.Errorf("POST of 9 MB: %d %s, want %d", a.code, a.body, want)
	}
	c.post(t, beat(1))
	c.want(t, beaten(1))
}

// Where the token may be; the header comes first, and of several parameters the
// last (spec §3.3).
func TestLongPollTokens(t *testing.T) {
	addr := start(t)
	c, other := openPoll(t, addr, tenSeconds), openPoll(t, addr, tenSeconds)
	header := "X-Phoenix-Longpoll-Token: "
	tests := []struct {
		query, header string
		status        int
	}{
		{"&token=" + c.token, "", 200},
		{"", header + c.token, 200},
		{"&token=" + other.token, header + c.token, 200},
		{"&token=abc&token=" + c.token, "", 200},
		{"&token=" + c.token + "&token=abc", "", 410},
		{"&token=" + c.token, header + "abc", 410},
		{"&token=" + c.token[:len(c.token)-4] + "AAAA", "", 410},
	}
	for _, test := range tests {
		headers := []string{ndjson}
		if test.header != "" {
			headers = append(headers, test.header)
		}
		if a := ask(t, c.http, "POST", "http://"+addr+tenSeconds+test.query, beat(1), headers...); a.Status != test.status {
			t.Errorf("POST %s, %q = %s, want status %d", test.query, test.header, a.body, test.status)
		}
	}
	c.want(t, beaten(1), beaten(1), beaten(1), beaten(1))
}

// A session ends when nobody polls for one and a half to three windows; POSTs do
// not count (spec §3.5).
func TestLongPollInactive(t *testing.T) {
	addr, web := start(t), newHTTP(t)
	c := openPoll(t, addr, fast)
	c.post(t, `["1","1","room:inactive","phx_join",{}]`)
	began := time.Now()
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for c.post(t, beat(1)).Status == http.StatusOK {
		if <-ticks.C; time.Since(began) > patience {
			t.Fatal("the session lives though nobody polls")
		}
	}
	if took := time.Since(began); took < 440*time.Millisecond {
		t.Errorf("the session ended after %v, want 450 to 900 ms", took)
	}
	if a := ask(t, web, "GET", "http://"+addr+"/__conformance/alive?topic=room:inactive", ""); a.body != "0" {
		t.Errorf("%s channels are alive, want 0", a.body)
	}
}

// Of two polls the later one gets what comes. The earlier one goes on waiting.
func TestLongPollConcurrent(t *testing.T) {
	c := openPoll(t, start(t), tenSeconds)
	earlier, later := c.wait(t), c.wait(t)
	c.post(t, beat(1))
	if a := <-later; a.Status != http.StatusOK || len(a.Messages) != 1 {
		t.Errorf("the later poll: %s, want the message", a.body)
	}
	select {
	case a := <-earlier:
		t.Errorf("the earlier poll: %s, want no answer yet", a.body)
	default:
	}
}

// A handler that does not return costs its POST a window, and no more.
func TestLongPollSlow(t *testing.T) {
	c := openPoll(t, start(t), "/lp/slow/longpoll?vsn=2.0.0")
	began := time.Now()
	if a := c.post(t, beat(1)); a.code != http.StatusOK || a.Status != http.StatusRequestTimeout {
		t.Errorf("POST: %d %s, want status 408", a.code, a.body)
	}
	if took := time.Since(began); took < 190*time.Millisecond || took > patience {
		t.Errorf("the POST took %v, want 200 ms", took)
	}
}

// A disconnect ends the session; the next poll makes another.
func TestLongPollDisconnect(t *testing.T) {
	addr, web := start(t), newHTTP(t)
	c := openPoll(t, addr, oneSecond+"&user_id=polled")
	gone := c.wait(t)
	ask(t, web, "POST", "http://"+addr+"/__conformance/broadcast", `{"topic":"user_sockets:polled","event":"disconnect","payload":{}}`)
	want := http.StatusGone
	if differs(t, "disconnect during a poll") {
		want = http.StatusNoContent
	}
	if a := <-gone; a.Status != want {
		t.Errorf("the poll that waited: %s, want status %d", a.body, want)
	}
	c.status(t, http.StatusGone)
}

// Bytes cannot go to the client; what came before and comes after does.
func TestLongPollBinaryOut(t *testing.T) {
	c := openPoll(t, start(t), tenSeconds)
	c.post(t, `["1","1","room:bytes","phx_join",{}]`)
	c.want(t, `["1","1","room:bytes","phx_reply",{"response":{},"status":"ok"}]`)
	push := base64.StdEncoding.EncodeToString([]byte("\x00\x01\x01\x0a\x0812room:bytesbin_push\xff"))
	c.post(t, beat(1), push, beat(2))
	if differs(t, "binary to long polling") {
		for a := c.get(t); a.code != http.StatusInternalServerError; a = c.get(t) {
			if a.Status != http.StatusOK { // what came before may be delivered still
				t.Fatalf("GET: %d %s: so there is no difference", a.code, a.body)
			}
		}
		return
	}
	c.want(t, beaten(1), beaten(2))
}

// What /lp/connect_info learns of a connection (spec §1.6).
func TestLongPollConnectInfo(t *testing.T) {
	addr := start(t)
	c := openPoll(t, addr, "/lp/connect_info/longpoll?vsn=2.0.0&k=v", "X-One: 1", "traceparent: 00-ab", "Cookie: secret=1")
	c.post(t, `["1","1","room:info","phx_join",{}]`)
	c.receive(t)
	c.receive(t)
	got := string(c.receive(t).Payload)
	host, port, _ := strings.Cut(addr, ":")
	for _, want := range []string{
		`"x_headers":{"x-one":"1"}`, `"trace_context_headers":{"traceparent":"00-ab"}`, `"address":"127.0.0.1"`, `"ssl_cert":null`,
		`"host":"` + host + `"`, `"port":` + port, `"path":"/lp/connect_info/longpoll"`, `"query":"vsn=2.0.0&k=v"`,
	} {
		if !strings.Contains(strings.ReplaceAll(got, `\u0026`, "&"), want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
	if strings.Contains(got, "secret") {
		t.Errorf("got %s, with a cookie", got)
	}
}
