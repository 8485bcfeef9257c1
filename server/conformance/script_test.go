package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
//	A<? …                                     A gets that frame or another one, which the next line is about
//	A<~ …                                     A gets that frame before or after that of the next line
//	A joins room:a as 1                       A joins with ref and join_ref "1", and gets ok {}
//	A closed 1001                             A gets a Close frame
//	A at /socket/websocket                    A connects there and not to the target
//	differs: idle close code                  there is a difference of this name: from here on,
//	roost: …                                  a line for servers that do not differ
//	phoenix: …                                a line for those that do
//
// A frame that comes and is in no line fails the test. In the target {} is the
// client's letter. In JSON, "$name" is any string, the same one wherever it is.
type script struct{ name, target, lines string }

// A talker is a client of a script, over one of the transports.
type talker interface {
	send(t *testing.T, op ws.OpCode, payload []byte)
	receive(t *testing.T) frame.Frame
	goodbye(t *testing.T, name string) // fails if something has come that was not received
}

// A transport connects a talker. target is that of WebSockets.
type transport func(t *testing.T, addr, target string) talker

func overWebSocket(t *testing.T, addr, target string) talker { return dial(t, addr, target) }

func overLongPoll(t *testing.T, addr, target string) talker {
	return openPoll(t, addr, strings.Replace(target, "/websocket", "/longpoll", 1))
}

// A play is a script on its way.
type play struct {
	script
	addr    string
	connect transport
	talkers map[string]*reader
	names   names
	differs bool // by the last "differs:"
}

// A reader is a talker that takes frames back.
type reader struct {
	talker
	unread []frame.Frame
	owed   string // what a "<~" line has yet to get, or ""
}

func (r *reader) receive(t *testing.T) frame.Frame {
	t.Helper()
	if len(r.unread) == 0 {
		return r.talker.receive(t)
	}
	f := r.unread[0]
	r.unread = r.unread[1:]
	return f
}

func (s script) run(t *testing.T, addr string, connect transport) {
	t.Helper()
	p := &play{script: s, addr: addr, connect: connect, talkers: make(map[string]*reader), names: make(names)}
	for line := range strings.Lines(s.lines) {
		if line, ok := p.holds(t, strings.TrimSpace(line)); ok && line != "" {
			p.line(t, line)
		}
	}
	for name, c := range p.talkers {
		if len(c.unread) > 0 {
			t.Errorf("%s got %s, which it did not expect", name, show(c.unread[0]))
		}
		c.goodbye(t, name)
	}
}

// holds reports whether a line holds for the server, and returns it without its
// label.
func (p *play) holds(t *testing.T, line string) (string, bool) {
	t.Helper()
	label, rest, _ := strings.Cut(line, ":")
	rest = strings.TrimSpace(rest)
	switch label {
	case "differs":
		p.differs = differs(t, rest)
		return "", false
	case "roost":
		return rest, !p.differs
	case "phoenix":
		return rest, p.differs
	}
	return line, true
}

func (p *play) line(t *testing.T, line string) {
	t.Helper()
	name := line[:1]
	verb, rest, _ := strings.Cut(strings.TrimSpace(line[1:]), " ")
	if verb == "at" {
		p.talkers[name] = &reader{talker: p.connect(t, p.addr, rest)}
		return
	}
	c := p.talkers[name]
	if c == nil {
		c = &reader{talker: p.connect(t, p.addr, strings.ReplaceAll(p.target, "{}", name))}
		p.talkers[name] = c
	}
	switch verb {
	case ">":
		op, payload := parseFrame(t, rest)
		c.send(t, op, payload)
	case "<?", "<~":
		op, payload := parseFrame(t, rest)
		if got := c.receive(t); got.Op != op || !p.names.same(op, got.Payload, payload) {
			c.unread = append(c.unread, got)
			if verb == "<~" {
				c.owed = rest
			}
		}
	case "<":
		p.names.expect(t, c, line, rest)
		if owed := c.owed; owed != "" {
			c.owed = ""
			p.names.expect(t, c, line, owed)
		}
	case "joins":
		topic, ref, _ := strings.Cut(rest, " as ")
		c.send(t, ws.OpText, fmt.Appendf(nil, `[%q,%q,%q,"phx_join",{}]`, ref, ref, topic))
		p.names.expect(t, c, line, fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"response":{},"status":"ok"}]`, ref, ref, topic))
	case "closed":
		got := c.receive(t)
		if code, _ := frame.ParseClose(got.Payload); got.Op != ws.OpClose || code != sessionGone && strconv.Itoa(int(code)) != rest {
			t.Fatalf("%s: got %s", line, show(got))
		}
		delete(p.talkers, name)
	default:
		t.Fatalf("the script is wrong: %s", line)
	}
}

// expect waits for the next frame and compares it with what a line of a script wants.
func (n names) expect(t *testing.T, c talker, line, want string) {
	t.Helper()
	op, payload := parseFrame(t, want)
	if got := c.receive(t); got.Op != op || !n.same(op, got.Payload, payload) {
		t.Fatalf("%s: got %s, want %s", line, show(got), want)
	}
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

func same(op ws.OpCode, got, want []byte) bool { return make(names).same(op, got, want) }

// names are what "$name" stands for, once it has been met.
type names map[string]string

// same compares a frame that has come with what a script wants.
func (n names) same(op ws.OpCode, got, want []byte) bool {
	if op == ws.OpBinary {
		return string(got) == string(want)
	}
	var x, y any
	met := maps.Clone(n)
	if json.Unmarshal(got, &x) != nil || json.Unmarshal(want, &y) != nil || !met.equal(x, y) {
		return false
	}
	maps.Copy(n, met)
	return true
}

func (n names) equal(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		return ok && maps.EqualFunc(got, want, n.equal)
	case []any:
		got, ok := got.([]any)
		return ok && slices.EqualFunc(got, want, n.equal)
	case string:
		if met, ok := n[want]; ok {
			return got == met
		}
		if text, ok := got.(string); ok && strings.HasPrefix(want, "$") {
			n[want] = text
			return true
		}
	}
	return got == want
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

// runScripts runs them over WebSockets, at the same time on one server: each has
// its own topics.
func runScripts(t *testing.T, scripts []script) {
	t.Helper()
	runOver(t, start(t), overWebSocket, scripts)
}

// runScriptsOverBoth runs them over one transport and then over the other.
func runScriptsOverBoth(t *testing.T, scripts []script) {
	t.Helper()
	addr := start(t)
	t.Run("websocket", func(t *testing.T) { runOver(t, addr, overWebSocket, scripts) })
	t.Run("longpoll", func(t *testing.T) { runOver(t, addr, overLongPoll, scripts) })
}

func runOver(t *testing.T, addr string, connect transport, scripts []script) {
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, addr, connect)
		})
	}
}
