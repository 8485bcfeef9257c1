package phx_test

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// echo answers with what it was sent.
func echo(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil }

// A gate holds up a callback until the test lets it go on.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 100), make(chan struct{})} }

func (g *gate) pass() { g.entered <- struct{}{}; <-g.open }

// slowRoom is a channel type whose joins wait at the gate if their payload says
// so, and whose ends are told to ended.
func slowRoom(g *gate, ended chan<- phx.Reason) *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(_ *phx.Channel, p phx.Payload) (any, error) {
			var in struct{ Slow, Refuse bool }
			if err := p.Decode(&in); err != nil {
				return nil, err
			}
			if in.Slow {
				g.pass()
			}
			if in.Refuse {
				return nil, phx.Errorf("refused")
			}
			return nil, nil
		},
		In:        phx.Events{"echo": echo, "block": func(_ *phx.Channel, p phx.Payload) (any, error) { g.pass(); return p, nil }},
		Terminate: func(_ *phx.Channel, why phx.Reason) { ended <- why },
	}
}

// The join reply comes before every other frame of its channel (spec §1.11).
func TestJoinReplyFirst(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{}})
	stop := make(chan struct{})
	var storm sync.WaitGroup
	for range 2 {
		storm.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if err := ep.Broadcast("room:a", "storm", nil); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	defer storm.Wait()
	defer close(stop)
	c := dial(t, ep)
	for i := range 30 {
		c.say(fmt.Sprintf(`["%d","%d","room:a","phx_join",{}]`, i, i))
		c.want(fmt.Sprintf(`["%d","%d","room:a","phx_reply",{"status":"ok","response":{}}]`, i, i))
		c.want(`[null,null,"room:a","storm",{}]`)
		c.say(fmt.Sprintf(`["%d","l","room:a","phx_leave",{}]`, i))
		for c.message() != fmt.Sprintf(`["%d","%d","room:a","phx_close",{}]`, i, i) {
		}
	}
}

// A join that takes its time delays its own topic only, whose messages are
// handled after it, in order.
func TestSlowJoin(t *testing.T) {
	g := newGate()
	ep := start(t, phx.Route{Pattern: "room:*", Type: slowRoom(g, make(chan phx.Reason, 10))})
	c := dial(t, ep)
	c.say(`["s","s","room:slow","phx_join",{"slow":true}]`)
	within(t, "call of Join", g.entered)
	c.say(`["s","1","room:slow","echo",1]`, `["old","2","room:slow","echo",2]`, `[null,"3","room:slow","echo",3]`)
	if err := ep.Broadcast("room:slow", "news", nil); err != nil { // not for those who have not joined
		t.Fatal(err)
	}
	c.heartbeat()
	c.join("room:fast")
	c.say(`["1","4","room:fast","echo",4]`)
	c.want(`["1","4","room:fast","phx_reply",{"status":"ok","response":4}]`)
	close(g.open)
	c.want(`["s","s","room:slow","phx_reply",{"status":"ok","response":{}}]`,
		`["s","1","room:slow","phx_reply",{"status":"ok","response":1}]`,
		`["s","3","room:slow","phx_reply",{"status":"ok","response":3}]`)
	c.heartbeat()
}

// What an official client does that has two channel objects for one topic
// (transcript A19). The worker is busy, so the leave is still waiting when the
// join comes.
func TestLeaveAndRejoinInOneBurst(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{Workers: 1, Mounts: []phx.Mount{{
		Path:   "/socket",
		Routes: []phx.Route{{Pattern: "room:*", Type: slowRoom(g, make(chan phx.Reason, 10))}},
	}}})
	c := dial(t, ep)
	c.join("room:busy")
	c.say(`["7","7","room:q","phx_join",{"n":1}]`)
	c.want(`["7","7","room:q","phx_reply",{"status":"ok","response":{}}]`)
	c.say(`["1","8","room:busy","block",{}]`)
	within(t, "call of the handler", g.entered)
	c.say(`["7","10","room:q","phx_leave",{}]`, `["11","11","room:q","phx_join",{"n":2}]`)
	c.heartbeat()
	close(g.open)
	c.want(`["1","8","room:busy","phx_reply",{"status":"ok","response":{}}]`,
		`["11","11","room:q","phx_reply",{"status":"ok","response":{}}]`,
		`["7","7","room:q","phx_close",{}]`)
	c.heartbeat()
}

// What an official client does when a join takes longer than its patience: it
// leaves and joins again (transcript A20).
func TestRejoinDuringSlowJoin(t *testing.T) {
	g := newGate()
	ended := make(chan phx.Reason, 10)
	ep := start(t, phx.Route{Pattern: "room:*", Type: slowRoom(g, ended)})
	c := dial(t, ep)
	c.say(`["3","3","room:1","phx_join",{"slow":true}]`)
	within(t, "call of Join", g.entered)
	c.say(`["3","5","room:1","phx_leave",{}]`, `["6","6","room:1","phx_join",{}]`, `["6","7","room:1","echo",{}]`)
	c.heartbeat()
	close(g.open)
	c.want(`["3","3","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["6","6","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["3","3","room:1","phx_close",{}]`,
		`["6","7","room:1","phx_reply",{"status":"ok","response":{}}]`)
	if why := within(t, "Terminate", ended); why != phx.Duplicate {
		t.Errorf("Terminate(%q), want %q", why, phx.Duplicate)
	}
	if n := ep.Stats().Channels; n != 1 {
		t.Errorf("%d channels, want 1", n)
	}
}

// What waits for a join that is refused is treated as if it came after it.
func TestMessagesBehindRefusedJoin(t *testing.T) {
	g := newGate()
	ep := start(t, phx.Route{Pattern: "room:*", Type: slowRoom(g, make(chan phx.Reason, 10))})
	c := dial(t, ep)
	c.say(`["1","2","room:1","phx_join",{"slow":true,"refuse":true}]`)
	within(t, "call of Join", g.entered)
	c.say(`["1","3","room:1","echo",{}]`, `["1","4","room:1","phx_leave",{}]`,
		`["5","6","room:1","phx_join",{}]`, `["5","7","room:1","echo",{}]`)
	c.heartbeat()
	close(g.open)
	c.want(`["1","2","room:1","phx_reply",{"status":"error","response":{"reason":"refused"}}]`,
		`[null,"3","room:1","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`,
		`["1","4","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["5","6","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["5","7","room:1","phx_reply",{"status":"ok","response":{}}]`)
}

// A second join waits for the handler that runs, then its reply comes before the
// old channel's end (spec §1.11). What the old one has not begun is lost.
func TestDuplicateJoinWhileHandling(t *testing.T) {
	g := newGate()
	ended := make(chan phx.Reason, 10)
	ep := start(t, phx.Route{Pattern: "room:*", Type: slowRoom(g, ended)})
	c := dial(t, ep)
	c.join("room:1")
	c.say(`["1","2","room:1","block",{}]`)
	within(t, "call of the handler", g.entered)
	c.say(`["1","3","room:1","echo",{}]`, `["4","5","room:1","phx_join",{}]`, `["4","6","room:1","echo",{}]`)
	c.heartbeat()
	if n := ep.Subscribers("room:1"); n != 0 {
		t.Errorf("%d subscribers between two joins, want 0", n)
	}
	close(g.open)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["4","5","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1","1","room:1","phx_close",{}]`,
		`["4","6","room:1","phx_reply",{"status":"ok","response":{}}]`)
	if why := within(t, "Terminate", ended); why != phx.Duplicate {
		t.Errorf("Terminate(%q), want %q", why, phx.Duplicate)
	}
}

// A channel that stops, crashes or is left while another join has taken its
// place ends once, as a duplicate.
func TestEndAfterDuplicateJoin(t *testing.T) {
	g := newGate()
	ended := make(chan phx.Reason, 10)
	room := slowRoom(g, ended)
	room.In["stop"] = func(*phx.Channel, phx.Payload) (any, error) { g.pass(); return nil, phx.Stop(phx.Normal) }
	room.In["crash"] = func(*phx.Channel, phx.Payload) (any, error) { g.pass(); panic("as told") }
	ep := start(t, phx.Route{Pattern: "room:*", Type: room})
	c := dial(t, ep)
	for _, event := range []string{"stop", "crash"} {
		c.join("room:1")
		c.say(fmt.Sprintf(`["1","2","room:1",%q,{}]`, event))
		within(t, "call of the handler", g.entered)
		c.say(`["1","3","room:1","phx_leave",{}]`, `["4","5","room:1","phx_join",{}]`)
		c.heartbeat()
		g.open <- struct{}{}
		c.want(`["4","5","room:1","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room:1","phx_close",{}]`)
		c.say(`["4","6","room:1","phx_leave",{}]`)
		c.want(`["4","6","room:1","phx_reply",{"status":"ok","response":{}}]`, `["4","4","room:1","phx_close",{}]`)
		for _, want := range []phx.Reason{phx.Duplicate, phx.Left} {
			if why := within(t, "Terminate", ended); why != want {
				t.Errorf("%s: Terminate(%q), want %q", event, why, want)
			}
		}
	}
	c.hangUp(false)
	shutdown(t, ep)
	if n := len(ended); n != 0 {
		t.Errorf("Terminate was called %d more times", n)
	}
}

// A connection that ends while a channel waits for another to end leaves neither
// behind: the second one joins, and ends, if the client has hung up and the
// connection is not just broken.
func TestConnectionLostDuringDuplicateJoin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rudely bool
		want   []phx.Reason
	}{
		{"by FIN", false, []phx.Reason{phx.Duplicate, phx.Closed}},
		{"by RST", true, []phx.Reason{phx.Duplicate}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGate()
			ended := make(chan phx.Reason, 10)
			ep := start(t, phx.Route{Pattern: "room:*", Type: slowRoom(g, ended)})
			c := dial(t, ep)
			c.join("room:1")
			c.say(`["1","2","room:1","block",{}]`)
			within(t, "call of the handler", g.entered)
			c.say(`["3","3","room:1","phx_join",{}]`)
			c.heartbeat()
			c.hangUp(tt.rudely)
			eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
			close(g.open)
			for _, want := range tt.want {
				if why := within(t, "Terminate", ended); why != want {
					t.Errorf("Terminate(%q), want %q", why, want)
				}
			}
			shutdown(t, ep)
			if n := len(ended); n != 0 {
				t.Errorf("Terminate was called %d more times", n)
			}
		})
	}
}

// A Join that accepts a client who is gone is followed by Terminate, with the
// reason why it is gone.
func TestConnectionLostDuringSlowJoin(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*phx.Endpoint, *client)
		want []phx.Reason
	}{
		{"by the client", func(_ *phx.Endpoint, c *client) { c.hangUp(true) }, []phx.Reason{phx.Closed}},
		{"by a broadcast", func(ep *phx.Endpoint, c *client) {
			_ = ep.Broadcast("users:1", "disconnect", nil)
			c.wantClosed(1001)
			c.hangUp(false)
		}, []phx.Reason{phx.Duplicate, phx.Disconnected}}, // its second join had come before
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGate()
			ended := make(chan phx.Reason, 10)
			ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
				Path:    "/socket",
				Connect: setID("users:1"),
				Routes:  []phx.Route{{Pattern: "room:*", Type: slowRoom(g, ended)}},
			}}})
			c := dial(t, ep)
			c.say(`["1","1","room:1","phx_join",{"slow":true}]`, `["2","2","room:1","phx_join",{}]`,
				`["3","3","room:2","phx_join",{"slow":true,"refuse":true}]`) // not accepted: no Terminate
			within(t, "call of Join", g.entered)
			within(t, "call of Join", g.entered)
			tt.end(ep, c)
			eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
			close(g.open)
			for _, want := range tt.want {
				if why := within(t, "Terminate", ended); why != want {
					t.Errorf("Terminate(%q), want %q", why, want)
				}
			}
			shutdown(t, ep)
			if n := len(ended); n != 0 {
				t.Errorf("Terminate was called %d more times", n)
			}
			if n := ep.Subscribers("room:1"); n != 0 {
				t.Errorf("%d subscribers are left, want 0", n)
			}
		})
	}
}

// Whatever the moment at which a connection is lost, every join that was
// accepted is followed by one Terminate, and no subscription is left.
func TestJoinsAgainstHangUp(t *testing.T) {
	var joins, ends atomic.Int64
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		Join:      func(*phx.Channel, phx.Payload) (any, error) { joins.Add(1); return nil, nil },
		Terminate: func(*phx.Channel, phx.Reason) { ends.Add(1) },
	}})
	burst := []string{`["1","1","room:1","phx_join",{}]`}
	for i := range 20 {
		burst = append(burst, `["1","2","room:1","phx_leave",{}]`, fmt.Sprintf(`["1","%d","room:1","phx_join",{}]`, i))
	}
	for i := range 300 {
		c := dial(t, ep)
		c.say(burst...)
		for range i % 8 {
			c.message()
		}
		c.hangUp(i%2 == 0)
	}
	eventually(t, "all connections are gone", func() bool { return ep.Stats().Connections == 0 })
	shutdown(t, ep)
	if j, e := joins.Load(), ends.Load(); j == 0 || j != e {
		t.Errorf("%d joins were accepted, Terminate was called %d times", j, e)
	}
	if n := ep.Subscribers("room:1"); n != 0 {
		t.Errorf("%d subscribers are left, want 0", n)
	}
}

// Until Join has returned nothing can be sent. What it gives to Send comes first
// thing afterwards, before the messages of a client that did not wait.
func TestSendInJoin(t *testing.T) {
	g := newGate()
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			for _, err := range []error{ch.Push("e", nil), ch.Broadcast("e", nil), ch.BroadcastFrom("e", nil)} {
				if !errors.Is(err, phx.ErrNotJoined) {
					t.Errorf("sent in Join: error %v, want %v", err, phx.ErrNotJoined)
				}
			}
			g.pass()
			return nil, errors.Join(ch.Send("first"), ch.Send("second"))
		},
		In:   phx.Events{"echo": echo},
		Info: func(ch *phx.Channel, msg any) error { return ch.Push(msg.(string), nil) },
	}})
	c := dial(t, ep)
	c.say(`["1","1","room:1","phx_join",{}]`)
	within(t, "call of Join", g.entered)
	c.say(`["1","2","room:1","echo",{}]`)
	c.heartbeat()
	close(g.open)
	c.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1",null,"room:1","first",{}]`,
		`["1",null,"room:1","second",{}]`,
		`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`)
}

// A client that leaves again and again cannot fill the memory meanwhile.
func TestLeaveIsBounded(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", MailboxMax: 4,
		Routes: []phx.Route{{Pattern: "room:*", Type: slowRoom(g, make(chan phx.Reason, 1))}},
	}}})
	c := dial(t, ep)
	c.join("room:1")
	c.say(`["1","2","room:1","block",{}]`)
	within(t, "call of the handler", g.entered)
	for range 100 {
		c.say(`["1","3","room:1","phx_leave",{}]`)
	}
	for i := range 96 {
		if got := c.message(); !strings.Contains(got, "overloaded") {
			t.Fatalf("answer %d is %s, want overloaded", i, got)
		}
	}
	close(g.open)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`["1","1","room:1","phx_close",{}]`)
	for range 3 { // there is no channel any more, which is as good as left
		c.want(`["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`)
	}
	c.heartbeat()
}

// Joined is called right after the client has its reply, before all else that
// waits, and not for those who are refused. It may fail as any callback.
func TestJoined(t *testing.T) {
	g := newGate()
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			g.pass()
			if ch.Topic() == "room:no" {
				return nil, phx.Errorf("no")
			}
			return "in", ch.Send("sent")
		},
		Joined: func(ch *phx.Channel, p phx.Payload) error {
			if ch.Topic() == "room:stop" {
				return phx.Stop(phx.Normal)
			}
			return errors.Join(ch.Push("joined", p), ch.Broadcast("hello", nil))
		},
		In:   phx.Events{"echo": echo},
		Info: func(ch *phx.Channel, msg any) error { return ch.Push(msg.(string), nil) },
	}})
	c := dial(t, ep)
	c.say(`["1","2","room:1","phx_join",{"a":1}]`)
	within(t, "call of Join", g.entered)
	c.say(`["1","3","room:1","echo",{}]`)
	c.heartbeat()
	close(g.open)
	c.want(`["1","2","room:1","phx_reply",{"status":"ok","response":"in"}]`,
		`["1",null,"room:1","joined",{"a":1}]`,
		`[null,null,"room:1","hello",{}]`,
		`["1",null,"room:1","sent",{}]`,
		`["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`)
	c.say(`["1","4","room:no","phx_join",{}]`)
	c.want(`["1","4","room:no","phx_reply",{"status":"error","response":{"reason":"no"}}]`)
	c.say(`["1","5","room:stop","phx_join",{}]`)
	c.want(`["1","5","room:stop","phx_reply",{"status":"ok","response":"in"}]`, `["1","1","room:stop","phx_close",{}]`)
}

// A join does not wait for ever for a callback of the channel that it takes the
// place of. What that one sends later is dropped; it still terminates.
func TestDuplicateJoinOverrunsCallback(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		gone bool // the connection, before the callback is over
	}{{"connected", false}, {"gone", true}} {
		t.Run(tt.name, func(t *testing.T) {
			g, late, ended := newGate(), make(chan error, 10), make(chan phx.Reason, 10)
			room := &phx.ChannelType{StopTimeout: 50 * time.Millisecond}
			room.In = phx.Events{"echo": echo, "block": func(ch *phx.Channel, p phx.Payload) (any, error) {
				ref := ch.Ref()
				g.pass()
				late <- ch.Push("late", nil)
				late <- ref.Reply(nil)
				return p, nil
			}}
			room.Terminate = func(_ *phx.Channel, why phx.Reason) { ended <- why }
			book := &logBook{min: slog.LevelWarn}
			ep := startLogged(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}}}, book.logger())
			c := dial(t, ep)
			c.join("room:1")
			c.say(`["1","2","room:1","block",{}]`)
			within(t, "call of the handler", g.entered)
			c.say(`["3","3","room:1","phx_join",{}]`)
			c.want(`["3","3","room:1","phx_reply",{"status":"ok","response":{}}]`, `["1","1","room:1","phx_close",{}]`)
			warnings := func() int {
				return len(book.with("a callback held up another join of its topic: it goes on without a voice"))
			}
			eventually(t, "the warning is written", func() bool { return warnings() > 0 })
			if tt.gone {
				c.hangUp(false)
				if why := within(t, "Terminate of the new one", ended); why != phx.Closed {
					t.Errorf("Terminate(%q), want %q", why, phx.Closed)
				}
			}
			close(g.open)
			for range 2 {
				if err := within(t, "the late ones", late); !errors.Is(err, phx.ErrClosed) {
					t.Errorf("sent by the old channel: %v, want %v", err, phx.ErrClosed)
				}
			}
			if why := within(t, "Terminate of the old one", ended); why != phx.Duplicate {
				t.Errorf("Terminate(%q), want %q", why, phx.Duplicate)
			}
			if !tt.gone {
				c.say(`["3","4","room:1","echo",{"n":1}]`)
				c.want(`["3","4","room:1","phx_reply",{"status":"ok","response":{"n":1}}]`)
			}
			shutdown(t, ep) // writes what waits in the log
			if n := warnings(); n != 1 {
				t.Errorf("%d warnings, want 1", n)
			}
		})
	}
}

// Joins and leaves that come while the first Join runs are taken in order, and
// copied a few times at most, however many joins there are.
func TestQueueOfJoins(t *testing.T) {
	const pairs, size = 200, 20 << 10
	started, open := make(chan bool, 1), make(chan bool)
	ep := start(t, phx.Route{Pattern: "a", Type: &phx.ChannelType{Join: func(*phx.Channel, phx.Payload) (any, error) {
		select {
		case started <- true:
		default:
		}
		<-open
		return nil, nil
	}}})
	c := dial(t, ep)
	c.say(`["0","0","a","phx_join",{}]`)
	within(t, "call of Join", started)
	filler := strings.Repeat("x", size)
	for i := range pairs {
		c.say(fmt.Sprintf(`["%d","l%d","a","phx_leave",{"x":%q}]`, i, i, filler), fmt.Sprintf(`["%d","%d","a","phx_join",{"x":%q}]`, i+1, i+1, filler))
	}
	c.heartbeat() // all of it is there
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	close(open)
	for i := 0; i <= pairs; {
		if text := c.message(); strings.HasPrefix(text, fmt.Sprintf(`["%d","%d","a","phx_reply",{"status":"ok"`, i, i)) ||
			strings.HasPrefix(text, fmt.Sprintf(`["%d","%d","a","phx_reply",{"response":{},"status":"ok"`, i, i)) {
			i++
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 10*2*pairs*size {
		t.Errorf("%d MB allocated for a queue of %d MB", n>>20, 2*pairs*size>>20)
	}
}

// What waits for a join goes on as it is when the next message is a leave, and the
// one after that another join: it is not copied for each of them, while the event
// loop waits for the socket's lock.
func TestManyJoinsWait(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const pairs = 500
	g := newGate()
	ep := start(t, phx.Route{Pattern: "room", Type: slowRoom(g, make(chan phx.Reason, pairs+1))})
	c := dial(t, ep)
	c.say(`["0","0","room","phx_join",{"slow":true}]`)
	within(t, "the first join", g.entered)
	for i := range pairs {
		c.say(fmt.Sprintf(`["%d","l","room","phx_leave",{}]`, i), fmt.Sprintf(`["%d","%d","room","phx_join",{}]`, i+1, i+1))
	}
	eventually(t, "all wait", func() bool { return mailboxBytes(ep) > 2*pairs*192 })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	close(g.open)
	for last := fmt.Sprintf(`["%d","%d","room","phx_reply",{"status":"ok","response":{}}]`, pairs, pairs); c.message() != last; {
	}
	runtime.ReadMemStats(&after)
	if each := (after.Mallocs - before.Mallocs) / (2 * pairs); each > 150 {
		t.Errorf("%d allocations for each message, the client's included, want at most 150", each)
	}
}
