package phxtest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

// A failure says what came instead, in full.
func TestFailures(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: append(mounts(), phx.Mount{
		Path:    "/closed",
		Connect: nil,
		Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{
			"close": func(ch *phx.Channel, _ phx.Payload) (any, error) { ch.Socket().Close(); return nil, nil },
		}}}},
	})})
	dialer := phxtest.Dialer{Timeout: 500 * time.Millisecond}
	tests := []struct {
		name string
		test func(t testing.TB, c *phxtest.Client, room *phxtest.Channel)
		want string
	}{
		{
			"nothing came",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) { room.ExpectPush("news", nil) },
			`no push "news" {} on room:1: not within 500ms; came instead: nothing`,
		},
		{
			"something else came",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("shout", map[string]any{"n": 1})
				room.Push("shout", phx.Binary("bytes"))
				room.Push("ping", "hello")
				room.ExpectBroadcast("shout", map[string]any{"n": 2})
			},
			`no broadcast "shout" {"n":2} on room:1: not within 500ms; came instead:` + `
	broadcast "shout" {"n":1}
	broadcast "shout" binary "bytes"
	reply "ok" "hello"`,
		},
		{
			"another payload in a reply",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("ping", map[string]any{"n": 1}).ExpectReply("ok", map[string]any{"n": 2})
			},
			`room:1: reply "ok" {"n":1} to "ping", want reply "ok" {"n":2}`,
		},
		{
			"another number, equal as a float",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("ping", 1<<60).ExpectReply("ok", 1<<60+1)
			},
			`room:1: reply "ok" 1152921504606846976 to "ping", want reply "ok" 1152921504606846977`,
		},
		{
			"another status in a reply",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("ping", nil).ExpectReply("error", phxtest.Any)
			},
			`room:1: reply "ok" {} to "ping", want reply "error" with a payload that fits`,
		},
		{
			"a reply after the end",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("crash", nil).ExpectReply("ok", nil)
			},
			`no reply "ok" {} to "crash" on room:1: the channel has ended; came instead:` + `
	push "phx_error" {"reason":"channel_crash"}`,
		},
		{
			"a push that was refuted",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("shout", map[string]any{"n": 1})
				room.RefutePush("shout", phxtest.Any)
			},
			`room:1: broadcast "shout" {"n":1}, want no push "shout" with a payload that fits`,
		},
		{
			"a reply that was refuted",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) { room.Push("ping", nil).RefuteReply() },
			`room:1: reply "ok" {}, want no reply to "ping"`,
		},
		{
			"anything at all",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("shout", nil)
				room.ExpectNothing()
			},
			`room:1: broadcast "shout" {}, want nothing`,
		},
		{
			"a broadcast on a topic",
			func(t testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				others := phxtest.Subscribe(t, ep, "room:1")
				room.Push("shout", nil)
				others.RefuteBroadcast("shout", nil)
			},
			`room:1: broadcast "shout" {}, want no broadcast "shout" {}`,
		},
		{
			"a join that is refused",
			func(_ testing.TB, c *phxtest.Client, _ *phxtest.Channel) { c.Join("room:secret", nil) },
			`join room:secret: reply "error" {"reason":"unauthorized"}, want ok`,
		},
		{
			"a join that is not refused",
			func(_ testing.TB, c *phxtest.Client, _ *phxtest.Channel) { c.JoinError("room:2", nil, nil) },
			`join room:2: reply "ok" {"you":"ann"}, want reply "error" {}`,
		},
		{
			"a connection that goes on",
			func(_ testing.TB, c *phxtest.Client, _ *phxtest.Channel) { c.ExpectClose(1001) },
			`no end of the connection with 1001: not within 500ms; came instead: nothing`,
		},
		{
			"another close code",
			func(t testing.TB, _ *phxtest.Client, _ *phxtest.Channel) {
				c := dialer.Connect(t, ep, "/closed", nil)
				c.Join("room:1", nil).Push("close", nil)
				c.ExpectClose(1000)
			},
			`the connection was closed with 1001, want 1000`,
		},
		{
			"a closed connection",
			func(t testing.TB, _ *phxtest.Client, _ *phxtest.Channel) {
				c := dialer.Connect(t, ep, "/closed", nil)
				room := c.Join("room:1", nil)
				room.Push("close", nil)
				room.ExpectPush("news", nil)
			},
			`no push "news" {} on room:1: the connection was closed with 1001; came instead: nothing`,
		},
		{
			"a push over a closed connection",
			func(_ testing.TB, c *phxtest.Client, room *phxtest.Channel) {
				c.Close()
				room.Push("ping", nil)
			},
			`send "ping" to room:1: the connection was closed with 1000`,
		},
		{
			"a payload that is no JSON",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				room.Push("ping", errors.ErrUnsupported.Error)
			},
			`encode payload: json: unsupported type: func() string`,
		},
		{
			"a payload of another type",
			func(_ testing.TB, _ *phxtest.Client, room *phxtest.Channel) {
				phxtest.Decode[int](room.Push("ping", "text").ExpectReply("ok", phxtest.Any))
			},
			`decode reply "ok" "text" into int: json: cannot unmarshal string into Go value of type int`,
		},
		{
			"a connection that is refused",
			func(t testing.TB, _ *phxtest.Client, _ *phxtest.Channel) { phxtest.Connect(t, ep, "/socket", nil) },
			`connect to /socket: refused with 401 Unauthorized who are you?`,
		},
		{
			"a connection that is not refused",
			func(t testing.TB, _ *phxtest.Client, _ *phxtest.Channel) {
				phxtest.ConnectError(t, ep, "/closed", nil, 403)
			},
			`connect to /closed: answered with 101 Switching Protocols , want 403`,
		},
		{
			"a token that the mount does not take",
			func(t testing.TB, _ *phxtest.Client, _ *phxtest.Channel) {
				phxtest.Dialer{AuthToken: "x"}.Connect(t, ep, "/closed", nil)
			},
			`connect to /closed: the server chose no subprotocol, so a browser would not connect: does the mount have AuthToken or Subprotocols?`,
		},
		{
			"a configuration that is wrong",
			func(t testing.TB, _ *phxtest.Client, _ *phxtest.Channel) { phxtest.Start(t, phx.Config{MaxHTTP: -1}) },
			`start an endpoint: phx: configuration: MaxHTTP is -1: it must not be negative; zero is the default`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := failure(t, func(t testing.TB) {
				c := dialer.Connect(t, ep, "/socket", phx.Params{"name": "ann"})
				room := c.Join("room:1", nil)
				tt.test(t, c, room)
			})
			if got != tt.want {
				t.Errorf("failed with\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
