package phx_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// waitingRooms is a route whose "wait" waits for resume, and whose "echo" does
// not.
func waitingRooms(begun *atomic.Int32, resume chan bool) phx.Route {
	return phx.Route{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{
		"wait": func(*phx.Channel, phx.Payload) (any, error) { begun.Add(1); <-resume; return nil, nil },
		"echo": func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
	}}}
}

// waitIn joins many topics over one socket and has a callback of each wait.
func (c *client) waitIn(channels int) {
	c.t.Helper()
	for n := range channels {
		c.join(fmt.Sprintf("waiting:%d", n))
	}
	for n := range channels {
		c.say(fmt.Sprintf(`["1","2","waiting:%d","wait",{}]`, n))
	}
}

// echo is a message and its reply.
func (c *client) echo(topic string) {
	c.t.Helper()
	c.say(fmt.Sprintf(`["1","2",%q,"echo",{"n":1}]`, topic))
	c.want(fmt.Sprintf(`["1","2",%q,"phx_reply",{"status":"ok","response":{"n":1}}]`, topic))
}

// While callbacks wait for ever, of many sockets and on all channels that these
// may have, others are served: they get replies, join, and connect.
func TestWaitingCallbacksHoldUpNobody(t *testing.T) {
	var begun atomic.Int32
	resume := make(chan bool)
	ep := startConfig(t, phx.Config{Workers: 8, Mounts: []phx.Mount{{
		Path: "/socket", Routes: []phx.Route{waitingRooms(&begun, resume)},
		Connect: func(*phx.Socket, phx.Params, *http.Request) error { return nil },
	}}})
	t.Cleanup(func() { close(resume) }) // before the endpoint shuts down
	bystander := dial(t, ep)
	bystander.join("quiet")
	const sockets = 20
	for range sockets {
		dial(t, ep).waitIn(50)
		bystander.echo("quiet")
	}
	eventually(t, "every socket has its share", func() bool { return begun.Load() >= sockets*16 })
	bystander.echo("quiet")
	late := dial(t, ep)
	late.join("late")
	late.echo("late")
	if n := begun.Load(); n > sockets*16+8*sockets {
		t.Errorf("%d callbacks of %d sockets wait at a time, want 16 for each, and a few", n, sockets)
	}
	if st := ep.Stats().Callbacks; st.Running < sockets*16 || st.Long < sockets*16-8 || st.Queued == 0 || st.Oldest == 0 {
		t.Errorf("Stats = %+v, want %d running", st, sockets*16)
	}
}

// 5,000 callbacks that wait leave room for others.
func TestThousandsOfWaitingCallbacks(t *testing.T) {
	var begun atomic.Int32
	resume := make(chan bool)
	ep := startConfig(t, phx.Config{SocketShare: 100, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{waitingRooms(&begun, resume)}}}})
	t.Cleanup(func() { close(resume) })
	var all sync.WaitGroup
	for range 50 {
		c := dial(t, ep)
		all.Go(func() { c.waitIn(100) })
	}
	all.Wait()
	eventually(t, "all wait", func() bool { return begun.Load() == 5000 })
	bystander := dial(t, ep)
	bystander.join("quiet")
	bystander.echo("quiet")
}

// Whoever connects does not wait for callbacks of channels, not even when those
// have all that there is.
func TestConnectHasItsOwnWorkers(t *testing.T) {
	var begun atomic.Int32
	resume := make(chan bool)
	ep := startConfig(t, phx.Config{Workers: 1, MaxWorkers: 1, Mounts: []phx.Mount{{
		Path: "/socket", Routes: []phx.Route{waitingRooms(&begun, resume)},
		Connect: func(*phx.Socket, phx.Params, *http.Request) error { return nil },
	}}})
	t.Cleanup(func() { close(resume) })
	dial(t, ep).waitIn(1)
	eventually(t, "the callback waits", func() bool { return begun.Load() == 1 })
	dial(t, ep)
}

// A callback that takes too long is logged: what it is about, and where it is.
func TestOverdueCallbackIsLogged(t *testing.T) {
	var begun atomic.Int32
	resume := make(chan bool)
	book := &logBook{min: slog.LevelWarn}
	ep := startLogged(t, phx.Config{Overdue: time.Millisecond, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{waitingRooms(&begun, resume)}}}}, slog.New(book))
	t.Cleanup(func() { close(resume) })
	dial(t, ep).waitIn(1)
	eventually(t, "a line", func() bool { return len(book.with("a callback runs for long")) == 1 })
	line := book.with("a callback runs for long")[0]
	if line["topic"] != "waiting:0" || line["event"] != "wait" || !strings.Contains(fmt.Sprint(line["stack"]), "waitingRooms") {
		t.Errorf("logged %v", line)
	}
}
