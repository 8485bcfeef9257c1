package phx_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// A logBook keeps log lines: level, text and arguments.
type logBook struct {
	min slog.Level

	mu    sync.Mutex
	lines []map[string]any
}

func (b *logBook) logger() *slog.Logger { return slog.New(b) }

func (b *logBook) Enabled(_ context.Context, l slog.Level) bool { return l >= b.min }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler           { return b }
func (b *logBook) WithGroup(string) slog.Handler                { return b }

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	line := map[string]any{"level": r.Level.String(), "text": r.Message}
	r.Attrs(func(a slog.Attr) bool { line[a.Key] = a.Value.Any(); return true })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	return nil
}

// with returns the lines with a text.
func (b *logBook) with(text string) (lines []map[string]any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.lines {
		if line["text"] == text {
			lines = append(lines, line)
		}
	}
	return lines
}

// show is a line without its duration, which must be there.
func show(t *testing.T, line map[string]any) string {
	t.Helper()
	line = maps.Clone(line)
	if _, ok := line["duration"]; !ok {
		t.Errorf("no duration in %v", line)
	}
	delete(line, "duration")
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(line)) {
		value := line[key]
		if text, ok := value.(json.RawMessage); ok {
			value = string(text)
		}
		parts = append(parts, fmt.Sprintf("%s=%v", key, value))
	}
	return strings.Join(parts, " ")
}

// converse connects, is refused once, joins twice, and says three things.
func converse(t *testing.T, ep *phx.Endpoint) {
	t.Helper()
	refused := connect(t, ep)
	refused.write(request("/socket/websocket?vsn=2.0.0&no=1"))
	if head := refused.head(); !strings.HasPrefix(head, "HTTP/1.1 403 ") {
		t.Fatalf("answer %q, want 403", head)
	}
	c := dialAt(t, ep, "/socket/websocket?vsn=2.0.0&token=secret&user=ann")
	c.join("room:1")
	c.say(`["1","2","room:2","phx_join",{"deny":1,"password":"secret"}]`)
	c.want(`["1","2","room:2","phx_reply",{"status":"error","response":{"reason":"denied"}}]`)
	c.say(`["1","3","room:1","loud",{"token":"secret"}]`, `["1","4","room:1","soft",{"n":12345678901234567890}]`, `["1","5","room:1","other","x"]`)
	for i, payload := range []string{`{"token":"secret"}`, `{"n":12345678901234567890}`, `"x"`} {
		c.want(fmt.Sprintf(`["1","%d","room:1","phx_reply",{"status":"ok","response":%s}]`, i+3, payload))
	}
}

// loggedRoom is what converse talks to.
func loggedRoom() *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(_ *phx.Channel, p phx.Payload) (any, error) {
			if string(p.JSON()) != "{}" {
				return nil, phx.Errorf("denied")
			}
			return nil, nil
		},
		In: phx.Events{"loud": echo, "soft": echo, "other": echo},
	}
}

// Connects, joins and client messages are logged with their outcome and what may
// be shown of them, each at its level (spec §5.5).
func TestLogLines(t *testing.T) {
	for _, tt := range []struct {
		name    string
		connect slog.Leveler
		set     func(*phx.ChannelType)
		min     slog.Level
		want    []string
	}{
		{"usual levels", nil, func(*phx.ChannelType) {}, slog.LevelDebug, []string{
			`err=connection refused with status 403: not you level=INFO mount=/socket params={"no":"1","vsn":"2.0.0"} text=connect refused transport=websocket vsn=2.0.0`,
			`level=INFO mount=/socket params={"token":"[FILTERED]","user":"ann","vsn":"2.0.0"} text=connected transport=websocket vsn=2.0.0`,
			`level=INFO params={} text=joined topic=room:1`,
			`err=error reply: {"reason":"denied"} level=INFO params={"deny":1,"password":"[FILTERED]"} text=join refused topic=room:2`,
			`event=loud level=DEBUG params={"token":"[FILTERED]"} text=handled topic=room:1`,
			`event=soft level=DEBUG params={"n":12345678901234567890} text=handled topic=room:1`,
			`event=other level=DEBUG params="x" text=handled topic=room:1`,
		}},
		{"what the logger wants", nil, func(*phx.ChannelType) {}, slog.LevelInfo, []string{
			`err=connection refused with status 403: not you level=INFO mount=/socket params={"no":"1","vsn":"2.0.0"} text=connect refused transport=websocket vsn=2.0.0`,
			`level=INFO mount=/socket params={"token":"[FILTERED]","user":"ann","vsn":"2.0.0"} text=connected transport=websocket vsn=2.0.0`,
			`level=INFO params={} text=joined topic=room:1`,
			`err=error reply: {"reason":"denied"} level=INFO params={"deny":1,"password":"[FILTERED]"} text=join refused topic=room:2`,
		}},
		{"levels of one's own", phx.LogOff, func(room *phx.ChannelType) {
			room.LogJoin, room.LogIn = slog.LevelWarn, phx.LogOff
			room.LogEvents = map[string]slog.Leveler{"loud": slog.LevelError}
		}, slog.LevelDebug, []string{
			`level=WARN params={} text=joined topic=room:1`,
			`err=error reply: {"reason":"denied"} level=WARN params={"deny":1,"password":"[FILTERED]"} text=join refused topic=room:2`,
			`event=loud level=ERROR params={"token":"[FILTERED]"} text=handled topic=room:1`,
		}},
		{"one event less", phx.LogOff, func(room *phx.ChannelType) {
			room.LogJoin, room.LogIn = phx.LogOff, slog.LevelInfo
			room.LogEvents = map[string]slog.Leveler{"loud": phx.LogOff, "soft": nil}
		}, slog.LevelInfo, []string{
			`event=other level=INFO params="x" text=handled topic=room:1`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			room, book := loggedRoom(), &logBook{min: tt.min}
			tt.set(room)
			ep := startLogged(t, phx.Config{Mounts: []phx.Mount{{
				Path: "/socket", LogConnect: tt.connect, Routes: []phx.Route{{Pattern: "room:*", Type: room}},
				Connect: func(_ *phx.Socket, p phx.Params, _ *http.Request) error {
					if p.String("no") != "" {
						return errors.New("not you")
					}
					return nil
				},
			}}}, book.logger())
			converse(t, ep)
			var got []string
			eventually(t, "the last line", func() bool {
				got = nil
				for _, text := range []string{"connect refused", "connected", "joined", "join refused", "handled"} {
					for _, line := range book.with(text) {
						got = append(got, show(t, line))
					}
				}
				return len(got) >= len(tt.want)
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// Topics that start with phoenix are never logged (spec §5.5).
func TestPhoenixTopicsAreNotLogged(t *testing.T) {
	book := &logBook{min: slog.LevelDebug}
	ep := startLogged(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{
		{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{"echo": echo}}},
	}}}}, book.logger())
	c := dial(t, ep)
	for _, topic := range []string{"phoenix:live_reload", "room:1"} {
		c.join(topic)
		c.say(fmt.Sprintf(`["1","2",%q,"echo",{}]`, topic))
		c.want(fmt.Sprintf(`["1","2",%q,"phx_reply",{"status":"ok","response":{}}]`, topic))
	}
	eventually(t, "the others are logged", func() bool { return len(book.with("handled")) > 0 && len(book.with("joined")) > 0 })
	for _, line := range append(book.with("joined"), book.with("handled")...) {
		if line["topic"] != "room:1" {
			t.Errorf("logged: %v", line)
		}
	}
}

// Payloads that are no JSON, or too much of it, are not shown.
func TestLogShowsNoBytes(t *testing.T) {
	book := &logBook{min: slog.LevelDebug}
	ep := startLogged(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{
		{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{"e": func(*phx.Channel, phx.Payload) (any, error) { return phx.OK, nil }}}},
	}}}}, book.logger())
	c := dial(t, ep)
	c.join("a")
	c.send(2, []byte("\x00\x01\x01\x01\x0112ae\x07\x08\x09"))
	c.say(`["1","2","a","e","` + strings.Repeat("x", 20_000) + `"]`)
	var got []string
	eventually(t, "two lines", func() bool { return len(book.with("handled")) == 2 })
	for _, line := range book.with("handled") {
		got = append(got, string(line["params"].(json.RawMessage)))
	}
	if want := []string{`"3 bytes"`, `"JSON of 20002 bytes"`}; !slices.Equal(got, want) {
		t.Errorf("logged %v, want %v", got, want)
	}
}

// A log handler may look at the socket and the channel that a line is about: no
// lock is held.
func TestLogHandlerMayLook(t *testing.T) {
	var look func() // set once there is something to look at
	var mu sync.Mutex
	log := &spyLog{&logBook{min: slog.LevelDebug}, func() {
		mu.Lock()
		do := look
		mu.Unlock()
		if do != nil {
			do()
		}
	}}
	ep := startLogged(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", MaxChannels: 2, MailboxMax: 1, Routes: []phx.Route{
		{Pattern: "room:*", Type: &phx.ChannelType{
			Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
				mu.Lock()
				defer mu.Unlock()
				look = func() { ch.Socket().RemoteAddr(); ch.Topic() }
				if ch.Topic() == "room:binary" {
					return phx.Reply{Status: strings.Repeat("s", 300), Response: phx.Binary{1}}, nil
				}
				return nil, nil
			},
			Intercept: []string{"out"},
			Out:       func(*phx.Channel, string, phx.Payload) error { return nil },
			In: phx.Events{"flood": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				return nil, errors.Join(ch.Broadcast("out", nil), ch.Broadcast("out", nil))
			}},
		}},
	}}}}, slog.New(log))
	c := dial(t, ep)
	c.join("room:1")
	c.say(`["1","2","nowhere","phx_join",{}]`, `["1","3","room:binary","phx_join",{}]`)
	c.want(`[null,"2","nowhere","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`,
		`["1","3","room:binary","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`)
	c.say(`["4","4","room:1","phx_join",{}]`)
	c.want(`["4","4","room:1","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room:1","phx_close",{}]`)
	c.join("room:2")
	c.say(`["1","5","room:3","phx_join",{}]`)
	c.want(`["1","5","room:3","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]`)
	c.say(`["4","6","room:1","flood",{}]`)
	c.wantEnd()
	eventually(t, "the end is not at the level of details", func() bool {
		lines := log.with("socket closed")
		return len(lines) == 1 && lines[0]["level"] == "INFO" && strings.Contains(fmt.Sprint(lines[0]["err"]), "room:1")
	})
	if n := len(log.with("join refused")); n != 2 {
		t.Errorf("%d joins that were refused are logged, want 2", n)
	}
}

// A spyLog looks at something for each line.
type spyLog struct {
	*logBook
	look func()
}

func (l *spyLog) Handle(ctx context.Context, r slog.Record) error {
	l.look()
	return l.logBook.Handle(ctx, r)
}
