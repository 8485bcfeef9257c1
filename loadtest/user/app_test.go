package user

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/script"
	"github.com/roost-rt/roost/server/frame"
)

// An app is a server of the test's own behind a socket of loopback.
type app struct {
	head   string                                           // its answer to upgrades; "" lets all in
	answer func(m channels.Message, tell func(text string)) // to messages but heartbeats

	mu  sync.Mutex
	got []string // events, each with its topic
}

// listen has it serve until the test is over, and returns its URL.
func (a *app) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go a.serve(conn)
		}
	}()
	return "ws://" + l.Addr().String() + "/socket"
}

func (a *app) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	request, err := http.ReadRequest(in)
	if err != nil {
		return // somebody has knocked
	}
	if a.head != "" {
		io.WriteString(conn, a.head)
		return
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprint(conn, strings.ReplaceAll(strings.ReplaceAll(welcome, "ACCEPT", base64.StdEncoding.EncodeToString(sum[:])), "\n", "\r\n"))
	var frames frame.Decoder
	buffer := make([]byte, 4096)
	for {
		n, err := in.Read(buffer)
		if err != nil {
			return // the user is gone
		}
		for data := buffer[:n]; ; {
			f, ok, err := frames.Next(&frame.Config{}, &data)
			if err != nil || !ok {
				break
			}
			if m, err := channels.Decode(f.Payload); err == nil && m.Event != "heartbeat" {
				a.mu.Lock()
				a.got = append(a.got, m.Event+" "+m.Topic)
				a.mu.Unlock()
				a.answer(m, func(text string) { _, _ = conn.Write(frame.Append(nil, opText, []byte(text))) }) // the user finds out
			}
		}
	}
}

func answerTo(m channels.Message, status, response string) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":%q,"response":%s}]`, m.JoinRef, m.Ref, m.Topic, status, response)
}

// The first user finds out what does not fit, and says where to look.
func TestTryTellsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	const broadcast = "  - {push: say, payload: {body: \"{{stamp}}\"}, broadcast: {within: 50ms}}\n"
	after := func(then func(m channels.Message, tell func(string))) func(channels.Message, func(string)) {
		return func(m channels.Message, tell func(string)) {
			if m.Event == channels.Join {
				tell(answerTo(m, "ok", "{}"))
				return
			}
			then(m, tell)
		}
	}
	silent := after(func(channels.Message, func(string)) {})
	for _, test := range []struct {
		name, steps string
		head        string
		answer      func(channels.Message, func(string))
		want        string // a part of the error; "" for none
	}{
		{"all fits", "  - {push: say, payload: {body: \"{{stamp}}\"}, reply: {}, broadcast: {}}\n", "", after(func(m channels.Message, tell func(string)) {
			tell(answerTo(m, "ok", "{}"))
			tell(fmt.Sprintf(`[null,null,%q,"say",%s]`, m.Topic, m.Payload))
		}), ""},
		{"forbidden", broadcast, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", silent, "upgrade: HTTP 403 Forbidden: check the token"},
		{"another path", broadcast, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", silent, "upgrade: HTTP 404 Not Found: is that the path of the socket"},
		{"no upgrade", broadcast, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", silent, "upgrade: HTTP 200 OK: hello"},
		{"join refused", broadcast, "", func(m channels.Message, tell func(string)) { tell(answerTo(m, "error", `{"reason":"unauthorized"}`)) },
			"join refused: room:a: error: unauthorized: check the topic and the payload of the join"},
		{"no reply", "  - {push: say, reply: {within: 50ms}}\n", "", silent, "push say: reply no reply in 50ms; does the application reply to this event (else leave reply out)?"},
		{"an error", "  - {push: say, reply: {}}\n", "", after(func(m channels.Message, tell func(string)) { tell(answerTo(m, "error", `{"reason":"bad"}`)) }),
			"push say: reply error: bad; is the payload what the application expects?"},
		{"no broadcast", broadcast, "", silent, "push say: broadcast did not come back in 50ms; does the application broadcast this event on this topic"},
		{"a broadcast without the stamp", broadcast, "", after(func(m channels.Message, tell func(string)) {
			tell(fmt.Sprintf(`[null,null,%q,"say",{"body":"hello"}]`, m.Topic))
		}), `what came has no stamp in it, so the application may drop the field that {{stamp}} is in: say on room:a: {"body":"hello"}`},
		{"another event", broadcast, "", after(func(m channels.Message, tell func(string)) {
			tell(fmt.Sprintf(`[null,null,%q,"said",%s]`, m.Topic, m.Payload))
		}), "what came is said on room:a with the stamp: if it is that, say so as broadcast: {event: …, topic: …}"},
		{"other events, of which three are told", broadcast, "", after(func(m channels.Message, tell func(string)) {
			for _, event := range []string{"a", "b", "b", "c", "d"} {
				tell(fmt.Sprintf(`[null,null,%q,%q,{}]`, m.Topic, event))
			}
		}), "what came is a on room:a, b on room:a, c on room:a: if"},
		{"a crash", broadcast, "", after(func(m channels.Message, tell func(string)) {
			tell(fmt.Sprintf(`[%q,null,%q,"phx_error",{}]`, m.JoinRef, m.Topic))
		}),
			"channel crashed on the server (phx_error): does it handle this event, with this payload?"},
		{"a broadcast that is refused", broadcast, "", after(func(m channels.Message, tell func(string)) { tell(answerTo(m, "error", `{"reason":"no"}`)) }), "push say: broadcast error: no"},
		{"an event that does not come", "  - {expect: news, within: 50ms}\n", "", silent, "expect news: event did not come in 50ms"},
		{"an error that nobody waits for", "  - {push: say}\n  - {push: then, reply: {}}\n", "", after(func(m channels.Message, tell func(string)) {
			if m.Event == "then" {
				tell(`[null,"900","room:a","phx_reply",{"status":"error","response":{"reason":"late"}}]`)
				tell(answerTo(m, "ok", "{}"))
			}
		}), "error reply that no step waits for: late"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := &app{head: test.head, answer: test.answer}
			src := script.Source{Text: []byte("target: {url: \"ws://127.0.0.1:1/\"}\ntopics: [{topic: room:a}]\nrounds: 1\nsteps:\n" + test.steps)}
			_, err := Try(t.Context(), src, a.listen(t), nil)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Try() = %v, want %q", err, test.want)
			}
			if Unreachable(err) {
				t.Errorf("%v: there was a way to the application", err)
			}
		})
	}
}

// The first user leaves nothing out: it makes each choice, what is repeated once, and
// thinks about nothing.
func TestTryMakesAllSteps(t *testing.T) {
	t.Parallel()
	a := &app{answer: func(m channels.Message, tell func(string)) { tell(answerTo(m, "ok", `{"id":7}`)) }}
	src := script.Source{Text: []byte(`target: {url: "ws://127.0.0.1:1/"}
topics: [{topic: "room:{{user.id}}", as: mine}, {topic: room:b, later: true}]
rounds: 9
users: {file: u.csv}
steps:
  - wait: 1h
  - repeat: {times: 1000, steps: [{push: repeated, reply: {}}, {wait: 1h}]}
  - choose:
      - {weight: 0.001, steps: [{push: seldom, reply: {save: {x: id}}}]}
      - {weight: 0, steps: [{push: never, reply: {}}]}
      - {weight: 1000, steps: [{push: often, payload: {x: "{{saved.x | number}}"}, reply: {}}]}
  - join: room:b
  - {push: there, topic: room:b, reply: {}}
  - leave: room:b
`), Columns: []string{"id"}, Rows: [][]string{{"ann"}, {"bob"}}}
	without, err := Try(t.Context(), src, a.listen(t), nil)
	if err != nil || len(without) != 0 {
		t.Fatalf("Try() = %q, %v", without, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	want := []string{"phx_join room:ann", "repeated room:ann", "seldom room:ann", "often room:ann", "phx_join room:b", "there room:b", "phx_leave room:b"}
	if !slices.Equal(a.got, want) {
		t.Errorf("the application got %q, want %q", a.got, want)
	}
}

// Whether there is a way to the application is told from what it says.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "ws://" + l.Addr().String() + "/socket"
	l.Close()
	src := script.Source{Text: []byte("target: {url: \"ws://127.0.0.1:1/\"}\ntopics: [{topic: a}]\nrounds: 1\nsteps: [{push: a}]\n")}
	if _, err := Try(t.Context(), src, nobody, nil); !Unreachable(err) || !strings.Contains(err.Error(), "connection refused: is the server running, and is that its port?") {
		t.Errorf("nobody listens: %v, which is unreachable: %t", err, Unreachable(err))
	}
	if _, err := Try(t.Context(), src, "nonsense", nil); err == nil || Unreachable(err) {
		t.Errorf("no URL: %v, which is unreachable: %t", err, Unreachable(err))
	}
	for err, want := range map[error]bool{
		&net.DNSError{Err: "no such host"}:                           true,
		&net.OpError{Op: "dial", Err: errors.New("x")}:               true,
		&net.OpError{Op: "read", Err: errors.New("x")}:               false,
		&ailment{"text", &net.OpError{Op: "dial", Err: io.EOF}}:      true,
		&ailment{"text", fmt.Errorf("x: %w", &refusal{status: 403})}: false,
		io.EOF: false,
	} {
		if got := Unreachable(err); got != want {
			t.Errorf("%v is unreachable: %t, want %t", err, got, want)
		}
	}
	a := &app{answer: func(channels.Message, func(string)) {}} // it never answers the join
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("somebody pressed Ctrl-C"))
	defer cancel()
	if _, err := Try(ctx, src, a.listen(t), nil); err == nil {
		t.Error("a trial that is interrupted has found that all fits")
	}
}
