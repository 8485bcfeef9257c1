package phx_test

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// A loud room broadcasts what its members say, answers "echo" with its payload,
// and pushes a lot to who joins "room:loud".
func loudRoom(t *testing.T, cfg phx.Config) *phx.Endpoint {
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, time.Minute) // on a busy machine it takes longer to write than to be slow
	room := &phx.ChannelType{
		In: phx.Events{
			"say":  func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("said", p) },
			"echo": func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
		},
		Joined: func(ch *phx.Channel, _ phx.Payload) error {
			if ch.Topic() != "room:loud" {
				return nil
			}
			return ch.Push("state", map[string]string{"text": strings.Repeat("s", 3<<19)})
		},
	}
	cfg.Mounts = []phx.Mount{{Path: "/socket", Idle: time.Hour, Routes: []phx.Route{{Pattern: "room:*", Type: room}}}} // a busy machine may take minutes
	return startLogged(t, cfg, cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler)))
}

// Members of a room that read lose nothing of what another one says, however much
// that is at once.
func TestBurstIntoARoom(t *testing.T) {
	for _, tt := range []struct{ messages, size int }{{3, 1_200_000}, {15, 600_000}} {
		t.Run(fmt.Sprintf("%dx%d", tt.messages, tt.size), func(t *testing.T) {
			if testing.Short() && tt.messages > 3 {
				t.Skip("slow in race builds")
			}
			ep := loudRoom(t, phx.Config{SendBuffer: 8 << 10})
			members := make([]*client, 8)
			for i := range members {
				members[i] = dial(t, ep)
				members[i].join("room:1")
			}
			text := strings.Repeat("x", tt.size)
			said := make([]string, tt.messages) // made once: readers only read
			for i := range said {
				said[i] = fmt.Sprintf(`[null,null,"room:1","said",{"n":%d,"text":"%s"}]`, i, text)
			}
			var readers sync.WaitGroup
			for _, c := range members {
				readers.Go(func() {
					c.want(said...)
					c.heartbeat()
				})
			}
			speaker := dial(t, ep)
			speaker.join("room:1")
			for i := range tt.messages { // all at once, before it reads
				speaker.say(fmt.Sprintf(`["1",null,"room:1","say",{"n":%d,"text":"%s"}]`, i, text))
			}
			speaker.want(said...) // its own
			readers.Wait()
			if st := ep.Stats(); st.Sockets != len(members)+1 || st.SlowConsumers != 0 {
				t.Errorf("Stats() = %+v, want all %d sockets", st, len(members)+1)
			}
		})
	}
}

// A client gets the answers to all that it asks in one go, also while it asks.
func TestBurstOfOnesOwn(t *testing.T) {
	const size = 20_000
	for name, messages := range map[string]int{"2 MB": 100, "16 MB": 800} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && messages > 100 {
				t.Skip("slow in race builds")
			}
			ep := loudRoom(t, phx.Config{SendBuffer: 8 << 10})
			c := dial(t, ep)
			c.join("room:1")
			text := strings.Repeat("x", size)
			var all []byte
			for i := range messages {
				all = frame.AppendMasked(all, ws.OpText, mask, fmt.Appendf(nil, `["1","%d","room:1","echo",{"text":"%s"}]`, i, text))
			}
			var writer sync.WaitGroup
			writer.Go(func() { c.write(all) })
			for i := range messages {
				c.want(fmt.Sprintf(`["1","%d","room:1","phx_reply",{"status":"ok","response":{"text":"%s"}}]`, i, text))
			}
			writer.Wait()
			c.heartbeat()
		})
	}
}

// A push that is larger than most is followed by others.
func TestPushThenReply(t *testing.T) {
	ep := loudRoom(t, phx.Config{SendBuffer: 8 << 10})
	c := dial(t, ep)
	c.say(`["1","1","room:loud","phx_join",{}]`, `[null,"hb","phoenix","heartbeat",{}]`, `["1","2","room:loud","echo",{}]`)
	seen := map[string]int{}
	for range 4 {
		switch m := c.message(); {
		case strings.Contains(m, `"state"`):
			seen["state"]++
		case strings.HasPrefix(m, `["1","1"`):
			seen["joined"]++
		case strings.HasPrefix(m, `["1","2"`):
			seen["echo"]++
		case strings.HasPrefix(m, `[null,"hb"`):
			seen["heartbeat"]++
		}
	}
	if len(seen) != 4 {
		t.Errorf("got %v, want each once", seen)
	}
}

// Who reads nothing while the room goes on is closed for it; if it reads then, it
// learns why, and so do the log and the ledger. Nobody else is concerned.
func TestSlowConsumerIsTold(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]phx.Config{
		"too much": {SendBuffer: 8 << 10, OutboundMax: 1 << 20},
		"too long": {SendBuffer: 8 << 10, WriteTimeout: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			book := &logBook{min: slog.LevelWarn}
			cfg.Logger = book.logger()
			ep := loudRoom(t, cfg)
			slow, good := dial(t, ep), dial(t, ep)
			slow.conn.(*net.TCPConn).SetReadBuffer(16 << 10)
			slow.join("room:1")
			good.join("room:1")
			text := strings.Repeat("x", 64<<10)
			var owing phx.Ledger
			for sent := 0; sent < 20 || name == "too much" && ep.Stats().SlowConsumers == 0; sent++ {
				if sent > 1000 {
					t.Fatal("64 MB were sent to a client that does not read")
				}
				if err := ep.Broadcast("room:1", "e", map[string]any{"n": sent, "text": text}); err != nil {
					t.Fatal(err)
				}
				good.want(fmt.Sprintf(`[null,null,"room:1","e",{"n":%d,"text":"%s"}]`, sent, text))
				if owing.Backlog == 0 { // it may be closed before the loop ends
					owing = ep.Ledger()
				}
			}
			if name == "too long" {
				if l := owing; l.Backlog == 0 || len(l.Debtors) != 1 || l.Debtors[0].Waiting == 0 || l.Debtors[0].Mount != "/socket" {
					t.Errorf("Ledger() = %+v, want the slow one among the debtors", l)
				}
			}
			eventually(t, "it is a slow consumer", func() bool { return ep.Stats().SlowConsumers == 1 })
			for {
				f, err := slow.tryNext()
				if err != nil {
					t.Fatalf("no Close frame: %v", err)
				}
				if f.Op != ws.OpClose {
					continue
				}
				if code, reason := frame.ParseClose(f.Payload); code != 1013 || reason != "slow consumer" {
					t.Errorf("closed with %d %q", code, reason)
				}
				break
			}
			slow.conn.Close()
			eventually(t, "it is gone", func() bool { return ep.Stats().Sockets == 1 })
			good.heartbeat()
			eventually(t, "a line", func() bool { return len(book.with("slow consumer closed")) > 0 })
			lines := book.with("slow consumer closed")
			if len(lines) != 1 || lines[0]["level"] != "WARN" || lines[0]["remote"] == "" || lines[0]["waiting"] == 0 {
				t.Errorf("logged %v, want one warning with remote and waiting", lines)
			}
			want := phx.CutCount{Cause: phx.SlowConsumer, Mount: "/socket", Pattern: "room:*", Count: 1}
			if l := ep.Ledger(); len(l.Cuts) != 1 || l.Cuts[0] != want || l.Backlog != 0 {
				t.Errorf("Ledger() = %+v, want %+v and no backlog", l, want)
			}
		})
	}
}

// A publisher that is faster than a room can read is refused, and no one in the room is cut
// off for it; every message that was not refused has reached all.
func TestPublisherIsFasterThanTheRoom(t *testing.T) {
	size := 1 << 20
	if testing.Short() {
		size = 512 << 10
	}
	ep := loudRoom(t, phx.Config{OutboundHigh: 2 * size, MaxPending: 8 * size})
	members := make([]*client, 4)
	for i := range members {
		members[i] = dial(t, ep)
		members[i].join("room:1")
	}
	text := strings.Repeat("x", size)
	accepted, refused := 0, 0
	publish := func() {
		switch err := ep.Broadcast("room:1", "e", map[string]any{"n": accepted, "text": text}); err {
		case nil:
			accepted++
		case pubsub.ErrOverloaded:
			refused++
		default:
			t.Fatal(err)
		}
	}
	for range 50 { // nobody reads
		publish()
	}
	if refused == 0 {
		t.Errorf("%d messages were published to clients that do not read", accepted)
	}
	all := accepted + 40
	var readers sync.WaitGroup
	for _, c := range members {
		readers.Go(func() {
			for n := range all {
				if got, want := c.message(), fmt.Sprintf(`[null,null,"room:1","e",{"n":%d,`, n); !strings.HasPrefix(got, want) {
					t.Errorf("got %.60s, want %s", got, want)
					return
				}
			}
			c.heartbeat()
		})
	}
	for accepted < all {
		if publish(); refused > 0 {
			<-time.After(time.Millisecond)
			refused = 0
		}
	}
	readers.Wait()
	if n := ep.Stats().SlowConsumers; n != 0 {
		t.Errorf("%d slow consumers", n)
	}
}

// One member that reads nothing does not hold up its room, however small.
func TestOneStalledMemberHoldsUpNobody(t *testing.T) {
	ep := loudRoom(t, phx.Config{SendBuffer: 8 << 10, OutboundHigh: 64 << 10, WriteTimeout: time.Hour, MaxPending: 1 << 20})
	stalled, good := dial(t, ep), dial(t, ep)
	stalled.conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	stalled.join("room:1")
	good.join("room:1")
	text := strings.Repeat("x", 16<<10)
	for n := range 500 { // 8 MB
		if err := ep.Broadcast("room:1", "e", map[string]any{"n": n, "text": text}); err != nil {
			t.Fatalf("broadcast %d: %v", n, err)
		}
		good.want(fmt.Sprintf(`[null,null,"room:1","e",{"n":%d,"text":"%s"}]`, n, text))
	}
	if l := ep.Ledger(); len(l.Debtors) != 1 || l.Debtors[0].Waiting < 1<<20 {
		t.Errorf("Ledger() = %+v, want the stalled one with megabytes", l)
	}
}
