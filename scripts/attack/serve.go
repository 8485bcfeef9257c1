package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// drainTime is how long a clean end may take.
const drainTime = 3 * time.Second

// serve is the server's process: rooms, and channels whose callbacks misbehave on
// request. For each line of its input it prints its Stats. It uses only what package phx had at commit 3529a58, so that the same
// source shows what later commits mended.
func serve(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	ep, err := phx.Start(phx.Config{
		Addr: "127.0.0.1:0",
		Mounts: []phx.Mount{
			{Path: "/socket", LongPoll: &phx.LongPoll{}, Deflate: &phx.Deflate{}, LogConnect: slog.LevelDebug, Routes: routes()},
			{Path: "/connect", Connect: welcome, LogConnect: slog.LevelDebug, Routes: routes()},
		},
		Logger: slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if err != nil {
		return err
	}
	defer ep.Subscribe("room:listener", func(phx.Broadcast) { time.Sleep(time.Second) })()
	if _, err := fmt.Fprintln(stdout, ep.Addr()); err != nil { // for start
		return err
	}
	go tellStats(ep, stdin, stdout) // ends with its input, or the process
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	_ = ep.Shutdown(drain) // blocked callbacks outlast it, and there may be no reader of an error
	return nil
}

// tellStats prints what the operators' /stats shows, a line of JSON, for each line that
// it reads.
func tellStats(ep *phx.Endpoint, in io.Reader, out io.Writer) {
	admin := ep.AdminHandler()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer := httptest.NewRecorder()
		admin.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/stats", nil))
		if _, err := answer.Body.WriteTo(out); err != nil {
			return
		}
	}
}

func welcome(*phx.Socket, phx.Params, *http.Request) error { return nil }

func routes() []phx.Route {
	return []phx.Route{{Pattern: "room:*", Type: room(nil)}, {Pattern: "big:*", Type: room(greet)}}
}

// room is a chat whose members may also ask for trouble.
func room(joined func(*phx.Channel, phx.Payload) error) *phx.ChannelType {
	return &phx.ChannelType{
		Joined:  joined,
		LogJoin: slog.LevelDebug,
		In: phx.Events{
			"new_msg": func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Broadcast("new_msg", p) },
			"tell":    func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.BroadcastFrom("tell", p) },
			"echo":    func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
			"wait":    phx.On(wait),
			"goexit":  func(*phx.Channel, phx.Payload) (any, error) { runtime.Goexit(); return nil, nil },
			"raw": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				if err := ch.Broadcast("raw", json.RawMessage("{\"k\":\"\xff\xfe\"}")); err != nil {
					return nil, err // with OK, too, the reply would go out before the crash
				}
				return phx.OK, nil
			},
		},
		Event: func(*phx.Channel, string, phx.Payload) (any, error) { return nil, nil }, // events of any length are fine
	}
}

// wait is a callback that waits for something slow.
func wait(_ *phx.Channel, in struct{ Ms int }) (any, error) {
	time.Sleep(time.Duration(in.Ms) * time.Millisecond)
	return phx.OK, nil
}

// greet tells a newcomer much at once.
func greet(ch *phx.Channel, _ phx.Payload) error {
	return ch.Push("history", map[string]string{"k": strings.Repeat("x", 1_500_000)})
}
