package main_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// A script is a talk of clients, one letter each, with one mount. A line is
//
//	A> [null,"1","phoenix","heartbeat",{}]    A sends a text frame
//	A> "\x00\x00\x01…"                        A sends a binary frame
//	A< …                                      A gets a frame; JSON compares by value
//	A joins room:a as 1                       A joins with ref and join_ref "1", and gets ok {}
//	A closed 1001                             A gets a Close frame
//
// A frame that comes and is in no line fails the test. In the target {} is the
// client's letter.
type script struct{ name, target, lines string }

func (s script) run(t *testing.T, addr string) {
	t.Helper()
	clients := make(map[string]*client)
	for line := range strings.Lines(s.lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name := line[:1]
		verb, rest, _ := strings.Cut(strings.TrimSpace(line[1:]), " ")
		c := clients[name]
		if c == nil {
			c = dial(t, addr, strings.ReplaceAll(s.target, "{}", name))
			clients[name] = c
		}
		switch verb {
		case ">":
			op, payload := parseFrame(t, rest)
			c.send(t, op, payload)
		case "<":
			c.expect(t, line, rest)
		case "joins":
			topic, ref, _ := strings.Cut(rest, " as ")
			c.send(t, ws.OpText, fmt.Appendf(nil, `[%q,%q,%q,"phx_join",{}]`, ref, ref, topic))
			c.expect(t, line, fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"response":{},"status":"ok"}]`, ref, ref, topic))
		case "closed":
			got := c.receive(t)
			if code, _ := frame.ParseClose(got.Payload); got.Op != ws.OpClose || strconv.Itoa(int(code)) != rest {
				t.Fatalf("%s: got %s", line, show(got))
			}
			clients[name] = nil
		default:
			t.Fatalf("the script is wrong: %s", line)
		}
	}
	for name, c := range clients {
		if c != nil {
			c.goodbye(t, name)
		}
	}
}

// expect waits for the next frame and compares it with what a line of a script wants.
func (c *client) expect(t *testing.T, line, want string) {
	t.Helper()
	op, payload := parseFrame(t, want)
	if got := c.receive(t); got.Op != op || !same(op, got.Payload, payload) {
		t.Fatalf("%s: got %s, want %s", line, show(got), want)
	}
}

// goodbye closes the connection and sees that nothing is left on it.
func (c *client) goodbye(t *testing.T, name string) {
	t.Helper()
	c.send(t, ws.OpClose, []byte{1000 >> 8, 1000 & 0xff})
	if got := c.receive(t); got.Op != ws.OpClose {
		t.Errorf("%s got %s, which it did not expect", name, show(got))
	}
	c.conn.Close()
}

func parseFrame(t *testing.T, text string) (ws.OpCode, []byte) {
	t.Helper()
	if text[0] != '"' {
		return ws.OpText, []byte(text)
	}
	data, err := strconv.Unquote(text)
	if err != nil {
		t.Fatalf("script: %s: %v", text, err)
	}
	return ws.OpBinary, []byte(data)
}

func same(op ws.OpCode, a, b []byte) bool {
	if op == ws.OpBinary {
		return string(a) == string(b)
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func show(f frame.Frame) string {
	switch f.Op {
	case ws.OpText:
		return string(f.Payload)
	case ws.OpClose:
		code, reason := frame.ParseClose(f.Payload)
		return "closed " + strconv.Itoa(int(code)) + " " + reason
	}
	return strconv.Quote(string(f.Payload))
}

// runScripts runs them at the same time on one server: each has its own topics.
func runScripts(t *testing.T, scripts []script) {
	addr := start(t)
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, addr)
		})
	}
}
