package phx_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
