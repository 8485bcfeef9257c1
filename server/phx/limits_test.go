package phx_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// A topic, event, ref or join_ref is served up to Mount.MaxField bytes. One byte
// more ends the connection; nobody echoes or keeps it.
func TestFieldLengths(t *testing.T) {
	const limit = 1024 // the default
	v1 := `{"topic":%[3]q,"event":%[4]q,"payload":{},"ref":%[2]q,"join_ref":%[1]q}`
	v2 := `[%q,%q,%q,%q,{}]`
	ep := start(t, phx.Route{Pattern: "a*", Type: &phx.ChannelType{}})
	for field, name := range []string{"join_ref", "ref", "topic", "event"} {
		text := func(format string, size int) string {
			values := []any{"1", "2", "none", "x"}
			if field < 2 {
				size -= len(`""`) // refs are kept with their quotes
			}
			values[field] = strings.Repeat("x", size)
			return fmt.Sprintf(format, values...)
		}
		for vsn, format := range map[string]string{"1.0.0": v1, "2.0.0": v2} {
			c := dialAt(t, ep, "/socket/websocket?vsn="+vsn)
			c.say(text(format, limit))
			if got := c.message(); !strings.Contains(got, "unmatched topic") {
				t.Errorf("%s: %s of %d bytes: %s, want an answer", vsn, name, limit, got)
			}
			c.say(text(format, limit+1))
			c.wantClosed(1008)
		}
	}
	c := dial(t, ep)
	c.say(`["1","2",[` + strings.Repeat("1,", limit/2) + `1],"x",{}]`) // a topic that is no string
	c.wantClosed(1008)
}

// Long polling has the same bound, and Mount.MaxField moves it.
func TestFieldLengthsPolled(t *testing.T) {
	cfg := longPolling(time.Second)
	cfg.Mounts[0].MaxField = 10
	s := openSession(t, startConfig(t, cfg))
	if p := s.post(`[null,"1","0123456789","x",{}]`); p.Status != 200 {
		t.Errorf("10 bytes: status %d, want 200", p.Status)
	}
	if p := s.post(`[null,"1","0123456789a","x",{}]`); p.Status != 410 {
		t.Errorf("11 bytes: status %d, want 410", p.Status)
	}
}

// Who sends faster than Mount.Rates is told, then closed; others are not. Long
// polling and raw sockets have the same rates.
func TestRateLimited(t *testing.T) {
	rates := phx.Rates{Messages: 1}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/socket", Rates: rates, LongPoll: &phx.LongPoll{Window: time.Second}},
		{Path: "/joins", Rates: phx.Rates{Joins: 1}},
		{Path: "/raw", Rates: rates, Raw: &phx.RawType{}},
	}})
	flood := func(text string) []string { return slices.Repeat([]string{text}, 500) }
	heartbeat, limited := beat(7), `[null,"7","phoenix","phx_reply",{"status":"error","response":{"reason":"rate_limited"}}]`

	other := dial(t, ep)
	c := dial(t, ep)
	c.say(flood(heartbeat)...)
	c.want(beaten(7))
	c.untilClosed(1008, limited)
	other.heartbeat()

	c = dialAt(t, ep, "/joins/websocket?vsn=2.0.0")
	c.say(flood(`["7","7","none","phx_join",{}]`)...)
	c.want(`[null,"7","none","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	c.untilClosed(1008, `["7","7","none","phx_reply",{"status":"error","response":{"reason":"rate_limited"}}]`)

	c = dial(t, ep)
	var pings []byte
	for range 500 {
		pings = frame.AppendMasked(pings, ws.OpPing, mask, nil)
	}
	c.write(pings)
	c.untilClosed(1008, "")

	c = dialAt(t, ep, "/raw/websocket")
	c.say(flood("x")...)
	c.wantClosed(1008)

	s := openSession(t, ep)
	if p := s.post(flood(heartbeat)...); p.Status != 410 {
		t.Errorf("a POST of many messages: status %d, want 410", p.Status)
	}
	want := map[string]int{"/socket": 3, "/joins": 1, "/raw": 1}
	eventually(t, "the ledger has them", func() bool { // the POST was answered as soon as its session had ended
		count := map[string]int{}
		for _, cut := range ep.Ledger().Cuts {
			if cut.Cause == phx.RateLimited {
				count[cut.Mount] += cut.Count
			}
		}
		return maps.Equal(count, want)
	})
}

// untilClosed reads until a Close frame with the code. One of the messages before
// it must be text, unless that is "".
func (c *client) untilClosed(code ws.StatusCode, text string) {
	c.t.Helper()
	for seen := text == ""; ; {
		switch f := c.next(); f.Op {
		case ws.OpText:
			seen = seen || sameJSON(c.t, string(f.Payload), text)
		case ws.OpClose:
			if got, reason := frame.ParseClose(f.Payload); got != code || !seen {
				c.t.Errorf("closed with %d %q, want %d; said %s before: %t", got, reason, code, text, seen)
			}
			return
		}
	}
}
