package phx_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// A session ends when nobody polls for one and a half to three windows; that
// messages are posted meanwhile does not count (spec §3.5).
func TestLongPollInactive(t *testing.T) {
	t.Parallel()
	const window = 300 * time.Millisecond
	ended := make(chan phx.Reason, 1)
	ep := startConfig(t, longPolling(window, phx.Route{Pattern: "room:*", Type: slowRoom(nil, ended)}))
	s := openSession(t, ep)
	s.say(`["1","1","room:a","phx_join",{}]`)
	s.want(`["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`)
	s.wantStatus(204) // so that it is not over when it is looked at first
	begin := time.Now()
	s.polls.send("GET", s.target, "")
	if a := s.polls.receive(); a.Status != 204 {
		t.Fatalf("GET: %s, want status 204", a.body)
	}
	var why phx.Reason
	for posts := 0; why == ""; posts++ {
		a := s.post(beat(1))
		select {
		case why = <-ended:
		case <-time.After(50 * time.Millisecond):
			if a.body != `{"status":200}` && a.body != `{"status":410}` || time.Since(begin) > patience {
				t.Fatalf("POST: %s after %v, want status 200 until the end of the session", a.body, time.Since(begin))
			}
		}
	}
	if took := time.Since(begin); why != phx.Inactive || took < window*3/2 {
		t.Errorf("ended after %v as %q, want 450 ms at least and %q", took, why, phx.Inactive)
	}
	if a := s.post(beat(1)); a.body != `{"status":410}` {
		t.Errorf("POST afterwards: %s, want status 410", a.body)
	}
	eventually(t, "the session is gone", func() bool { return ep.Stats().Sockets == 0 })
	openSession(t, ep)
	eventually(t, "the next one is gone, too", func() bool { return ep.Stats().Sockets == 0 })
}

// Who polls stays, however long nothing happens.
func TestLongPollStays(t *testing.T) {
	t.Parallel()
	ep := startConfig(t, longPolling(2*time.Second))
	s := openSession(t, ep)
	for range 3 {
		s.wantStatus(204)
	}
	s.say(beat(1))
	s.want(beaten(1))
}

// Of several polls the last gets the messages; the others end with their window
// (spec §3.2).
func TestLongPollConcurrentPolls(t *testing.T) {
	t.Parallel()
	ep := startConfig(t, longPolling(600*time.Millisecond))
	s := openSession(t, ep)
	first, second := s.polls, dialWeb(t, ep)
	first.send("GET", s.target, "")
	eventually(t, "the first poll waits", func() bool { return ep.WaitingPolls() == 1 })
	second.send("GET", s.target, "")
	eventually(t, "the second poll waits", func() bool { return ep.LastPollFrom() == second.conn.LocalAddr().String() })
	s.say(beat(1))
	if a := second.receive(); a.Status != 200 {
		t.Errorf("the second poll: %s, want the message", a.body)
	}
	if a := first.receive(); a.Status != 204 {
		t.Errorf("the first poll: %s, want status 204", a.body)
	}
}

// Messages that could not be delivered, as the connection of the poll is gone,
// wait for the next poll (better than spec §3.2).
func TestLongPollPutsBack(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	s := openSession(t, ep)
	s.polls.send("GET", s.target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	s.polls.conn.Close()
	eventually(t, "the poll is gone", func() bool { return ep.WaitingPolls() == 0 })
	s.say(beat(1))
	s.polls = dialWeb(t, ep)
	s.want(beaten(1))

	for i := range 20 { // also if the server has not noticed yet
		gone := s.polls
		gone.send("GET", s.target, "")
		eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
		io.WriteString(gone.conn, strings.Repeat("x", 70<<10)) // makes the server end it
		s.say(beat(i))
		s.polls = dialWeb(t, ep)
		if a, err := gone.tryReceive(); err == nil && a.Status == 200 { // the answer was first
			wantMessages(t, a.Messages, beaten(i))
			continue
		}
		s.want(beaten(i))
	}
}

// So do those that are on their way to a client that hangs up before it has read
// them, before others that have come meanwhile.
func TestLongPollPutsBackWhatIsUnread(t *testing.T) {
	large := strings.Repeat("x", 100_000)
	room := &phx.ChannelType{In: phx.Events{"fill": func(ch *phx.Channel, _ phx.Payload) (any, error) {
		for i := range 8 {
			if err := ch.Push("large", map[string]any{"n": i, "text": large}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}}}
	ep := startConfig(t, longPolling(time.Minute, phx.Route{Pattern: "room:*", Type: room}))
	s := openSession(t, ep)
	s.say(`["1","1","room:a","phx_join",{}]`, `["1","2","room:a","fill",{}]`, `["1","3","room:a","phx_leave",{}]`)
	want := []string{`["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`}
	for i := range 8 {
		want = append(want, fmt.Sprintf(`["1",null,"room:a","large",{"n":%d,"text":%q}]`, i, large))
	}
	want = append(want, `["1","3","room:a","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room:a","phx_close",{}]`)
	eventually(t, "all are there", func() bool { return ep.BufferedPolls() > 800_000 && ep.Stats().Channels == 0 })
	for _, rudely := range []bool{false, true} {
		gone := s.polls
		gone.send("GET", s.target, "")
		eventually(t, "the answer is on its way", func() bool { return ep.BufferedPolls() == 0 })
		s.say(beat(rudely))
		want = append(want, beaten(rudely))
		if rudely {
			gone.conn.(*net.TCPConn).SetLinger(0)
		}
		gone.conn.Close()
		eventually(t, "all are back", func() bool { return ep.BufferedPolls() > 800_000 })
		s.polls = dialWeb(t, ep)
	}
	s.want(want...)
	s.say(beat("last"))
	s.want(beaten("last"))
}

// Another request over the same connection confirms an answer, unless it was sent
// before: what becomes of the connection later brings nothing back.
func TestLongPollConfirmed(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	s := openSession(t, ep)
	s.say(beat(1))
	s.want(beaten(1))
	if ep.SentPolls() == 0 {
		t.Fatal("the answer is confirmed already")
	}
	s.posts = s.polls
	s.say(beat(2))
	if n := ep.SentPolls(); n > 0 {
		t.Errorf("%d bytes are not confirmed by a POST over the same connection", n)
	}
	s.want(beaten(2))

	s.polls.send("GET", s.target, "")
	s.polls.send("POST", s.target, beat(4), ndjson) // behind it
	s.posts = dialWeb(t, ep)
	s.say(beat(3))
	wantMessages(t, s.polls.receive().Messages, beaten(3))
	if a := s.polls.receive(); a.Status != 200 {
		t.Fatalf("POST: %s, want status 200", a.body)
	}
	if ep.SentPolls() == 0 {
		t.Error("the answer is confirmed by a request that was there before")
	}
	s.want(beaten(4))
}

// A client that does not poll, but makes messages, is a slow consumer.
func TestLongPollSlowConsumer(t *testing.T) {
	cfg := longPolling(time.Minute)
	cfg.OutboundMax = 10_000
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	var last polled
	for range 1000 {
		if last = s.post(beat(1)); last.Status != 200 {
			break
		}
	}
	if last.body != `{"status":410}` {
		t.Errorf("POST without end: %s, want status 410", last.body)
	}
	eventually(t, "it is counted and gone", func() bool { st := ep.Stats(); return st.SlowConsumers == 1 && st.Sockets == 0 })
}

// Binary messages cannot be sent; the others are not harmed (spec §3.6).
func TestLongPollDropsBinary(t *testing.T) {
	room := &phx.ChannelType{In: phx.Events{"both": func(ch *phx.Channel, _ phx.Payload) (any, error) {
		for range 3 {
			if err := errors.Join(ch.Push("bytes", phx.Binary("x")), ch.Push("text", nil)); err != nil {
				return nil, err
			}
		}
		return nil, ch.Broadcast("bytes", phx.Binary("y"))
	}}}
	var log lockedBuffer
	cfg := longPolling(time.Minute, phx.Route{Pattern: "room:*", Type: room})
	ep := startLogged(t, cfg, slog.New(slog.NewTextHandler(&log, nil)))
	s := openSession(t, ep)
	s.say(`["1","1","room:a","phx_join",{}]`, `["1","2","room:a","both",{}]`, `["1","3","room:a","phx_leave",{}]`)
	text := `["1",null,"room:a","text",{}]`
	s.want(`["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`, text, text, text,
		`["1","3","room:a","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room:a","phx_close",{}]`)
	eventually(t, "it was logged", func() bool { return strings.Contains(log.String(), "binary") })
	if n := strings.Count(log.String(), "binary"); n != 1 {
		t.Errorf("%d lines about binary messages, want one for the session:\n%s", n, log.String())
	}
}

// A lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func startLogged(t testing.TB, cfg phx.Config, log *slog.Logger) *phx.Endpoint {
	t.Helper()
	cfg.Addr, cfg.Hosts, cfg.Logger = "127.0.0.1:0", []string{phx.AnyHost}, log
	ep, err := phx.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })
	return ep
}

// What waits for sessions is part of the backlog, shared bytes once. When that is full,
// some end of those that have much to fetch and do not come for it.
func TestLongPollBacklog(t *testing.T) {
	cfg := longPolling(time.Minute, phx.Route{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{
		"echo": func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
	}}})
	cfg.BacklogMax, cfg.WriteTimeout = 1<<20, time.Second
	ep := startConfig(t, cfg)
	const n = 6
	var sessions []*pollClient
	for range n {
		s := openSession(t, ep)
		s.say(`["1","1","a","phx_join",{}]`)
		s.want(`["1","1","a","phx_reply",{"status":"ok","response":{}}]`)
		sessions = append(sessions, s)
	}
	large := strings.Repeat("x", 100_000)
	for range 2 {
		if err := ep.Broadcast("a", "b", map[string]string{"k": large}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all have both waiting", func() bool { return ep.BufferedPolls() > n*200_000 })
	if got := ep.Ledger().Backlog; got < 200_000 || got > 210_000 {
		t.Errorf("%d bytes wait for %d sessions, want those of two messages", got, n)
	}
	for _, s := range sessions { // their own, and together more than there is room for
		s.post(fmt.Sprintf(`["1","2","a","echo","%s"]`, large), fmt.Sprintf(`["1","3","a","echo","%s"]`, large))
	}
	eventually(t, "there is room again", func() bool {
		return ep.Stats().SlowConsumers > 0 && ep.Ledger().Backlog <= 1<<20
	})
	ended := 0
	for _, s := range sessions {
		got, gone := 0, false
		for got < 4 && !gone {
			a := s.poll()
			got, gone = got+len(a.Messages), a.Status == 410
		}
		if gone {
			ended++
			continue
		}
		s.say(beat(1))
		s.want(beaten(1)) // so that the others are known to have come
	}
	if n := ep.Stats().SlowConsumers; ended != n || ended == len(sessions) {
		t.Errorf("%d of %d sessions have ended, %d as slow consumers", ended, len(sessions), n)
	}
	if got := ep.Ledger().Backlog; got > 1000 {
		t.Errorf("%d bytes wait when all is fetched", got)
	}
}

// No address has more sessions than there is room for others, however it makes them.
func TestLongPollSessionsAreShared(t *testing.T) {
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].LongPoll.MaxSessions = 10
	ep := startConfig(t, cfg)
	const path = "/socket/longpoll?vsn=2.0.0"
	from := func(ip string) *webConn {
		conn := connectFrom(t, ep, ip).conn
		return &webConn{t, conn, bufio.NewReader(conn)}
	}
	open := func(c *webConn, want int) (last polled) {
		t.Helper()
		for n := 0; ; n++ {
			a := c.do("GET", path, "")
			switch {
			case a.body == `{"status":500}` && n == want:
				return last
			case a.Status != 410 || n == want:
				t.Fatalf("session %d: %s, want %d", n+1, a.body, want)
			}
			last = a
		}
	}
	greedy, other := from("127.0.0.2"), from("127.0.0.3")
	open(greedy, 5)
	last := open(other, 3)
	open(from("127.0.0.4"), 1)
	open(greedy, 0)
	if a := other.do("POST", path+"&token="+last.Token, "["); a.Status != 410 { // the end of it
		t.Fatalf("a malformed message: %s, want status 410", a.body)
	}
	eventually(t, "its place is free", func() bool { return from("127.0.0.5").do("GET", path, "").Status == 410 })
	open(greedy, 0)
}

// More sessions than MaxSessions are put off; a place that becomes free is
// given to the next, also one whose client did not wait for Connect.
func TestLongPollMaxSessions(t *testing.T) {
	g := newGate()
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].LongPoll.MaxSessions = 1
	cfg.Mounts[0].Connect = func(_ *phx.Socket, p phx.Params, _ *http.Request) error {
		switch p.String("do") {
		case "wait":
			g.pass()
		case "refuse":
			return errors.New("no")
		case "panic":
			panic("as told")
		}
		return nil
	}
	ep := startConfig(t, cfg)
	const path = "/socket/longpoll?vsn=2.0.0"
	c := dialWeb(t, ep)
	c.do("GET", path+"&do=refuse", "")
	c.do("GET", path+"&do=panic", "")
	c.do("GET", path+"1", "")

	gone := dialWeb(t, ep)
	gone.send("GET", path+"&do=wait", "")
	within(t, "call of Connect", g.entered)
	if a := c.do("GET", path, ""); a.code != 200 || a.body != `{"status":500}` {
		t.Errorf("one session too many: %d %s, want status 500", a.code, a.body)
	}
	gone.conn.Close()
	eventually(t, "the client is gone", func() bool { return ep.Stats().Connections == 1 })
	close(g.open)

	s := &pollClient{}
	eventually(t, "there is room again", func() bool {
		a := c.do("GET", path, "")
		s = &pollClient{t: t, polls: c, posts: dialWeb(t, ep), token: a.Token, target: path + "&token=" + a.Token}
		return a.Status == 410
	})
	if a := c.do("GET", path, ""); a.body != `{"status":500}` {
		t.Errorf("one session too many: %s, want status 500", a.body)
	}
	s.say(beat(1))
	s.want(beaten(1))
}

// Shutdown ends the sessions: polls that wait are told at once, channels are told
// that it is draining, and there are no new ones.
func TestLongPollShutdown(t *testing.T) {
	ended := make(chan phx.Reason, 1)
	g := newGate()
	cfg := longPolling(time.Minute, phx.Route{Pattern: "room:*", Type: slowRoom(nil, ended)})
	cfg.Mounts[0].Connect = func(_ *phx.Socket, p phx.Params, _ *http.Request) error {
		if p.String("do") == "wait" {
			g.pass()
		}
		return nil
	}
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	s.say(`["1","1","room:a","phx_join",{}]`)
	s.want(`["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`)
	s.polls.send("GET", s.target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	late := dialWeb(t, ep)
	late.send("GET", "/socket/longpoll?vsn=2.0.0&do=wait", "")
	within(t, "call of Connect", g.entered)

	var down sync.WaitGroup
	down.Go(func() { shutdown(t, ep) })
	if a := s.polls.receive(); a.Status != 410 {
		t.Errorf("the poll that waits: %s, want status 410", a.body)
	}
	if why := within(t, "Terminate", ended); why != phx.Draining {
		t.Errorf("terminated as %q, want %q", why, phx.Draining)
	}
	close(g.open)
	down.Wait()
	if a, err := late.tryReceive(); err == nil && a.Status != 500 {
		t.Errorf("a session that came too late: %s, want status 500 or nothing", a.body)
	}
}

// A POST waits for the callback of a raw socket, and no longer than a window;
// then the rest of it is skipped. Others wait for their turn (spec §3.2).
func TestLongPollRaw(t *testing.T) {
	g := newGate()
	var got lockedBuffer
	raw := &phx.RawType{In: func(s *phx.RawSocket, data []byte, binary bool) error {
		fmt.Fprintf(&got, "%s %v;", data, binary)
		switch string(data) {
		case "[wait]":
			g.pass()
		case "[crash]":
			panic("as told")
		}
		return s.Push(bytes.ToUpper(data), binary)
	}}
	cfg := longPolling(300 * time.Millisecond)
	cfg.Mounts[0].Raw = raw
	ep := startConfig(t, cfg)
	s := openSessionAt(t, ep, "/socket/longpoll?x=1")
	s.say("[a]", "[b]", "Yg==", "[c]")
	wantSame := func(want string) {
		t.Helper()
		if got := got.String(); got != want {
			t.Fatalf("In got %q, want %q", got, want)
		}
	}
	wantSame("[a] false;[b] false;b true;[c] false;")
	if a := s.poll(); fmt.Sprint(a.Messages) != "[[A] [B] [C]]" {
		t.Errorf("GET: %s, want the texts", a.body)
	}

	s.polls.send("GET", s.target, "") // or the session would end meanwhile
	if a := s.post("[wait]", "[skipped]"); a.code != 200 || a.body != `{"status":408}` {
		t.Errorf("POST of what takes long: %d %s, want status 408", a.code, a.body)
	}
	within(t, "call of In", g.entered)
	s.polls.receive()
	s.polls.send("GET", s.target, "")
	second := dialWeb(t, ep)
	second.send("POST", s.target, "after", "Content-Type: text/plain")
	if a := second.receive(); a.body != `{"status":408}` {
		t.Errorf("POST behind it: %s, want status 408", a.body)
	}
	second.send("POST", s.target, "at last", "Content-Type: text/plain")
	eventually(t, "both wait", func() bool { return ep.WaitingPosts() == 2 })
	close(g.open)
	if a := second.receive(); a.body != `{"status":200}` {
		t.Errorf("POST when it is over: %s, want status 200", a.body)
	}
	wantSame("[a] false;[b] false;b true;[c] false;[wait] false;at last false;")

	s.post("[crash]")
	eventually(t, "the session has ended", func() bool { return s.post("[a]").Status == 410 })
}

// What a callback of a raw socket makes wait is not what the loop has read since,
// and comes in the order of the POSTs.
func TestLongPollRawOrder(t *testing.T) {
	g := newGate()
	var got lockedBuffer
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].Raw = &phx.RawType{In: func(_ *phx.RawSocket, data []byte, _ bool) error {
		got.Write(data)
		g.pass()
		return nil
	}}
	ep := startConfig(t, cfg)
	s := openSessionAt(t, ep, "/socket/longpoll?x=1")
	lines := strings.Repeat("[line]\n", 50)
	s.posts.send("POST", s.target, lines, ndjson)
	within(t, "call of In", g.entered)
	s.polls.do("OPTIONS", s.target, "", "X: "+strings.Repeat("x", 8000))
	conns := []*webConn{s.posts}
	for i := range 5 {
		c := dialWeb(t, ep)
		c.send("POST", s.target, fmt.Sprint(i))
		eventually(t, "it waits", func() bool { return ep.WaitingPosts() == i+1 })
		conns = append(conns, c)
	}
	close(g.open)
	for _, c := range conns {
		if a := c.receive(); a.Status != 200 {
			t.Errorf("POST: %s, want status 200", a.body)
		}
	}
	if want := strings.ReplaceAll(lines, "\n", "") + "01234"; got.String() != want {
		t.Errorf("In got %q, want %q", got.String(), want)
	}
}

// More POSTs than a few do not wait, and those that do learn of the end at once.
func TestLongPollPostsWait(t *testing.T) {
	g := newGate()
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].Raw = &phx.RawType{In: func(s *phx.RawSocket, _ []byte, _ bool) error { g.pass(); return nil }}
	cfg.Mounts[0].Connect = setID("user:1")
	ep := startConfig(t, cfg)
	s := openSessionAt(t, ep, "/socket/longpoll?x=1")
	var conns []*webConn
	for i := range 17 {
		c := dialWeb(t, ep)
		c.send("POST", s.target, "[x]")
		eventually(t, "it waits", func() bool { return ep.WaitingPosts() == i })
		conns = append(conns, c)
	}
	within(t, "call of In", g.entered)
	if a := s.post("[x]"); a.body != `{"status":408}` {
		t.Errorf("one POST too many: %s, want status 408", a.body)
	}
	conns[3].conn.Close()
	if err := ep.Broadcast("user:1", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	for i, c := range conns {
		if i == 3 {
			continue
		}
		if a := c.receive(); a.body != `{"status":410}` {
			t.Errorf("POST %d when the session ends: %s, want status 410", i, a.body)
		}
	}
	close(g.open)
}

// Polls that wait cost no goroutine.
func TestLongPollGoroutines(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{}}))
	openSession(t, ep)
	before := runtime.NumGoroutine()
	clients := make([]*pollClient, 200)
	for i := range clients {
		clients[i] = openSession(t, ep)
		clients[i].say(`["1","1","room:a","phx_join",{}]`)
		clients[i].want(`["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`)
		clients[i].polls.send("GET", clients[i].target, "")
	}
	eventually(t, "all wait", func() bool { return ep.WaitingPolls() == len(clients) })
	eventually(t, "at most a few workers more", func() bool { return runtime.NumGoroutine() <= before+16 })
	if err := ep.Broadcast("room:a", "hello", nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range clients {
		wantMessages(t, s.polls.receive().Messages, `[null,null,"room:a","hello",{}]`)
	}
}

// Clients that poll, post, hang up and come back, under broadcasts, a disconnect
// now and then and the end of the endpoint: nothing is lost while a session
// lives, and nothing comes twice or in another order.
func TestLongPollStorm(t *testing.T) {
	cfg := longPolling(100*time.Millisecond, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{"echo": echo}}})
	cfg.Loops = 2
	cfg.Mounts[0].Connect = func(s *phx.Socket, p phx.Params, _ *http.Request) error {
		s.SetID("user:" + p.String("user"))
		return nil
	}
	ep := startConfig(t, cfg)
	stop := make(chan struct{})
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	clock := time.NewTicker(time.Millisecond)
	defer clock.Stop()
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; !stopped(); i++ {
			if err := errors.Join(ep.Broadcast("room:a", "hello", nil), ep.Broadcast(fmt.Sprint("user:", i%100), "disconnect", nil)); err != nil {
				t.Error(err)
			}
			<-clock.C
		}
	})
	var answers atomic.Int64
	for user := range 8 {
		all.Go(func() {
			for !stopped() {
				stormy(t, ep, user, &answers)
			}
		})
	}
	eventually(t, "a thousand answers", func() bool { return answers.Load() > 1000 })
	close(stop)
	all.Wait()
}

// stormy is one session: numbered messages in POSTs, their answers in polls, with
// every fifth poll abandoned before its answer can be there.
func stormy(t *testing.T, ep *phx.Endpoint, user int, answers *atomic.Int64) {
	path := fmt.Sprintf("/socket/longpoll?vsn=2.0.0&user=%d", user)
	polls, posts := dialWeb(t, ep), dialWeb(t, ep)
	defer func() { polls.conn.Close(); posts.conn.Close() }()
	polls.send("GET", path, "")
	a, err := polls.tryReceive()
	if err != nil || a.Status != 410 {
		t.Errorf("GET: %s, %v, want a session", a.body, err)
		return
	}
	path += "&token=" + a.Token
	next := 1
	for sent := 0; sent < 200; {
		lines := []string{fmt.Sprintf(`["%d","%d","room:a","phx_join",{}]`, sent+1, sent+1)}
		for range 5 {
			sent++
			lines = append(lines, beat(sent))
		}
		posts.send("POST", path, strings.Join(lines, "\n"), ndjson)
		if sent%25 == 0 {
			gone := dialWeb(t, ep)
			gone.send("GET", path, "")
			gone.conn.(*net.TCPConn).SetLinger(0)
			gone.conn.Close()
		}
		if a, err := posts.tryReceive(); err != nil || a.Status != 200 {
			if a.Status != 410 {
				t.Errorf("POST: %s, %v, want status 200 or 410", a.body, err)
			}
			return
		}
		polls.send("GET", path, "")
		a, err := polls.tryReceive()
		if err != nil || a.Status == 410 {
			if err != nil {
				t.Errorf("GET: %v", err)
			}
			return
		}
		for _, m := range a.Messages {
			if !strings.Contains(m, "phoenix") {
				continue
			}
			if want := beaten(next); !sameJSON(t, m, want) && sent < 25 { // later ones may be lost with a connection
				t.Errorf("got %s, want %s", m, want)
			}
			next++
			answers.Add(1)
		}
	}
}
