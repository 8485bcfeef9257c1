package phx_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// largeBeat is a heartbeat of n bytes or so.
func largeBeat(mark string, n int) string {
	return fmt.Sprintf(`[null,"hb","phoenix","heartbeat",{"x":"%s%s"}]`, mark, strings.Repeat("x", n))
}

// begin sends a POST of n bytes, of which only the first part comes.
func (c *webConn) begin(target, part string, n int) {
	c.t.Helper()
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c.conn, "POST %s HTTP/1.1\r\nHost: a\r\n%s\r\nContent-Length: %d\r\n\r\n%s", target, ndjson, n, part); err != nil {
		c.t.Fatal(err)
	}
}

// Bodies count with messages, until they are answered or their connections end.
func TestIncomingBodies(t *testing.T) {
	cfg := longPolling(time.Minute)
	cfg.IncomingMax = 1 << 20
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	body := largeBeat("", 400_000)
	const part = 300_000

	first, second := dialWeb(t, ep), dialWeb(t, ep)
	first.begin(s.target, body[:part], len(body))
	eventuallyHolds(t, ep, "a part of a body is held", part, part*5/4+64<<10)
	second.begin(s.target, body[:part], len(body))
	eventuallyHolds(t, ep, "two parts are held", 2*part, 2*(part*5/4+64<<10))
	late := dialWeb(t, ep)
	late.begin(s.target, body, 8_000_000)
	if a := late.receive(); a.code != 503 {
		t.Errorf("a body beyond IncomingMax: %d, want 503", a.code)
	}
	late.wantEnd()
	eventuallyHolds(t, ep, "what was refused is let go", 2*part, 2*(part*5/4+64<<10))

	second.conn.Close()
	eventuallyHolds(t, ep, "one part is held", part, part*5/4+64<<10)
	if _, err := io.WriteString(first.conn, body[part:]); err != nil {
		t.Fatal(err)
	}
	if a := first.receive(); a.body != `{"status":200}` {
		t.Errorf("POST: %d %s, want status 200", a.code, a.body)
	}
	s.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	eventuallyHolds(t, ep, "nothing is left", 0, 0)

	chunked := dialWeb(t, ep)
	chunked.send("POST", s.target, fmt.Sprintf("%x\r\n%s", len(body), body[:part]), ndjson, "Transfer-Encoding: chunked")
	eventuallyHolds(t, ep, "a part of a chunk is held", part-32<<10, len(body)) // net/http has the rest
	chunked.conn.Close()
	eventuallyHolds(t, ep, "nothing is left", 0, 0)
	if l := ep.Ledger(); len(l.Cuts) != 1 || l.Cuts[0].Cause != phx.NoRoom || l.Cuts[0].Count != 1 {
		t.Errorf("Ledger() = %+v, want one client that there was no room for", l)
	}
}

// Bodies must come, too.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	cfg := longPolling(time.Minute)
	cfg.IncomingTimeout = 200 * time.Millisecond
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	whole := dialWeb(t, ep)
	whole.begin(s.target, beat(1)[:5], len(beat(1)))
	whole.wantEnd()
	chunked := dialWeb(t, ep)
	chunked.send("POST", s.target, "ff\r\nabc", ndjson, "Transfer-Encoding: chunked")
	if a, err := chunked.tryReceive(); err == nil && a.code != 400 {
		t.Errorf("chunked: %d, want 400", a.code)
	}
	chunked.wantEnd()
	dropped := dialWeb(t, ep)
	dropped.begin(s.target, "", 1000)
	ended := make(chan bool)
	go func() { // ends when the connection does
		defer close(ended)
		for _, err := dropped.conn.Write([]byte("x")); err == nil; _, err = dropped.conn.Write([]byte("x")) {
			<-time.After(5 * time.Millisecond)
		}
	}()
	within(t, "end of the drops", ended)
	s.say(beat(2))
	s.want(beaten(2))
	if l := ep.Ledger(); len(l.Cuts) != 1 || l.Cuts[0].Cause != phx.SlowMessage || l.Cuts[0].Count != 2 {
		t.Errorf("Ledger() = %+v, want two bodies that were too slow", l)
	}
	eventuallyHolds(t, ep, "nothing is left", 0, 0)
}

// While a large body is decoded, the loop serves others; POSTs keep their order.
func TestLargeBodyHoldsNobody(t *testing.T) {
	for name, body := range map[string]string{
		"one message":   largeBeat("WAIT", 1<<20),
		"many messages": largeBeat("WAIT", 100) + strings.Repeat("\n"+largeBeat("", 20_000), 5),
	} {
		t.Run(name, func(t *testing.T) {
			g := newGated()
			defer close(g.out) // lest a failure hang
			cfg := longPolling(time.Minute)
			cfg.Mounts[0].Serializers = []wire.Serializer{g}
			ep := startConfig(t, cfg)
			other, s := dial(t, ep), openSession(t, ep)
			s.posts.send("POST", s.target, body, ndjson)
			within(t, "message that is being decoded", g.in)
			other.heartbeat()
			behind := dialWeb(t, ep)
			behind.send("POST", s.target, beat("behind"), ndjson)
			other.heartbeat()
			g.out <- true
			for _, c := range []*webConn{s.posts, behind} {
				if a := c.receive(); a.body != `{"status":200}` {
					t.Errorf("POST: %d %s, want status 200", a.code, a.body)
				}
			}
			var want []string
			for range strings.Count(body, "\n") + 1 {
				want = append(want, beaten("hb"))
			}
			s.want(append(want, beaten("behind"))...)
			eventuallyHolds(t, ep, "nothing is left", 0, 0)
		})
	}
}

// A serializer that breaks at a message ends the connection of the POST, large or
// small, and keeps nobody's turn: POSTs that waited for it are taken, and later ones.
func TestPostAfterPanic(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 64<<10 + 1} {
		t.Run(name, func(t *testing.T) {
			g := newGated()
			defer close(g.out)
			cfg := longPolling(time.Minute)
			cfg.Mounts[0].Serializers = []wire.Serializer{g}
			ep := startConfig(t, cfg)
			s := openSession(t, ep)
			first, next := dialWeb(t, ep), dialWeb(t, ep)
			first.send("POST", s.target, largeBeat("WAITPANIC", size), ndjson)
			within(t, "message that is being decoded", g.in)
			next.send("POST", s.target, beat("next"), ndjson)
			if size > 64<<10 { // a small one holds the loop
				eventually(t, "the next POST waits", func() bool { return ep.WaitingPosts() == 1 })
			}
			g.out <- true
			first.wantEnd()
			if a := next.receive(); a.body != `{"status":200}` {
				t.Errorf("POST: %d %s, want status 200", a.code, a.body)
			}
			s.say(beat("later"))
			s.want(beaten("next"), beaten("later"))
		})
	}
}

// A large body with something wrong in it is the end of the session, and what a
// serializer breaks is that of its connection.
func TestLargeBodyRefused(t *testing.T) {
	g := newGated()
	defer close(g.out)
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].Serializers = []wire.Serializer{g}
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	if a := s.post(largeBeat("\xff", 100_000)); a.body != `{"status":410}` {
		t.Errorf("POST of what is not UTF-8: %d %s, want status 410", a.code, a.body)
	}
	s = openSession(t, ep)
	s.posts.send("POST", s.target, largeBeat("PANIC", 100_000), ndjson)
	s.posts.wantEnd()
	s.posts = dialWeb(t, ep)
	s.say(beat(3))
	s.want(beaten(3))
}

// Large bodies for a raw socket come in order, too, however they come in, and a POST
// that waits for its turn keeps what has come.
func TestLargeBodyRaw(t *testing.T) {
	g := newGate()
	var got lockedBuffer
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].Raw = &phx.RawType{In: func(_ *phx.RawSocket, data []byte, binary bool) error {
		fmt.Fprintf(&got, "%s %d %v;", data[:2], len(data), binary)
		g.pass()
		return nil
	}}
	ep := startConfig(t, cfg)
	s := openSessionAt(t, ep, "/socket/longpoll?x=1")
	long := strings.Repeat("x", 100_000)
	body := "[a" + long + "]\n" + "[b]\n" + strings.Repeat("QUJD", 50_000) + "\n[c" + long + "]"
	first, second := dialWeb(t, ep), dialWeb(t, ep)
	first.begin(s.target, body[:1000], len(body))
	if _, err := io.WriteString(first.conn, body[1000:]); err != nil {
		t.Fatal(err)
	}
	within(t, "call of In", g.entered)
	second.send("POST", s.target, "[d"+long+"]", "Content-Type: text/plain")
	eventually(t, "it waits", func() bool { return ep.WaitingPosts() == 1 })
	close(g.open)
	for _, c := range []*webConn{first, second} {
		if a := c.receive(); a.body != `{"status":200}` {
			t.Errorf("POST: %d %s, want status 200", a.code, a.body)
		}
	}
	if want := "[a 100003 false;[b 3 false;AB 150000 true;[c 100003 false;[d 100003 false;"; got.String() != want {
		t.Errorf("In got %s\nwant %s", got.String(), want)
	}
	eventuallyHolds(t, ep, "nothing is left", 0, 0)
}
