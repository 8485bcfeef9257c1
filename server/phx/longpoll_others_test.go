package phx_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
)

// pollingNodes are nodes of one cluster with a mount that has long polling, and a
// room there that echoes and broadcasts.
func pollingNodes(t *testing.T, n int, window time.Duration) []*phx.Endpoint {
	t.Helper()
	room := &phx.ChannelType{In: phx.Events{"echo": echo, "new_msg": func(ch *phx.Channel, p phx.Payload) (any, error) {
		return nil, ch.Broadcast("new_msg", p)
	}}}
	mount := longPolling(window, phx.Route{Pattern: "room:*", Type: room}).Mounts[0]
	mount.LongPoll.NodeTimeout = time.Minute
	return startNodes(t, n, mount)
}

// A roamer is a client with a session whose requests go to nodes by turns.
type roamer struct {
	*pollClient
	nodes []*phx.Endpoint
	next  int
}

// roam opens a session at the first node, and goes on with the others.
func roam(t *testing.T, nodes []*phx.Endpoint, target string) *roamer {
	t.Helper()
	return &roamer{pollClient: openSessionAt(t, nodes[0], target), nodes: nodes}
}

// move makes the next requests go to the next node, over new connections.
func (r *roamer) move() {
	r.next = (r.next + 1) % len(r.nodes)
	r.polls.conn.Close()
	r.posts.conn.Close()
	r.polls, r.posts = dialWeb(r.t, r.nodes[r.next]), dialWeb(r.t, r.nodes[r.next])
}

const (
	joinA   = `["1","1","room:a","phx_join",{}]`
	joinedA = `["1","1","room:a","phx_reply",{"status":"ok","response":{}}]`
)

// A client finds its session wherever it asks, and gets everything in order, once.
func TestLongPollOthers(t *testing.T) {
	nodes := pollingNodes(t, 3, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	r.say(joinA)
	r.move()
	r.want(joinedA)
	var want []string
	for i := range 30 {
		r.move()
		r.say(fmt.Sprintf(`["1",null,"room:a","new_msg",{"n":%d}]`, i), beat(i))
		want = append(want, fmt.Sprintf(`[null,null,"room:a","new_msg",{"n":%d}]`, i), beaten(i))
		if i%3 == 2 {
			r.move()
			r.wantAll(want...)
			want = nil
		}
	}
	wide := roam(t, nodes, "/socket/longpoll?vsn=2.0.0") // over connections that stay
	wide.move()
	wide.say(joinA)
	wide.want(joinedA)
	for i := range 10 {
		if err := nodes[i%3].Broadcast("room:a", "hello", map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
		wide.want(fmt.Sprintf(`[null,null,"room:a","hello",{"n":%d}]`, i))
	}
}

// wantAll is want for messages that may come in several answers, those of the room in
// their order and those of the socket in theirs.
func (r *roamer) wantAll(texts ...string) {
	r.t.Helper()
	var got []string
	for len(got) < len(texts) {
		a := r.poll()
		if a.code != 200 || a.Status != 200 || a.Token != r.token {
			r.t.Fatalf("GET: %d %s, want status 200 and the token; before that came %q", a.code, a.body, got)
		}
		got = append(got, a.Messages...)
		r.move()
	}
	of := func(all []string, room bool) (some []string) {
		for _, m := range all {
			if strings.Contains(m, "room:a") == room {
				some = append(some, m)
			}
		}
		return some
	}
	wantMessages(r.t, of(got, true), of(texts, true)...)
	wantMessages(r.t, of(got, false), of(texts, false)...)
}

// waitingAt waits until a poll does, at the node that has the session.
func waitingAt(t *testing.T, ep *phx.Endpoint, n int) {
	t.Helper()
	eventually(t, "it waits", func() bool { return ep.WaitingPolls() == n })
}

// A poll that is given up loses nothing, also if its answer is on the way already.
func TestLongPollOthersAbort(t *testing.T) {
	nodes := pollingNodes(t, 3, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	for i := range 40 {
		r.polls.send("GET", r.target, "")
		waitingAt(t, nodes[0], 1)
		if i%2 == 0 {
			r.polls.conn.(*net.TCPConn).SetLinger(0)
		}
		r.polls.conn.Close()
		if i%4 > 1 {
			waitingAt(t, nodes[0], 0)
		}
		r.say(beat(i))
		r.move()
		r.want(beaten(i))
	}
}

// So does one whose client hangs up before it has read the answer.
func TestLongPollOthersUnread(t *testing.T) {
	large := strings.Repeat("x", 100_000)
	nodes := pollingNodes(t, 2, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	r.say(joinA)
	want := []string{joinedA}
	for i := range 12 { // more than one answer takes
		r.say(fmt.Sprintf(`["1","%d","room:a","echo",{"text":%q}]`, i, large))
		want = append(want, fmt.Sprintf(`["1","%d","room:a","phx_reply",{"status":"ok","response":{"text":%q}}]`, i, large))
	}
	eventually(t, "all are there", func() bool { return nodes[0].BufferedPolls() > 1_200_000 })
	all := nodes[0].BufferedPolls()
	for _, rudely := range []bool{false, true} {
		gone := r.polls
		gone.send("GET", r.target, "")
		eventually(t, "the answer is on its way", func() bool { return nodes[0].BufferedPolls() < all })
		if rudely {
			gone.conn.(*net.TCPConn).SetLinger(0)
		}
		gone.conn.Close()
		eventually(t, "all are back", func() bool { return nodes[0].BufferedPolls() == all })
		r.polls = dialWeb(t, nodes[1])
	}
	r.want(want...)
}

// The answer of a connection that does not confirm it goes another way.
func TestLongPollOthersDead(t *testing.T) {
	nodes := pollingNodes(t, 3, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	r.polls.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	r.say(joinA)
	r.want(joinedA)
	large := strings.Repeat("x", 600_000)
	r.polls.send("GET", r.target, "")
	waitingAt(t, nodes[0], 1)
	r.say(`["1","2","room:a","echo","` + large + `"]`)
	eventually(t, "the answer is on its way", func() bool { return nodes[0].SentPolls() > len(large) })
	r.polls = dialWeb(t, nodes[2]) // the other one stays, and is not read
	r.want(`["1","2","room:a","phx_reply",{"status":"ok","response":"` + large + `"}]`)
}

// Bodies of any size that are taken here are taken there.
func TestLongPollOthersBodies(t *testing.T) {
	nodes := pollingNodes(t, 2, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	for _, n := range []int{10, 63 << 10, 64 << 10, 65 << 10, 200_000, 2_000_000} {
		r.say(largeBeat("", n), beat(n))
		r.want(beaten("hb"), beaten(n))
	}
	chunked := beat("chunked")
	r.posts.send("POST", r.target, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(chunked), chunked), ndjson, "Transfer-Encoding: chunked")
	if a := r.posts.receive(); a.body != `{"status":200}` {
		t.Errorf("chunked POST: %d %s, want status 200", a.code, a.body)
	}
	r.want(beaten("chunked"))
	for i, ep := range nodes {
		eventuallyHolds(t, ep, fmt.Sprintf("node %d holds nothing", i), 0, 0)
	}
}

// Clients that poll and post at the same time, at any node, get everything in order,
// once.
func TestLongPollOthersStorm(t *testing.T) {
	nodes := pollingNodes(t, 3, time.Minute)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() { stormyRoamer(t, nodes, i) })
	}
	all.Wait()
	for i, ep := range nodes {
		eventuallyHolds(t, ep, fmt.Sprintf("node %d holds nothing", i), 0, 0)
	}
}

func stormyRoamer(t *testing.T, nodes []*phx.Endpoint, i int) {
	const rounds = 40
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	var posting sync.WaitGroup
	posting.Go(func() {
		for n := range rounds {
			c := dialWeb(t, nodes[(i+n)%3])
			c.send("POST", r.target, beat(n), ndjson)
			if a, err := c.tryReceive(); err != nil || a.Status != 200 {
				t.Errorf("POST: %s, %v, want status 200", a.body, err)
			}
			c.conn.Close()
		}
	})
	var got []string
	for n := 0; len(got) < rounds; n++ {
		c := dialWeb(t, nodes[(i+2*n)%3])
		c.send("GET", r.target, "")
		a, err := c.tryReceive()
		c.conn.Close()
		if err != nil || a.Status != 200 {
			t.Errorf("GET: %s, %v, want status 200", a.body, err)
			break
		}
		got = append(got, a.Messages...)
	}
	posting.Wait()
	for n, m := range got {
		if !sameJSON(t, m, beaten(n)) {
			t.Errorf("message %d of %d is %s", n, len(got), m)
		}
	}
}

// The end of a session is told at once, wherever its client waits.
func TestLongPollOthersEnd(t *testing.T) {
	nodes := pollingNodes(t, 2, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	r.polls.send("GET", r.target, "")
	waitingAt(t, nodes[0], 1)
	if a := r.post("[nothing"); a.body != `{"status":410}` {
		t.Errorf("malformed POST: %s, want status 410", a.body)
	}
	if a := r.polls.receive(); a.Status != 410 || a.Token != "" {
		t.Errorf("the poll that waits: %s, want status 410", a.body)
	}
	if a := r.post(beat(1)); a.body != `{"status":410}` {
		t.Errorf("POST: %s, want status 410", a.body)
	}
	if a := r.poll(); a.Status != 410 || a.Token == r.token || a.Token == "" {
		t.Errorf("GET: %s, want a new session", a.body)
	}
}

// A node that drains ends its own sessions. The polls that wait there for other nodes
// end, too, but not what they wait for.
func TestLongPollOthersDrain(t *testing.T) {
	nodes := pollingNodes(t, 3, time.Minute)
	here, there := roam(t, nodes[:2], "/socket/longpoll?vsn=2.0.0"), roam(t, []*phx.Endpoint{nodes[1], nodes[0]}, "/socket/longpoll?vsn=2.0.0")
	here.move()
	there.move()
	here.polls.send("GET", here.target, "")
	there.polls.send("GET", there.target, "")
	waitingAt(t, nodes[0], 1)
	waitingAt(t, nodes[1], 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := nodes[0].Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if a := here.polls.receive(); a.Status != 410 {
		t.Errorf("the session of the node that drains: %s, want status 410", a.body)
	}
	if a := there.polls.receive(); a.Status != 204 {
		t.Errorf("the session of another node: %s, want status 204", a.body)
	}
	eventually(t, "the node has left", func() bool { return len(nodes[1].Cluster().Peers) == 1 })
	if a := here.post(beat(1)); a.body != `{"status":410}` {
		t.Errorf("POST: %s, want status 410", a.body)
	}
	if a := here.poll(); a.Status != 410 || a.Token == here.token || a.Token == "" {
		t.Errorf("GET: %s, want a new session", a.body)
	}
	there.posts, there.polls = dialWeb(t, nodes[2]), dialWeb(t, nodes[2])
	there.say(beat(1))
	there.want(beaten(1))
}

// What has no good token of another node's session makes nothing cross.
func TestLongPollOthersForged(t *testing.T) {
	w, nodes := networked(t, time.Minute, time.Minute, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	stranger := openSessionAt(t, startConfig(t, longPolling(time.Minute)), "/socket/longpoll?vsn=2.0.0")
	for _, token := range []string{"", "abc", stranger.token, r.token[:len(r.token)-4] + "AAAA", "one@" + r.token, r.token + "x"} {
		c := dialWeb(t, nodes[1])
		if a := c.do("POST", "/socket/longpoll?vsn=2.0.0&token="+token, beat(1), ndjson); a.body != `{"status":410}` {
			t.Errorf("POST with token %q: %s, want status 410", token, a.body)
		}
		if a := c.do("GET", "/socket/longpoll?vsn=2.0.0&token="+token, ""); a.Status != 410 || a.Token == token {
			t.Errorf("GET with token %q: %s, want a new session", token, a.body)
		}
	}
	w.set(func() {
		if w.sent > 0 {
			t.Errorf("%d messages have crossed", w.sent)
		}
	})
	r.move()
	r.say(beat(1))
	r.want(beaten(1))
}

// Of a node that says nothing, the sessions are gone after NodeTimeout, and what a POST
// has brought may have been taken; of one that is known to be gone, at once. Who waits there already is answered when the window has
// passed.
func TestLongPollOthersSilent(t *testing.T) {
	t.Parallel()
	w, nodes := networked(t, time.Second, time.Minute, 500*time.Millisecond)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	waiting := r.polls
	waiting.send("GET", r.target, "")
	waitingAt(t, nodes[0], 1)
	w.set(func() { w.lose = func(to string, _ []byte) bool { return to == "one" } })
	r.polls = dialWeb(t, nodes[1])
	r.polls.send("GET", r.target, "")
	if a := r.post(beat(1)); a.body != `{"status":408}` { // it may have been taken
		t.Errorf("POST: %s, want status 408", a.body)
	}
	if a := r.polls.receive(); a.Status != 410 || a.Token == r.token || a.Token == "" {
		t.Errorf("GET: %s, want a new session", a.body)
	}
	if a := waiting.receive(); a.Status != 204 && a.Status != 410 { // the latter if it was not known to wait
		t.Errorf("the GET that waited: %s, want status 204", a.body)
	}
	w.set(func() { delete(w.nodes, "one") })
	if a := r.post(beat(1)); a.body != `{"status":410}` {
		t.Errorf("POST: %s, want status 410", a.body)
	}
	if a := r.poll(); a.Status != 410 || a.Token == r.token || a.Token == "" {
		t.Errorf("GET: %s, want a new session", a.body)
	}
	// What nobody takes back, as its node is silent, does not keep the session.
	eventually(t, "the session has ended", func() bool { return nodes[0].Stats().Sockets == 0 })
}

// A node that is overloaded says so.
func TestLongPollOthersOverloaded(t *testing.T) {
	w, nodes := networked(t, time.Minute, time.Minute, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	w.set(func() { w.fail = pubsub.ErrOverloaded })
	if a := r.post(beat(1)); a.code != 503 {
		t.Errorf("POST: %d, want 503", a.code)
	}
	if a := r.post(largeBeat("", 200_000)); a.code != 503 {
		t.Errorf("large POST: %d, want 503", a.code)
	}
	if a := r.poll(); a.code != 503 {
		t.Errorf("GET: %d, want 503", a.code)
	}
	w.set(func() { w.fail = nil })
	r.say(beat(2))
	r.want(beaten(2))
}

// Whatever is lost of an answer, messages are not, and none comes twice: they wait for
// the next poll. If it is not known whether the client has got them, it is told so.
func TestLongPollOthersLost(t *testing.T) {
	const answer, settle = 6, 7 // see parcelKind
	for _, tt := range []struct {
		name  string
		lose  func(m []byte) bool
		known bool
	}{
		{"an answer", func(m []byte) bool { return m[0] == answer }, true},
		{"a part of an answer", func(m []byte) bool { return m[0] == answer && len(m) > 60_000 }, true},
		{"also the question", func(m []byte) bool { return m[0] == answer || m[0] == settle }, false},
		{"everything", func(m []byte) bool { return true }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, nodes := networked(t, time.Minute, time.Second, time.Second, time.Minute)
			r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
			r.say(joinA)
			r.want(joinedA)
			text := strings.Repeat("x", 100_000)
			r.move()
			r.polls.send("GET", r.target, "")
			waitingAt(t, nodes[0], 1)
			w.set(func() { w.lose = func(to string, m []byte) bool { return to == "two" && tt.lose(m) } })
			r.polls, r.posts = dialWeb(t, nodes[2]), dialWeb(t, nodes[2])
			r.say(`["1","2","room:a","echo",{"text":"` + text + `"}]`)
			eventually(t, "the answer is on its way", func() bool { return nodes[0].SentPolls() > len(text) })
			r.say(beat("behind"))
			if !tt.known {
				if a := r.poll(); a.Status != 410 || len(a.Messages) > 0 {
					t.Errorf("GET: %d %.100s, want status 410", a.code, a.body)
				}
				return
			}
			r.want(`["1","2","room:a","phx_reply",{"status":"ok","response":{"text":"`+text+`"}}]`, beaten("behind"))
			r.say(beat("last"))
			r.want(beaten("last"))
		})
	}
}

// Whichever parcel is lost, or however many of them, messages come once, in order, and
// a POST that was answered with 200 was taken.
func TestLongPollOthersEachLost(t *testing.T) {
	t.Parallel()
	sent := tellRoaming(t, func(int) bool { return false })
	if sent < 15 {
		t.Fatalf("%d parcels were sent, want some of each kind", sent)
	}
	for i := range sent {
		t.Run(fmt.Sprint("number ", i), func(t *testing.T) {
			t.Parallel()
			tellRoaming(t, func(n int) bool { return n == i })
		})
	}
	for _, every := range []int{7, 11} {
		t.Run(fmt.Sprint("every ", every), func(t *testing.T) {
			t.Parallel()
			tellRoaming(t, func(n int) bool { return n%every == 1 })
		})
	}
}

// tellRoaming has a client talk to its session by way of two other nodes, where the
// parcels are lost that lose says by their numbers. It returns how many there were.
func tellRoaming(t *testing.T, lose func(n int) bool) (sent int) {
	t.Helper()
	const timeout = 4 * time.Second // what is lost is sent again in a quarter of it
	w, nodes := networked(t, timeout, timeout, timeout, timeout)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	w.set(func() { w.lose = func(string, []byte) bool { sent++; return lose(sent - 1) } })
	defer w.set(func() { w.lose = nil })
	r.move()
	r.say(joinA)
	r.comes(joinedA)
	r.say(largeBeat("", 100_000), beat("large"))
	r.comes(beaten("hb"), beaten("large"))
	r.move()
	r.say(beat("a"), beat("b"))
	r.comes(beaten("a"), beaten("b"))
	r.say(beat("last"))
	r.comes(beaten("last"))
	var all int
	w.set(func() { all = sent })
	return all
}

// comes is want for polls whose windows may pass meanwhile.
func (r *roamer) comes(texts ...string) {
	r.t.Helper()
	var got []string
	for len(got) < len(texts) {
		a := r.poll()
		if a.code != 200 || a.Status != 200 && a.Status != 204 || a.Token != r.token {
			r.t.Fatalf("GET: %d %s, want status 200 or 204 and the token; before that came %q", a.code, a.body, got)
		}
		got = append(got, a.Messages...)
	}
	wantMessages(r.t, got, texts...)
}

// A body of which a part is lost each time comes to nothing.
func TestLongPollOthersLostBody(t *testing.T) {
	t.Parallel()
	w, nodes := networked(t, time.Minute, 500*time.Millisecond, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	for _, small := range []bool{false, true} { // the first parts, or the last one
		w.set(func() { w.lose = func(_ string, m []byte) bool { return len(m) > 1000 && len(m) < 60_000 == small } })
		if a := r.post(largeBeat("", 100_000)); a.code != 503 {
			t.Errorf("POST: %d %s, want 503", a.code, a.body)
		}
		eventuallyHolds(t, nodes[0], "what has come is given up", 0, 0)
		w.set(func() { w.lose = nil })
		r.say(beat(1))
		r.want(beaten(1))
	}
}

// Bodies that come bit by bit from other nodes count as those of clients do.
func TestLongPollOthersNoRoom(t *testing.T) {
	w, nodes := networked(t, time.Minute, time.Minute)
	small := longPolling(time.Minute)
	small.IncomingMax = 100_000
	small.Adapter, small.Secret = &networkEnd{net: w, name: "small"}, "the same on all nodes"
	r := roam(t, []*phx.Endpoint{startConfig(t, small), nodes[0]}, "/socket/longpoll?vsn=2.0.0")
	r.move()
	if a := r.post(largeBeat("", 200_000)); a.code != 503 {
		t.Errorf("POST: %d %s, want 503", a.code, a.body)
	}
	r.say(beat(1))
	r.want(beaten(1))
	eventuallyHolds(t, r.nodes[0], "nothing is held", 0, 0)
}

// Messages for a raw socket are taken one after the other there, too; one that takes
// longer than a window is answered with 408, and its client waits for that.
func TestLongPollOthersRaw(t *testing.T) {
	t.Parallel()
	g := newGate()
	mount := longPolling(4 * time.Second).Mounts[0]
	mount.LongPoll.NodeTimeout = 3 * time.Second // less than a window: the other node has to say that it is there
	mount.Raw = &phx.RawType{In: func(s *phx.RawSocket, data []byte, binary bool) error {
		if string(data) == "[slow]" {
			g.pass()
		}
		return s.Push(data, false)
	}}
	nodes := startNodes(t, 2, mount)
	r := roam(t, nodes, "/socket/longpoll?x=1")
	r.move()
	r.posts.send("POST", r.target, "[a]\n[slow]\n[skipped]", ndjson)
	within(t, "call of In", g.entered)
	behind := dialWeb(t, nodes[0])
	behind.send("POST", r.target, "[b]\n"+strings.Repeat("x", 100_000), "Content-Type: text/plain")
	if a := r.posts.receive(); a.body != `{"status":408}` {
		t.Errorf("POST: %s, want status 408", a.body)
	}
	close(g.open)
	if a := behind.receive(); a.Status != 200 && a.Status != 408 { // the latter if it had to wait for too long
		t.Errorf("the POST behind it: %s, want status 200", a.body)
	}
	a := r.poll()
	for len(a.Messages) < 2 && a.Status == 200 {
		a.Messages = append(a.Messages, r.poll().Messages...)
	}
	if len(a.Messages) < 2 || a.Messages[0] != "[a]" || a.Messages[1] != "[slow]" {
		t.Errorf("got %.60q, want [a] and [slow]", a.Messages)
	}
}

// What a client has confirmed does not come again when the node that has brought it is
// gone.
func TestLongPollOthersLeaves(t *testing.T) {
	w, nodes := networked(t, time.Minute, time.Minute, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	r.say(beat(1))
	r.want(beaten(1))
	r.move()
	r.polls.send("GET", r.target, "")
	eventually(t, "node two has told what has become of the message", func() bool { return nodes[0].SentPolls() == 0 })
	w.set(func() { delete(w.nodes, "two") })
	r.polls.conn.Close()
	waitingAt(t, nodes[0], 0)
	r.polls = dialWeb(t, nodes[0])
	r.say(beat(2))
	r.want(beaten(2))
}

// An answer that comes when its client has hung up goes back, even if the node of the
// session has not heard of that.
func TestLongPollOthersStray(t *testing.T) {
	const back = 3 // see parcelKind
	w, nodes := networked(t, time.Minute, time.Minute, time.Minute, time.Minute)
	r := roam(t, nodes, "/socket/longpoll?vsn=2.0.0")
	r.move()
	r.polls.send("GET", r.target, "")
	waitingAt(t, nodes[0], 1)
	lost := make(chan bool, 1)
	w.set(func() {
		w.lose = func(_ string, m []byte) bool {
			if m[0] != back {
				return false
			}
			w.lose = nil // the others arrive
			lost <- true
			return true
		}
	})
	r.polls.conn.Close()
	within(t, "loss", lost)
	r.say(beat(1))
	eventually(t, "the answer is back", func() bool { return nodes[0].SentPolls() == 0 && nodes[0].BufferedPolls() > 0 })
	r.move()
	r.want(beaten(1))
}

// Outcomes are bounded, and a request whose outcome is forgotten is not taken for a new
// one.
func TestOutcomes(t *testing.T) {
	const n = 3*phx.MaxOutcomes + 5
	get := phx.Outcomes(n)
	for i, want := range map[uint64]int{1: -1, n - phx.MaxOutcomes: -1, n - phx.MaxOutcomes + 1: 200, n: 200, n + 1: 0} {
		if got := get(i); got != want {
			t.Errorf("the outcome of request %d of %d is %d, want %d", i, n, got, want)
		}
	}
	if got := phx.TakenStarts(3000); got != 1024 {
		t.Errorf("outcomes of %d starts, want 1024", got)
	}
}
