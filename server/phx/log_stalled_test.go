package phx_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/asynclog"
	"github.com/roost-rt/roost/server/phx"
)

// A stalledLog is a log whose lines nobody takes until it is released.
type stalledLog struct {
	*logBook
	released chan struct{}
}

func (l *stalledLog) Handle(ctx context.Context, r slog.Record) error {
	<-l.released
	return l.logBook.Handle(ctx, r)
}

// A log handler that blocks stops neither the loop, which has refused joins to
// log, nor callbacks, nor Shutdown, which says that lines are lost.
func TestStalledLog(t *testing.T) {
	log := &stalledLog{&logBook{min: slog.LevelDebug}, make(chan struct{})}
	t.Cleanup(sync.OnceFunc(func() { close(log.released) }))
	ep, err := phx.Start(phx.Config{
		Addr: "127.0.0.1:0", Hosts: []string{phx.AnyHost}, Logger: slog.New(log), LogRate: 1_000_000, // so that the queue is full at once
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{"echo": echo}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, ep)
	for range 3_000 {
		c.say(`["1","1","nowhere","phx_join",{}]`)
		c.want(`[null,"1","nowhere","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	}
	c.join("room:1")
	c.say(`["1","2","room:1","echo",{}]`)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`)
	c.hangUp(false)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := ep.Shutdown(ctx); !errors.Is(err, asynclog.ErrNotWritten) || ctx.Err() != nil {
		t.Errorf("Shutdown = %v, want ErrNotWritten in time", err)
	}
}

// When a log is read again, each line has been written or is counted in another,
// and Shutdown waits for the last.
func TestStalledLogCounts(t *testing.T) {
	log := &stalledLog{&logBook{min: slog.LevelInfo}, make(chan struct{})}
	release := sync.OnceFunc(func() { close(log.released) })
	t.Cleanup(release)
	ep := startLogged(t, phx.Config{LogRate: 500, Mounts: []phx.Mount{{Path: "/socket", LogConnect: phx.LogOff, Rates: phx.Rates{Joins: -1}}}}, slog.New(log))
	c := dial(t, ep)
	const joins = 6_000 // of which 5,000 may come at once, for which there is no room
	for range joins {
		c.say(`["1","1","nowhere","phx_join",{}]`)
		c.want(`[null,"1","nowhere","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	}
	c.hangUp(false)
	release()
	shutdown(t, ep)
	written := log.with("join refused")
	sum := len(written)
	for _, line := range log.with("log lines dropped") {
		sum += count(line["info"])
	}
	for _, line := range append(written, log.with("log lines suppressed")...) {
		sum += count(line["suppressed"])
	}
	if sum != joins || len(written) == joins {
		t.Errorf("%d lines are written, with those that they say are missing %d, want %d", len(written), sum, joins)
	}
}

func count(v any) int {
	n, _ := v.(int64)
	return int(n)
}

// What any client can bring about is logged as information at most, and shows no
// more of what it sent than fits into a line.
func TestClientsCauseNoWarnings(t *testing.T) {
	book := &logBook{min: slog.LevelDebug}
	ep := startLogged(t, phx.Config{
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.WriteHeader(200) }),
		Mounts: []phx.Mount{{
			Path: "/socket", MaxChannels: 1, Subprotocols: []string{"spoken"}, Origins: []string{"https://here.example"},
			Connect: func(_ *phx.Socket, p phx.Params, _ *http.Request) error {
				if p.String("no") != "" {
					return errors.New(p.String("no"))
				}
				return nil
			},
			Routes: []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{
				Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
					if string(p.JSON()) != "{}" {
						return nil, phx.Errorf("not with %s", p.JSON())
					}
					return nil, nil
				},
			}}},
		}},
	}, book.logger())
	long := strings.Repeat("ü", 100_000)
	for _, target := range []string{
		"/socket/websocket?vsn=2.0.0&no=" + strings.Repeat("n", 10_000), "/socket/websocket?vsn=9", "/socket/websocket?vsn=2.0.0&%zz",
	} {
		refused := connect(t, ep)
		refused.write(request(target))
		refused.head()
	}
	for _, header := range []string{"Origin: https://" + strings.Repeat("o", 10_000), "Sec-WebSocket-Protocol: " + strings.Repeat("p", 10_000)} {
		refused := connect(t, ep)
		refused.write(request("/socket/websocket?vsn=2.0.0", header))
		refused.head()
	}
	web := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/?a;b", "/"} {
		resp, err := web.Get("http://" + ep.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	c := dial(t, ep)
	name := long[:1_000] // the most that topics and events may have
	c.say(`["1","1","nowhere`+name+`","phx_join",{}]`, `["1","2","room:`+name+`","phx_join",{"`+long+`":1}]`)
	c.next()
	c.next()
	c.join("room:1")
	c.say(`["3","3","room:2","phx_join",{}]`, `["1","4","room:1","e`+name+`",{}]`)
	c.next()
	c.next()
	c.say(`{"` + long + `":not JSON`)
	c.wantEnd()
	c.hangUp(false)
	for _, text := range []string{"connect refused", "origin refused", "subprotocol refused", "HTTP server", "join refused", "channel crashed", "malformed message", "socket closed"} {
		eventually(t, "a line: "+text, func() bool { return len(book.with(text)) > 0 })
	}
	book.mu.Lock()
	defer book.mu.Unlock()
	for _, line := range book.lines {
		if level := line["level"]; level != "INFO" && level != "DEBUG" {
			t.Errorf("a client has brought about %v", line)
		}
		if params, ok := line["params"].(json.RawMessage); ok {
			line["params"] = string(params)
		}
		if text := fmt.Sprint(line); len(text) > 3_000 || !utf8.ValidString(text) {
			t.Errorf("a line of %d bytes: %.300s", len(text), text)
		}
	}
}

// A crash is logged with its stack, also if its text is long.
func TestLogShowsStack(t *testing.T) {
	book := &logBook{}
	ep := startLogged(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{
		In: phx.Events{"crash": func(_ *phx.Channel, p phx.Payload) (any, error) { panic(string(p.JSON())) }},
	}}}}}}, book.logger())
	c := dial(t, ep)
	c.join("a")
	c.say(`["1","2","a","crash","` + strings.Repeat("x", 1_000_000) + `"]`)
	eventually(t, "a line", func() bool { return len(book.with("channel crashed")) == 1 })
	line := book.with("channel crashed")[0]
	shown := make(map[string]string)
	group, _ := line["err"].([]slog.Attr)
	for _, a := range group {
		shown[a.Key] = a.Value.String()
	}
	if line["level"] != "ERROR" || !strings.HasPrefix(shown["text"], `panic: "xxx`) || len(shown["text"]) > 512 || !strings.Contains(shown["stack"], "TestLogShowsStack") {
		t.Errorf("logged %v", line)
	}
}

// A panic of the HTTP handler is one kind of line, whoever it is for.
func TestLogOfHTTPPanics(t *testing.T) {
	book := &logBook{}
	ep := startLogged(t, phx.Config{HTTP: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") })}, book.logger())
	web := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 2 {
		if _, err := web.Get("http://" + ep.Addr().String()); err == nil {
			t.Error("a handler that panics has answered")
		}
	}
	eventually(t, "both lines", func() bool { return len(book.with("panic in the HTTP handler")) >= 2 })
	for _, line := range book.with("panic in the HTTP handler") {
		if line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["err"]), "on purpose") || !strings.Contains(fmt.Sprint(line["stack"]), "TestLogOfHTTPPanics") {
			t.Errorf("logged %v", line)
		}
	}
}
