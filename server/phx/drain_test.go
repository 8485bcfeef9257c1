package phx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// A goodbye is how and when a client was closed.
type goodbye struct {
	code ws.StatusCode
	at   time.Time
}

// goodbyes reads from clients until they are closed, hangs up, and returns how
// that was, in the order of time.
func goodbyes(t *testing.T, clients []*client) func() []goodbye {
	t.Helper()
	var mu sync.Mutex
	var all []goodbye
	var done sync.WaitGroup
	for _, c := range clients {
		done.Go(func() {
			f, err := c.tryNext()
			for err == nil && f.Op != ws.OpClose {
				t.Errorf("got a frame with opcode %#x and payload %q, want Close and nothing before", f.Op, f.Payload)
				f, err = c.tryNext()
			}
			code, _ := frame.ParseClose(f.Payload)
			mu.Lock()
			all = append(all, goodbye{code, time.Now()})
			mu.Unlock()
			c.hangUp(false)
		})
	}
	return func() []goodbye {
		done.Wait()
		slices.SortFunc(all, func(a, b goodbye) int { return a.at.Compare(b.at) })
		return all
	}
}

// drainable is an endpoint with a mount of every kind that drain the same way,
// and the clients of it: with a channel, without, raw, and more of the first.
func drainable(t *testing.T, drain func() phx.Drain, hooks *phx.Telemetry, more int) (*phx.Endpoint, []*client) {
	t.Helper()
	ep := startConfig(t, phx.Config{Telemetry: hooks, Mounts: []phx.Mount{
		{Path: "/socket", Drain: drain, Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}},
		{Path: "/raw", Drain: drain, Raw: &phx.RawType{}},
	}})
	clients := []*client{dial(t, ep), dialAt(t, ep, "/raw/websocket")}
	for range 1 + more {
		c := dial(t, ep)
		c.join("a")
		clients = append(clients, c)
	}
	eventually(t, "all are connected", func() bool { return ep.Stats().Sockets == len(clients) })
	return ep, clients
}

// Sockets are closed with 1012 one after the other, with channels or without, and
// each batch is reported (spec §1.12).
func TestDrainIsPaced(t *testing.T) {
	const interval = 400 * time.Millisecond
	var j journal
	asked := 0
	ep, clients := drainable(t, func() phx.Drain {
		asked++
		return phx.Drain{BatchSize: 2, Interval: interval}
	}, &phx.Telemetry{Drained: j.hooks(t).Drained}, 3)
	if asked != 0 {
		t.Error("Drain was asked before Shutdown")
	}
	wait := goodbyes(t, clients)
	began := time.Now()
	shutdown(t, ep)
	all := wait()
	for i, g := range all {
		if g.code != 1012 {
			t.Errorf("client %d was closed with %d, want 1012", i, g.code)
		}
	}
	// The one at /raw goes at once, and so does the first of the five at /socket; the
	// others follow with half an interval between them.
	for i, g := range all[1:] {
		if d, want := g.at.Sub(began), time.Duration(i)*interval/2; d < want-20*time.Millisecond {
			t.Errorf("client %d was closed after %v, want %v", i+1, d, want)
		}
	}
	got := j.list()
	slices.Sort(got)
	want := []string{
		"drained /raw 1 of 1, 1 of 1, 400ms",
		"drained /socket 1 of 5, 3 of 3, 400ms", "drained /socket 2 of 5, 1 of 3, 400ms", "drained /socket 2 of 5, 2 of 3, 400ms",
	}
	if !slices.Equal(got, want) {
		t.Errorf("hooks were told %q, want %q", got, want)
	}
	if asked != 2 {
		t.Errorf("Drain was asked %d times, want once for each mount", asked)
	}
}

// What would take longer than there is time for is done faster.
func TestDrainFitsDeadline(t *testing.T) {
	t.Parallel()
	ep, clients := drainable(t, func() phx.Drain { return phx.Drain{BatchSize: 1, Interval: time.Hour} }, nil, 10)
	wait := goodbyes(t, clients)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	began := time.Now()
	if err := ep.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	all := wait()
	if d := all[len(all)-1].at.Sub(began); d < 2*time.Second {
		t.Errorf("the last was closed after %v, want about 3s", d)
	}
}

// A context that ends without a deadline ends the drain, too.
func TestDrainIsCancelled(t *testing.T) {
	ep, err := phx.Start(phx.Config{Addr: "127.0.0.1:0", Hosts: []string{phx.AnyHost}, Logger: slog.New(slog.DiscardHandler), Mounts: []phx.Mount{
		{Path: "/socket", Drain: func() phx.Drain { return phx.Drain{BatchSize: 1, Interval: time.Hour} }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	clients := []*client{dial(t, ep), dial(t, ep), dial(t, ep)}
	wait := goodbyes(t, clients)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := ep.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	for _, g := range wait() {
		if g.code != 1012 {
			t.Errorf("closed with %d, want 1012", g.code)
		}
	}
}

// A drain that is off closes all at once, with 1001; without one of their own,
// few sockets are closed quickly, and none takes no time at all.
func TestDrainIsQuick(t *testing.T) {
	for _, tt := range []struct {
		name  string
		drain func() phx.Drain
		code  ws.StatusCode
		why   phx.Reason
	}{
		{"off", func() phx.Drain { return phx.Drain{Off: true, BatchSize: 1, Interval: time.Hour} }, 1001, phx.Shutdown},
		{"default", nil, 1012, phx.Draining},
	} {
		t.Run(tt.name, func(t *testing.T) {
			whys := make(chan phx.Reason, 10)
			ep, clients := drainable(t, tt.drain, &phx.Telemetry{Ended: func(e phx.EndEvent) { whys <- e.Reason }}, 0)
			wait := goodbyes(t, clients)
			began := time.Now()
			shutdown(t, ep)
			for _, g := range wait() {
				if d := g.at.Sub(began); g.code != tt.code || d > patience {
					t.Errorf("closed with %d after %v, want %d at once", g.code, d, tt.code)
				}
			}
			if why := within(t, "end of the channel", whys); why != tt.why {
				t.Errorf("the channel ended with %q, want %q", why, tt.why)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Drain: func() phx.Drain { return phx.Drain{BatchSize: 1, Interval: time.Hour} }}}})
		began := time.Now()
		shutdown(t, ep)
		if d := time.Since(began); d > patience {
			t.Errorf("Shutdown took %v", d)
		}
	})
}

// While it drains, an endpoint lets no one in, by no transport, and says so. A client that
// was half in when the drain began is closed as well.
func TestDrainLetsNobodyIn(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{
			Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}},
			Drain:    func() phx.Drain { return phx.Drain{BatchSize: 1, Interval: time.Second} },
			LongPoll: &phx.LongPoll{},
		},
		{Path: "/slow", Connect: func(*phx.Socket, phx.Params, *http.Request) error { g.pass(); return nil }},
	}})
	clients := []*client{dial(t, ep), dial(t, ep)}
	early, polls, half := connect(t, ep), dialWeb(t, ep), connect(t, ep)
	half.write(request("/slow/websocket"))
	within(t, "call of Connect", g.entered)
	if ep.Draining() {
		t.Error("Draining() = true before Shutdown")
	}
	first := make(chan struct{})
	go func() { // ends with the connections, which the drain ends
		defer close(first)
		f, err := clients[0].tryNext()
		if err != nil || f.Op != ws.OpClose {
			t.Errorf("got %v and a frame %+v, want Close", err, f)
		}
	}()
	down := make(chan error, 1)
	go func() { down <- ep.Shutdown(context.Background()) }() // awaited below
	eventually(t, "it drains", ep.Draining)
	early.write(request("/socket/websocket?vsn=2.0.0"))
	if head := early.head(); head[:12] != "HTTP/1.1 503" {
		t.Errorf("a handshake is answered %q, want 503", head)
	}
	if a := polls.do("GET", "/socket/longpoll?vsn=2.0.0", ""); a.Status != 500 {
		t.Errorf("a long poll is answered %s, want status 500", a.body)
	}
	close(g.open) // now the one at /slow would be let in
	wait := goodbyes(t, clients[1:])
	within(t, "goodbye of the first", first)
	clients[0].hangUp(false)
	wait()
	_, _ = io.Copy(io.Discard, half.conn)
	half.hangUp(false)
	if err := within(t, "end of Shutdown", down); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// Long-poll sessions are drained as connections are: a poll that waits is
// answered that its session is gone.
func TestDrainOfLongPolling(t *testing.T) {
	ended := make(chan phx.Reason, 1)
	ep := startConfig(t, longPolling(time.Minute, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Terminate: func(_ *phx.Channel, why phx.Reason) { ended <- why },
	}}))
	s := openSession(t, ep)
	s.say(`["1","1","a","phx_join",{}]`)
	s.want(`["1","1","a","phx_reply",{"status":"ok","response":{}}]`)
	s.polls.send("GET", s.target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	shutdown(t, ep)
	if a := s.polls.receive(); a.Status != 410 {
		t.Errorf("the poll is answered %s, want status 410", a.body)
	}
	if why := within(t, "Terminate", ended); why != phx.Draining {
		t.Errorf("Terminate(%q), want %q", why, phx.Draining)
	}
}

// The progress is logged at the level of the mount's other lines.
func TestDrainIsLogged(t *testing.T) {
	book := &logBook{}
	ep := startLogged(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/socket"}, {Path: "/quiet", LogConnect: phx.LogOff},
	}}, book.logger())
	clients := []*client{dial(t, ep), dialAt(t, ep, "/quiet/websocket")}
	wait := goodbyes(t, clients)
	shutdown(t, ep)
	wait()
	lines := book.with("draining")
	if len(lines) != 1 || fmt.Sprint(lines[0]["mount"], lines[0]["batch"], lines[0]["of"], lines[0]["sockets"]) != "/socket1 1 1" {
		t.Errorf("logged %v, want one line on /socket", lines)
	}
}
