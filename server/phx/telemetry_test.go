package phx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
)

// A journal keeps what telemetry hooks are told, in short.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, fmt.Sprintf(format, args...))
}

func (j *journal) list() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// want waits for these entries, and checks that there are no others.
func (j *journal) want(t *testing.T, entries ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d events", len(entries)), func() bool { return len(j.list()) >= len(entries) })
	if got := j.list(); !slices.Equal(got, entries) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(entries, "\n"))
	}
}

// requestKey is of a context that a broadcast has.
type requestKey struct{}

// short is the first line of an error.
func short(err error) string {
	text, _, _ := strings.Cut(fmt.Sprint(err), "\n")
	return text
}

// hooks are all of them. Durations must be positive wherever there are any.
func (j *journal) hooks(t *testing.T) *phx.Telemetry {
	took := func(what string, d time.Duration) {
		if d <= 0 || d > patience {
			t.Errorf("%s took %v", what, d)
		}
	}
	return &phx.Telemetry{
		Connected: func(e phx.ConnectEvent) {
			took("connect", e.Duration)
			j.add("connected %s %s vsn=%s user=%s socket=%t %s", e.Mount, e.Transport, e.Version, e.Params.String("user"), e.Socket != nil, short(e.Err))
		},
		Disconnected: func(e phx.DisconnectEvent) { j.add("disconnected %s %s %s", e.Socket.ID(), e.Reason, short(e.Err)) },
		Joined: func(e phx.JoinEvent) {
			took("join", e.Duration)
			j.add("joined %s %s %s", e.Channel.Topic(), e.Payload.JSON(), short(e.Err))
		},
		HandledIn: func(e phx.MessageEvent) {
			took("message", e.Duration)
			j.add("handled %s %s %s %s", e.Channel.Topic(), e.Event, e.Payload.JSON(), short(e.Err))
		},
		Ended:   func(e phx.EndEvent) { j.add("ended %s %s", e.Channel.Topic(), e.Reason) },
		Crashed: func(e phx.CrashEvent) { j.add("crashed %s %s", e.Channel.Topic(), short(e.Err)) },
		Pushed:  func(e phx.PushEvent) { j.add("pushed %s %s %d %s", e.Channel.Topic(), e.Event, e.Size, short(e.Err)) },
		Broadcast: func(e phx.BroadcastEvent) {
			took("broadcast", e.Duration)
			if request, ok := e.Context.Value(requestKey{}).(string); ok {
				j.add("for request %s:", request)
			}
			j.add("broadcast %s %s %d to %d %s", e.Topic, e.Event, e.Size, e.Subscribers, short(e.Err))
		},
		Drained: func(e phx.DrainEvent) {
			j.add("drained %s %d of %d, %d of %d, %v", e.Mount, e.Count, e.Total, e.Index, e.Rounds, e.Interval)
		},
	}
}

// watchedRoom does what there are hooks for.
func watchedRoom() *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			switch ch.Topic() {
			case "room:no":
				return nil, phx.Errorf("no")
			case "room:crash":
				panic("as told")
			}
			return nil, nil
		},
		In: phx.Events{
			"push":   func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Push("e", p) },
			"shout":  func(ch *phx.Channel, p phx.Payload) (any, error) { return phx.OK, ch.Broadcast("e", p) },
			"refuse": func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Errorf("no") },
			"crash":  func(*phx.Channel, phx.Payload) (any, error) { return nil, errors.New("as told") },
		},
		Terminate: func(_ *phx.Channel, why phx.Reason) {
			if why == phx.Left {
				panic("at the end")
			}
		},
	}
}

// Hooks are told a socket's whole life, in its order (spec §8.4, §14).
func TestTelemetry(t *testing.T) {
	var j journal
	ep := startConfig(t, phx.Config{Telemetry: j.hooks(t), Mounts: []phx.Mount{{
		Path: "/socket", Connect: setID("users:1"), Routes: []phx.Route{{Pattern: "room:*", Type: watchedRoom()}},
	}}})
	var all []string
	want := func(entries ...string) { // what comes next; it may come after the client has its answer
		t.Helper()
		all = append(all, entries...)
		j.want(t, all...)
	}
	c := dialAt(t, ep, "/socket/websocket?vsn=2.0.0&user=ann")
	want(`connected /socket websocket vsn=2.0.0 user=ann socket=true <nil>`)
	c.say(`["1","1","room:no","phx_join",{"a":1}]`)
	want(`joined room:no {"a":1} error reply: {"reason":"no"}`)
	c.say(`["1","1","room:crash","phx_join",{}]`)
	want(`crashed room:crash panic: as told`, `joined room:crash {} panic: as told`)
	c.say(`["1","1","room:1","phx_join",{}]`)
	want(`joined room:1 {} <nil>`)
	c.say(`["1","2","room:1","push",{"n":1}]`)
	want(`pushed room:1 e 7 <nil>`, `handled room:1 push {"n":1} <nil>`)
	c.say(`["1","3","room:1","shout",{"n":1}]`)
	want(`broadcast room:1 e 7 to 1 <nil>`, `handled room:1 shout {"n":1} <nil>`)
	c.say(`["1","4","room:1","refuse",{}]`)
	want(`handled room:1 refuse {} error reply: {"reason":"no"}`)
	c.say(`["1","5","room:1","crash",{}]`)
	want(`handled room:1 crash {} as told`, `crashed room:1 as told`, `ended room:1 crash`)
	c.say(`["1","1","room:2","phx_join",{}]`)
	want(`joined room:2 {} <nil>`)
	c.say(`["1","2","room:2","phx_leave",{}]`)
	want(`ended room:2 left`, `crashed room:2 panic: at the end`)
	if err := ep.Broadcast("room:9", "e", []int{1}); err == nil {
		t.Error("Broadcast of a list = nil, want an error")
	}
	want(`broadcast room:9 e 0 to 0 wire: payload is not a JSON object`)
	if err := ep.BroadcastContext(context.WithValue(t.Context(), requestKey{}, "7"), "room:9", "e", struct{}{}); err != nil {
		t.Error(err)
	}
	want("for request 7:", `broadcast room:9 e 2 to 0 <nil>`)
	c.hangUp(true)
	want(`disconnected users:1 closed connection reset by peer`)
}

// Clients that are refused are told of with the reason, whatever it is.
func TestTelemetryOfRefusals(t *testing.T) {
	var j journal
	cfg := longPolling(time.Minute)
	cfg.Telemetry = j.hooks(t)
	cfg.Mounts[0].Connect = func(_ *phx.Socket, p phx.Params, _ *http.Request) error {
		if p.String("user") == "eve" {
			panic("as told")
		}
		return &phx.RefuseError{Status: 429, Body: "later"}
	}
	cfg.Mounts[0].Subprotocols = []string{"a"}
	ep := startConfig(t, cfg)
	send := func(request []byte) {
		c := connect(t, ep)
		c.write(request)
		c.head()
	}
	get := func(target string, headers ...string) { send(request(target, headers...)) }
	get("/socket/websocket?vsn=2.0.0&user=ann")
	get("/socket/websocket?vsn=9.0.0&user=ann")
	get("/socket/websocket?vsn=2.0.0&user=ann", "Origin: http://evil.test")
	get("/socket/websocket?vsn=2.0.0&user=ann", "Sec-WebSocket-Protocol: b")
	get("/socket/websocket?vsn=2.0.0&user=eve")
	get("/socket/websocket?vsn=%zz")
	send(bytes.Replace(request("/socket/websocket?user=ann"), []byte("Version: 13"), []byte("Version: 12"), 1))
	poll := func(target string, headers ...string) { dialWeb(t, ep).do("GET", target, "", headers...) }
	poll("/socket/longpoll?vsn=2.0.0&user=bob")
	poll("/socket/longpoll?vsn=9.0.0&user=bob")
	poll("/socket/longpoll?vsn=2.0.0&user=bob", "Origin: http://evil.test")
	poll("/socket/longpoll?vsn=%zz")
	j.want(t,
		"connected /socket websocket vsn=2.0.0 user=ann socket=false connection refused with status 429 later",
		"connected /socket websocket vsn=9.0.0 user=ann socket=false connection refused with status 403: no serializer for this vsn",
		"connected /socket websocket vsn=2.0.0 user=ann socket=false connection refused with status 403: the origin is not allowed",
		"connected /socket websocket vsn=2.0.0 user=ann socket=false connection refused with status 403: none of the subprotocols is spoken here",
		"connected /socket websocket vsn=2.0.0 user=eve socket=false connection refused with status 500: panic in Connect or CheckOrigin",
		`connected /socket websocket vsn= user= socket=false connection refused with status 400: wire: malformed query: invalid URL escape "%zz"`,
		"connected /socket websocket vsn= user=ann socket=false handshake error: bad \"Sec-WebSocket-Version\" header",
		"connected /socket longpoll vsn=2.0.0 user=bob socket=false connection refused with status 429 later",
		"connected /socket longpoll vsn=9.0.0 user=bob socket=false connection refused with status 403: no serializer for this vsn",
		"connected /socket longpoll vsn=2.0.0 user=bob socket=false connection refused with status 403: the origin is not allowed",
		`connected /socket longpoll vsn= user= socket=false connection refused with status 400: wire: malformed query: invalid URL escape "%zz"`)
}

// What connects with long polling is told of as any other.
func TestTelemetryOfLongPolling(t *testing.T) {
	var j journal
	cfg := longPolling(100*time.Millisecond, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{}})
	cfg.Telemetry = j.hooks(t)
	cfg.Mounts[0].Connect = setID("users:1")
	s := openSession(t, startConfig(t, cfg))
	s.say(`["1","1","room:1","phx_join",{}]`)
	j.want(t, "connected /socket longpoll vsn=2.0.0 user= socket=true <nil>",
		"joined room:1 {} <nil>",
		"disconnected users:1 inactive <nil>",
		"ended room:1 inactive")
}

// A client that does not read is told of as a slow consumer, and the times of
// sockets are their own.
func TestTelemetryOfSlowConsumers(t *testing.T) {
	t.Parallel()
	ends := make(chan phx.DisconnectEvent, 10)
	ep := startConfig(t, phx.Config{
		OutboundMax: 64 << 10, SendBuffer: 4 << 10, WriteTimeout: time.Second,
		Telemetry: &phx.Telemetry{Disconnected: func(e phx.DisconnectEvent) { ends <- e }},
		Mounts:    []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}},
	})
	began := time.Now()
	c := dial(t, ep)
	c.join("a")
	text := strings.Repeat("x", 64<<10)
	for len(ends) == 0 {
		switch err := ep.Broadcast("a", "e", map[string]string{"text": text}); err {
		case nil:
		case pubsub.ErrOverloaded: // the room, which is this one, is waited for
			<-time.After(10 * time.Millisecond)
		default:
			t.Fatal(err)
		}
	}
	if e := <-ends; !errors.Is(e.Err, poller.ErrSlowConsumer) || e.Reason != phx.Closed || e.Lifetime > time.Since(began)+time.Millisecond {
		t.Errorf("told %+v, want ErrSlowConsumer", e)
	}
}

// A hook that panics does no harm, and is logged.
func TestTelemetryPanics(t *testing.T) {
	book := &logBook{min: slog.LevelError}
	ep := startLogged(t, phx.Config{
		Telemetry: &phx.Telemetry{
			Connected:    func(phx.ConnectEvent) { panic("as told") },
			Joined:       func(phx.JoinEvent) { panic("as told") },
			HandledIn:    func(phx.MessageEvent) { panic("as told") },
			Pushed:       func(phx.PushEvent) { panic("as told") },
			Broadcast:    func(phx.BroadcastEvent) { panic("as told") },
			Ended:        func(phx.EndEvent) { panic("as told") },
			Disconnected: func(phx.DisconnectEvent) { panic("as told") },
			Drained:      func(phx.DrainEvent) { panic("as told") },
		},
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: watchedRoom()}}}},
	}, book.logger())
	c := dial(t, ep)
	c.join("room:1")
	c.say(`["1","2","room:1","push",{}]`, `["1","3","room:1","shout",{}]`)
	c.want(`["1",null,"room:1","e",{}]`, `["1","2","room:1","phx_reply",{"status":"ok","response":{}}]`,
		`[null,null,"room:1","e",{}]`, `["1","3","room:1","phx_reply",{"status":"ok","response":{}}]`)
	go func() { c.tryNext(); c.hangUp(false) }() // ends with the connection
	shutdown(t, ep)
	if n := len(book.with("panic in a telemetry hook")); n != 9 { // two messages
		t.Errorf("%d panics are logged, want 9", n)
	}
}

// Every hook of several users is called, also behind one that panics, and a hook that no
// one has stays nil.
func TestJoinTelemetry(t *testing.T) {
	var told []string
	kinds := reflect.TypeFor[phx.Telemetry]()
	all := func(name string, panics bool) *phx.Telemetry {
		hooks := new(phx.Telemetry)
		for i := range kinds.NumField() {
			field := kinds.Field(i)
			reflect.ValueOf(hooks).Elem().Field(i).Set(reflect.MakeFunc(field.Type, func([]reflect.Value) []reflect.Value {
				told = append(told, name+" "+field.Name)
				if panics {
					panic("hook " + name)
				}
				return nil
			}))
		}
		return hooks
	}
	few := &phx.Telemetry{Crashed: func(phx.CrashEvent) { told = append(told, "few Crashed") }}
	joined := reflect.ValueOf(phx.JoinTelemetry(nil, all("a", true), few, all("b", false))).Elem()
	for i := range kinds.NumField() {
		name := kinds.Field(i).Name
		want := []string{"a " + name, "b " + name}
		if name == "Crashed" {
			want = []string{"a Crashed", "few Crashed", "b Crashed"}
		}
		told = nil
		func() {
			defer func() {
				if r := recover(); r != "hook a" {
					t.Errorf("%s: the panic is %v, want that of a, for the log", name, r)
				}
			}()
			joined.Field(i).Call([]reflect.Value{reflect.Zero(kinds.Field(i).Type.In(0))})
		}()
		if !slices.Equal(told, want) {
			t.Errorf("%s: called %q, want %q", name, told, want)
		}
	}
	for _, hooks := range []*phx.Telemetry{phx.JoinTelemetry(), phx.JoinTelemetry(nil, new(phx.Telemetry))} {
		if !reflect.ValueOf(*hooks).IsZero() {
			t.Errorf("of no hooks there are %+v, want none", hooks)
		}
	}
}

// The log has the panic of a joined hook, and the others count on.
func TestJoinTelemetryInEndpoint(t *testing.T) {
	var count atomic.Int64
	var panics atomic.Int64
	ep := startConfig(t, phx.Config{
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}},
		Telemetry: phx.JoinTelemetry(
			&phx.Telemetry{Joined: func(phx.JoinEvent) { panics.Add(1); panic("first") }},
			&phx.Telemetry{Joined: func(phx.JoinEvent) { count.Add(1) }},
		),
	})
	c := dial(t, ep)
	c.join("a")
	c.join("b")
	eventually(t, "both hooks have counted two joins", func() bool { return count.Load() == 2 && panics.Load() == 2 })
}
